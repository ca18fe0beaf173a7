// SPDX-License-Identifier: Apache-2.0
#include <trine/core/any_view.hpp>

#include <array>
#include <cstddef>
#include <type_traits>

#include <gtest/gtest.h>

namespace trine {
namespace {

TEST(AnyMatrix, CountsParametersAndBytesOfItsType) {
  EXPECT_EQ((AnyMatrix{nullptr, DType::f32, 3, 5}.parameters()), 15U);
  EXPECT_EQ((AnyMatrix{nullptr, DType::f32, 3, 5}.bytes()), 60U);
  EXPECT_EQ((AnyMatrix{nullptr, DType::bf16, 3, 5}.bytes()), 30U);
  EXPECT_EQ((AnyMatrix{nullptr, DType::f16, 0, 5}.bytes()), 0U);
}

TEST(AnyMatrix, ShowsItsMemoryAsTheTypeItHolds) {
  const std::array<bfloat16, 2> stored{bfloat16(1.0F), bfloat16(-2.5F)};
  const AnyMatrix matrix{reinterpret_cast<const std::byte*>(stored.data()), DType::bf16, 1, 2};
  const float second = matrix.visit([](const auto* data) {
    EXPECT_TRUE((std::is_same_v<decltype(data), const bfloat16*>));
    return static_cast<float>(data[1]);
  });
  EXPECT_EQ(second, -2.5F);
}

}  // namespace
}  // namespace trine
