// SPDX-License-Identifier: Apache-2.0
#include <trine/quant/quantization_error.hpp>

#include <array>
#include <limits>

#include <gtest/gtest.h>

namespace trine {
namespace {

TEST(QuantizationError, IsTheLengthOfTheErrorRelativeToThatOfTheWeights) {
  QuantizationError error;
  error.add(std::array{3.0F, 0.0F}.data(), std::array{3.0F, 0.5F}.data(), 2);
  EXPECT_DOUBLE_EQ(error.relative_rms(), 0.5 / 3.0);
  QuantizationError other;
  other.add(std::array{4.0F}.data(), std::array{4.0F}.data(), 1);
  error += other;
  EXPECT_DOUBLE_EQ(error.relative_rms(), 0.1);
}

TEST(QuantizationError, OfZerosIsZero) {
  QuantizationError error;
  EXPECT_EQ(error.relative_rms(), 0.0);
  error.add(std::array{0.0F}.data(), std::array{0.0F}.data(), 1);
  EXPECT_EQ(error.relative_rms(), 0.0);
}

TEST(QuantizationError, SeesWhatIsNotFiniteAndNothingElse) {
  constexpr float kMost = std::numeric_limits<float>::max();
  QuantizationError largest;
  largest.add(std::array{kMost, kMost}.data(), std::array{-kMost, kMost}.data(), 2);
  EXPECT_TRUE(std::isfinite(largest.squared_weight));
  EXPECT_TRUE(std::isfinite(largest.squared_error));
  for (const float bad : {std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN()}) {
    QuantizationError error;
    error.add(&bad, &kMost, 1);
    EXPECT_FALSE(std::isfinite(error.squared_weight));
    QuantizationError rounded;
    rounded.add(&kMost, &bad, 1);
    EXPECT_TRUE(std::isfinite(rounded.squared_weight));
    EXPECT_FALSE(std::isfinite(rounded.squared_error));
  }
}

}  // namespace
}  // namespace trine
