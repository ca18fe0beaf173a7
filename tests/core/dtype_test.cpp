// SPDX-License-Identifier: Apache-2.0
#include <trine/core/dtype.hpp>

#include <string>
#include <type_traits>

#include <gtest/gtest.h>

#include "support/expect_error.hpp"

namespace trine {
namespace {

TEST(DType, NamesReadBackAsThemselves) {
  for (const DTypeInfo& info : kDTypes) {
    EXPECT_EQ(to_string(info.dtype), info.name);
    EXPECT_EQ(parse_dtype(info.name), info.dtype);
    EXPECT_EQ(size_bytes(info.dtype), info.bytes);
  }
}

TEST(DType, OfAPackedFormatHasNoBytesOfAnElement) {
  for (const DTypeInfo& info : kPackedDTypes) {
    EXPECT_TRUE(is_packed(info.dtype));
    EXPECT_EQ(to_string(info.dtype), info.name);
    EXPECT_EQ(parse_dtype(info.name), info.dtype);
    EXPECT_EQ(size_bytes(info.dtype), 0U);
  }
  for (const DTypeInfo& info : kDTypes) EXPECT_FALSE(is_packed(info.dtype));
}

TEST(DType, OfAnUnknownNameIsNothing) {
  for (const char* name : {"", "F32", "f32 ", "f128", "float32", "?"})
    EXPECT_EQ(parse_dtype(name), std::nullopt) << name;
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
  EXPECT_EQ(to_string(wrong), "?");
  EXPECT_EQ(size_bytes(wrong), 0U);
  EXPECT_ERROR(visit_dtype(wrong, [](const auto*) {}), WeightError, "found ?");
}

}  // namespace
}  // namespace trine
