// SPDX-License-Identifier: Apache-2.0
#include <trine/core/dtype.hpp>

#include <string>
#include <type_traits>

#include <gtest/gtest.h>

#include "support/expect_error.hpp"

namespace trine {
namespace {

TEST(DType, NamesReadBackAsThemselves) {
  for (const auto& [dtype, name] : kDTypeNames) {
    EXPECT_EQ(to_string(dtype), name);
    EXPECT_EQ(parse_dtype(name), dtype);
  }
}

TEST(DType, OfAnUnknownNameIsNothing) {
  for (const char* name : {"", "F32", "f32 ", "f64", "float32", "?"})
    EXPECT_EQ(parse_dtype(name), std::nullopt) << name;
}

TEST(DType, VisitsTheTypeWhoseSizeItReports) {
  for (const auto& [dtype, name] : kDTypeNames)
    EXPECT_EQ(visit_dtype(dtype, [](const auto* data) { return sizeof(*data); }), size_bytes(dtype)) << name;
}

TEST(DType, VisitsEachTypeOnce) {
  EXPECT_TRUE(visit_dtype(DType::f32, [](auto* data) { return std::is_same_v<decltype(data), const float*>; }));
  EXPECT_TRUE(visit_dtype(DType::bf16, [](auto* data) { return std::is_same_v<decltype(data), const bfloat16*>; }));
  EXPECT_TRUE(visit_dtype(DType::f16, [](auto* data) { return std::is_same_v<decltype(data), const float16*>; }));
}

TEST(DType, OutOfRangeIsAnErrorAndNotUndefined) {
  const auto wrong = static_cast<DType>(200);
  EXPECT_EQ(to_string(wrong), "?");
  EXPECT_ERROR(visit_dtype(wrong, [](const auto*) {}), WeightError, "element type out of range");
}

}  // namespace
}  // namespace trine
