// SPDX-License-Identifier: Apache-2.0
#include <trine/nn/rope_scaling.hpp>

#include <cmath>
#include <numbers>
#include <utility>
#include <vector>

#include <gmock/gmock.h>

#include "support/expect_error.hpp"

namespace trine {
namespace {

using SpotValues = std::vector<std::pair<std::size_t, double>>;

// `expected` was printed with nine digits.
void expect_spots(const RopeFrequencies& frequencies, const SpotValues& expected) {
  for (const auto& [i, f] : expected) EXPECT_NEAR(frequencies.inverse.at(i), f, 5.1e-9 * f) << "pair " << i;
}

YarnScaling deepseek_yarn(double mscale) {
  YarnScaling yarn;
  yarn.factor = 40.0;
  yarn.original_max_position_embeddings = 4096;
  yarn.mscale = yarn.mscale_all_dim = mscale;
  return yarn;
}

TEST(RopeScaling, WithoutItIsTheGeometricSeries) {
  const RopeFrequencies frequencies = rope_frequencies({4, 100.0, {}});
  EXPECT_THAT(frequencies.inverse, testing::ElementsAre(1.0, testing::DoubleEq(0.1)));
  EXPECT_EQ(frequencies.amplitude, 1.0);
}

TEST(RopeScaling, LinearDividesEveryFrequency) {
  const RopeFrequencies frequencies = rope_frequencies({4, 100.0, LinearScaling{8.0}});
  EXPECT_THAT(frequencies.inverse, testing::ElementsAre(0.125, testing::DoubleEq(0.0125)));
  EXPECT_EQ(frequencies.amplitude, 1.0);
}

// theta (factor n / L - (factor - 1))^(r / (r - 2)) = theta at n = L.
TEST(RopeScaling, DynamicIsWithoutEffectUpToTheLongestSequence) {
  EXPECT_EQ(rope_frequencies({64, 1e4, DynamicScaling{4.0}}).inverse, rope_frequencies({64, 1e4, {}}).inverse);
}

// Wavelengths 2 pi / f against an original context of 8192: fast ones below 2048 stay, slow ones above 8192 are
// divided.
TEST(RopeScaling, Llama3KeepsFastPairsAndDividesSlowOnes) {
  const RopeOptions rope{128, 500000.0, WavelengthScaling{8.0, 1.0, 4.0, 8192}};
  const RopeFrequencies scaled = rope_frequencies(rope);
  const RopeFrequencies base = rope_frequencies({128, 500000.0, {}});
  std::size_t kept = 0;
  std::size_t divided = 0;
  for (std::size_t i = 0; i < 64; ++i) {
    const double f = base.inverse[i];
    const double wavelength = 2.0 * std::numbers::pi / f;
    if (wavelength < 2048.0) {
      EXPECT_DOUBLE_EQ(scaled.inverse[i], f) << i;
      ++kept;
    } else if (wavelength > 8192.0) {
      EXPECT_DOUBLE_EQ(scaled.inverse[i], f / 8.0) << i;
      ++divided;
    } else {
      const double t = (8192.0 / wavelength - 1.0) / 3.0;
      EXPECT_NEAR(scaled.inverse[i], (1.0 - t) * f / 8.0 + t * f, 1e-15 * f) << i;
    }
  }
  EXPECT_EQ(kept, 29U);     // i < 64 ln(2048 / 2 pi) / ln(500000) = 28.2
  EXPECT_EQ(divided, 29U);  // i > 64 ln(8192 / 2 pi) / ln(500000) = 34.98
  EXPECT_EQ(scaled.amplitude, 1.0);
}

TEST(RopeScaling, YarnOfDeepSeekV3) {
  const RopeOptions rope{64, 1e4, deepseek_yarn(1.0)};
  const RopeFrequencies frequencies = rope_frequencies(rope);
  expect_spots(frequencies,
               {{8, 0.1}, {12, 2.68793601e-2}, {16, 5.5e-3}, {20, 7.90569415e-4}, {24, 2.5e-5}, {31, 3.33380358e-6}});
  // The ramp runs from pair 10 to pair 23.
  const RopeFrequencies base = rope_frequencies({64, 1e4, {}});
  EXPECT_EQ(frequencies.inverse[10], base.inverse[10]);
  EXPECT_LT(frequencies.inverse[11], base.inverse[11] * (1.0 - 1e-3));
  EXPECT_GT(frequencies.inverse[22], base.inverse[22] / 40.0 * (1.0 + 1e-3));
  EXPECT_DOUBLE_EQ(frequencies.inverse[23], base.inverse[23] / 40.0);
  EXPECT_EQ(frequencies.amplitude, 1.0);
  EXPECT_NEAR(latent_softmax_correction(rope), 1.3688879 * 1.3688879, 1e-6);
  EXPECT_NEAR(latent_softmax_correction(rope) / std::sqrt(192.0), 0.1352337789, 5.1e-11);
}

TEST(RopeScaling, YarnOfDeepSeekV2Lite) {
  const RopeOptions rope{64, 1e4, deepseek_yarn(0.707)};
  EXPECT_EQ(rope_frequencies(rope).inverse, rope_frequencies({64, 1e4, deepseek_yarn(1.0)}).inverse);
  EXPECT_EQ(rope_frequencies(rope).amplitude, 1.0);
  EXPECT_NEAR(latent_softmax_correction(rope) / std::sqrt(192.0), 0.1147213868, 5.1e-11);
}

TEST(RopeScaling, YarnOfGptOss) {
  YarnScaling yarn;
  yarn.factor = 32.0;
  yarn.original_max_position_embeddings = 4096;
  yarn.truncate = false;
  const RopeOptions rope{64, 150000.0, yarn};
  const RopeFrequencies frequencies = rope_frequencies(rope);
  expect_spots(frequencies, {{8, 5.08132748e-2}, {12, 6.79495949e-3}, {16, 4.56483919e-4}, {20, 1.81883367e-5}});
  EXPECT_NEAR(frequencies.amplitude, 1.3465735903, 5.1e-11);
  EXPECT_EQ(latent_softmax_correction(rope), 1.0);
}

// Kimi K2: both ends of the ramp are at 19.4, so it runs from 19 to 20: a step.
TEST(RopeScaling, YarnWithEqualBetasIsAStep) {
  YarnScaling yarn;
  yarn.factor = 32.0;
  yarn.original_max_position_embeddings = 4096;
  yarn.beta_fast = yarn.beta_slow = 1.0;
  const RopeFrequencies frequencies = rope_frequencies({64, 50000.0, yarn});
  const RopeFrequencies base = rope_frequencies({64, 50000.0, {}});
  for (std::size_t i = 0; i < 32; ++i)
    EXPECT_DOUBLE_EQ(frequencies.inverse[i], i <= 19 ? base.inverse[i] : base.inverse[i] / 32.0) << i;
  // Not rounded, both ends are the same number, and the ramp is a thousandth wide.
  yarn.truncate = false;
  EXPECT_EQ(rope_frequencies({64, 50000.0, yarn}).inverse, frequencies.inverse);
}

TEST(RopeScaling, YarnAmplitudeIsGivenOrTheRatioOrOfTheFactor) {
  YarnScaling yarn = deepseek_yarn(0.0);
  EXPECT_DOUBLE_EQ(rope_frequencies({64, 1e4, yarn}).amplitude, 0.1 * std::log(40.0) + 1.0);
  yarn.mscale = 0.5;  // alone it counts for nothing
  EXPECT_DOUBLE_EQ(rope_frequencies({64, 1e4, yarn}).amplitude, 0.1 * std::log(40.0) + 1.0);
  yarn.mscale_all_dim = 2.0;
  EXPECT_DOUBLE_EQ(rope_frequencies({64, 1e4, yarn}).amplitude,
                   (0.05 * std::log(40.0) + 1.0) / (0.2 * std::log(40.0) + 1.0));
  yarn.attention_factor = 1.25;
  EXPECT_EQ(rope_frequencies({64, 1e4, yarn}).amplitude, 1.25);
  EXPECT_DOUBLE_EQ(latent_softmax_correction({64, 1e4, yarn}), std::pow(0.2 * std::log(40.0) + 1.0, 2));
  yarn.factor = 1.0;
  EXPECT_EQ(latent_softmax_correction({64, 1e4, yarn}), 1.0);
}

TEST(RopeScaling, LongRopeDividesByTheShortFactors) {
  LongRopeScaling longrope{{1.0, 4.0}, 16.0, 4096, std::nullopt};
  const RopeFrequencies frequencies = rope_frequencies({4, 100.0, longrope});
  EXPECT_THAT(frequencies.inverse, testing::ElementsAre(1.0, testing::DoubleEq(0.025)));
  EXPECT_DOUBLE_EQ(frequencies.amplitude, std::sqrt(1.0 + 4.0 / 12.0));  // ln 16 / ln 4096 in powers of two
  longrope.factor = 1.0;
  EXPECT_EQ(rope_frequencies({4, 100.0, longrope}).amplitude, 1.0);
  longrope.attention_factor = 1.5;
  EXPECT_EQ(rope_frequencies({4, 100.0, longrope}).amplitude, 1.5);
  EXPECT_ERROR(rope_frequencies({6, 100.0, longrope}), ConfigError, "longrope: expected 3 factors, found 2");
}

}  // namespace
}  // namespace trine
