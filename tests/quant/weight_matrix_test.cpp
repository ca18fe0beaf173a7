// SPDX-License-Identifier: Apache-2.0
#include <trine/quant/weight_matrix.hpp>

#include <array>
#include <cstddef>
#include <type_traits>
#include <vector>

#include <gtest/gtest.h>

#include <trine/kernels/convert.hpp>

namespace trine {
namespace {

TEST(WeightMatrix, CountsParameters) { EXPECT_EQ((WeightMatrix{nullptr, DType::f32, 3, 5}.parameters()), 15U); }

// Stored [4, 3]: 0 1 2 / 10 11 12 / 20 21 22 / 30 31 32.
TEST(WeightMatrix, LooksAtRowsColumnsAndTheTranspose) {
  std::array<float, 12> stored{};
  for (std::size_t r = 0; r < 4; ++r)
    for (std::size_t c = 0; c < 3; ++c) stored[r * 3 + c] = static_cast<float>(10 * r + c);
  const WeightMatrix all{reinterpret_cast<const std::byte*>(stored.data()), DType::f32, 4, 3};
  const auto row = [](const WeightMatrix& matrix, std::size_t r) {
    std::vector<float> values(matrix.columns);
    kernels::decode_row(matrix, r, values.data());
    return values;
  };
  EXPECT_EQ(row(all, 2), (std::vector<float>{20, 21, 22}));
  EXPECT_EQ(row(all.row_range(1, 2), 1), (std::vector<float>{20, 21, 22}));
  EXPECT_EQ(row(all.strided_rows(1, 2), 1), (std::vector<float>{30, 31, 32}));
  EXPECT_EQ(all.strided_rows(1, 2).rows, 2U);
  EXPECT_EQ(all.row_range(0, 3).strided_rows(0, 2).rows, 2U);
  EXPECT_EQ(row(all.transpose(), 1), (std::vector<float>{1, 11, 21, 31}));
  EXPECT_EQ(row(all.transpose().row_range(1, 2), 1), (std::vector<float>{2, 12, 22, 32}));
  EXPECT_EQ(row(all.transpose().strided_rows(0, 2), 1), (std::vector<float>{2, 12, 22, 32}));
  EXPECT_EQ(row(all.row_range(1, 3).transpose(), 0), (std::vector<float>{10, 20, 30}));
  EXPECT_EQ(row(all.strided_rows(1, 2).transpose(), 2), (std::vector<float>{12, 32}));
  EXPECT_EQ(row(all.transpose().transpose(), 3), (std::vector<float>{30, 31, 32}));
  EXPECT_TRUE(all.strided_rows(1, 2).has_plain_rows());
  EXPECT_FALSE(all.transpose().has_plain_rows());
}

TEST(WeightMatrix, ShowsItsMemoryAsTheTypeItHolds) {
  const std::array<bfloat16, 2> stored{bfloat16(1.0F), bfloat16(-2.5F)};
  const WeightMatrix matrix{reinterpret_cast<const std::byte*>(stored.data()), DType::bf16, 1, 2};
  const float second = matrix.visit([](const auto* data) {
    EXPECT_TRUE((std::is_same_v<decltype(data), const bfloat16*>));
    return static_cast<float>(data[1]);
  });
  EXPECT_EQ(second, -2.5F);
}

}  // namespace
}  // namespace trine
