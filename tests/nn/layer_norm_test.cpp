// SPDX-License-Identifier: Apache-2.0
#include <trine/nn/layer_norm.hpp>

#include <array>
#include <cmath>

#include <gtest/gtest.h>

#include "routing/routers_in_memory.hpp"

namespace trine {
namespace {

TEST(LayerNorm, HasMeanZeroAndVarianceOneBeforeGainAndBias) {
  test::MemoryWeights weights;
  weights.add("norm.weight", {4}, {1.0F, 2.0F, -1.0F, 0.5F});
  weights.add("norm.bias", {4}, {0.0F, 10.0F, 0.0F, -1.0F});
  WeightReader reader(weights);
  const LayerNorm norm(WeightScope(reader) / "norm", 4, 1.0);
  EXPECT_EQ(norm.parameters(), 8U);
  std::array<float, 4> x{1.0F, 3.0F, 5.0F, 7.0F};  // mean 4, variance 5
  norm.row(x, x);
  const float unit = 1.0F / std::sqrt(6.0F);
  EXPECT_FLOAT_EQ(x[0], -3.0F * unit);
  EXPECT_FLOAT_EQ(x[1], -2.0F * unit + 10.0F);
  EXPECT_FLOAT_EQ(x[2], -1.0F * unit);
  EXPECT_FLOAT_EQ(x[3], 1.5F * unit - 1.0F);
}

}  // namespace
}  // namespace trine
