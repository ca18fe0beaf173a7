// SPDX-License-Identifier: Apache-2.0
#include <trine/core/dtype.hpp>

#include <string>
#include <type_traits>

#include <gtest/gtest.h>

#include "support/expect_error.hpp"

namespace trine {
namespace {

TEST(DType, ElementsHaveNamesAndBytes) {
  for (const DTypeInfo& info : kDTypes) {
    EXPECT_EQ(element_name(info.dtype), info.name);
    EXPECT_EQ(size_bytes(info.dtype), info.bytes);
  }
}

TEST(DType, OfABlockFormatIsNoElement) {
  EXPECT_EQ(element_name(block_format(0)), "?");
  EXPECT_EQ(size_bytes(block_format(0)), 0U);
  EXPECT_NE(block_format(0), block_format(1));
  for (const DTypeInfo& info : kDTypes) EXPECT_NE(info.dtype, block_format(0));
}

TEST(DType, VisitsPlainFloatsAsTypesOfTheirSizeAndNothingElse) {
  for (const DTypeInfo& info : kDTypes) {
    const auto size = [&] { return visit_dtype(info.dtype, [](const auto* data) { return sizeof(*data); }); };
    if (is_plain_float(info.dtype)) {
      EXPECT_EQ(size(), info.bytes) << info.name;
    } else {
      EXPECT_ERROR(size(), WeightError, "expected f32, bf16 or f16, found " + std::string(info.name));
    }
  }
}

TEST(DType, VisitsEachTypeOnce) {
  EXPECT_TRUE(visit_dtype(DType::f32, [](auto* data) { return std::is_same_v<decltype(data), const float*>; }));
  EXPECT_TRUE(visit_dtype(DType::bf16, [](auto* data) { return std::is_same_v<decltype(data), const bfloat16*>; }));
  EXPECT_TRUE(visit_dtype(DType::f16, [](auto* data) { return std::is_same_v<decltype(data), const float16*>; }));
}

TEST(DType, OutOfRangeIsAnErrorAndNotUndefined) {
  const auto wrong = static_cast<DType>(200);
  EXPECT_EQ(element_name(wrong), "?");
  EXPECT_EQ(size_bytes(wrong), 0U);
  EXPECT_ERROR(visit_dtype(wrong, [](const auto*) {}), WeightError, "found ?");
}

}  // namespace
}  // namespace trine
