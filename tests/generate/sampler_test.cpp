// SPDX-License-Identifier: Apache-2.0
#include <trine/generate/sampler.hpp>

#include <cmath>
#include <limits>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/expect_error.hpp"

namespace trine {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::Each;
using testing::Lt;

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

/// The model's own probabilities: no filter.
SamplingOptions unfiltered(std::uint64_t seed = 0) {
  SamplingOptions options;
  options.temperature = 1.0F;
  options.top_k = 0;
  options.top_p = 1.0F;
  options.min_p = 0.0F;
  options.seed = seed;
  return options;
}

SamplingOptions greedy() {
  SamplingOptions options;
  options.temperature = 0.0F;
  return options;
}

std::vector<TokenId> draw(const SamplingOptions& options, const std::vector<float>& logits, std::size_t count) {
  Sampler sampler(options);
  std::vector<TokenId> tokens;
  for (std::size_t i = 0; i < count; ++i) tokens.push_back(sampler.sample(logits, {}));
  return tokens;
}

TEST(Sampler, GreedyTakesTheBestAndOfEqualsTheLowerId) {
  Sampler sampler(greedy());
  EXPECT_EQ(sampler.sample(std::vector<float>{1.0F, 5.0F, 5.0F, 2.0F}, {}), 1U);
  EXPECT_EQ(sampler.sample(std::vector<float>{3.0F}, {}), 0U);
  EXPECT_EQ(sampler.sample(std::vector<float>{7.0F, 7.0F}, {}), 0U);
}

/// Pearson's statistic of `count` draws against `expected` probabilities.
double chi_square(const SamplingOptions& options, const std::vector<float>& logits,
                  const std::vector<double>& expected) {
  constexpr std::size_t kCount = 100000;
  std::vector<double> observed(expected.size(), 0.0);
  for (const TokenId token : draw(options, logits, kCount)) observed.at(token) += 1.0;
  double statistic = 0.0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const double mean = expected[i] * static_cast<double>(kCount);
    if (mean == 0.0) {
      EXPECT_EQ(observed[i], 0.0) << "token " << i << " was filtered";
    } else {
      statistic += (observed[i] - mean) * (observed[i] - mean) / mean;
    }
  }
  return statistic;
}

std::vector<float> logits_of(const std::vector<double>& probabilities) {
  std::vector<float> logits;
  for (const double p : probabilities) logits.push_back(static_cast<float>(std::log(p)) + 3.0F);
  return logits;
}

// Limits: the 99.99th percentile of the chi-square distribution; seeds are fixed, so the tests do not flicker.
TEST(Sampler, DrawsTheProbabilitiesOfTheModel) {
  const std::vector<double> p = {0.05, 0.4, 0.1, 0.25, 0.15, 0.05};
  for (const std::uint64_t seed : {0U, 1U, 12345U}) {
    EXPECT_LT(chi_square(unfiltered(seed), logits_of(p), p), 25.7) << "seed " << seed;  // 5 degrees of freedom
  }
}

TEST(Sampler, DrawsTheProbabilitiesThatTheTemperatureMakes) {
  const std::vector<double> p = {0.05, 0.4, 0.1, 0.25, 0.15, 0.05};
  for (const float temperature : {0.5F, 2.0F}) {
    std::vector<double> expected;
    double total = 0.0;
    for (const double x : p) total += expected.emplace_back(std::pow(x, 1.0 / static_cast<double>(temperature)));
    for (double& x : expected) x /= total;
    SamplingOptions options = unfiltered(3);
    options.temperature = temperature;
    EXPECT_LT(chi_square(options, logits_of(p), expected), 25.7) << "temperature " << temperature;
  }
}

TEST(Sampler, DrawsOnlyWhatTheFiltersLeave) {
  const std::vector<double> p = {0.05, 0.4, 0.1, 0.25, 0.15, 0.05};
  SamplingOptions options = unfiltered(4);
  options.top_k = 3;
  EXPECT_LT(chi_square(options, logits_of(p), {0, 0.5, 0, 0.3125, 0.1875, 0}), 18.4);  // 2 degrees of freedom
  options = unfiltered(5);
  options.top_p = 0.6F;
  EXPECT_LT(chi_square(options, logits_of(p), {0, 8.0 / 13, 0, 5.0 / 13, 0, 0}), 15.1);  // 1 degree
  options = unfiltered(6);
  options.min_p = 0.3F;  // of 0.4: at least 0.12
  EXPECT_LT(chi_square(options, logits_of(p), {0, 0.5, 0, 0.3125, 0.1875, 0}), 18.4);
}

// 0.6 is reached by the first two before the temperature; after a temperature of 4 it would take three.
TEST(Sampler, TheTemperatureComesLast) {
  const std::vector<double> p = {0.05, 0.4, 0.1, 0.25, 0.15, 0.05};
  SamplingOptions options = unfiltered(7);
  options.top_p = 0.6F;
  options.temperature = 4.0F;
  const double a = std::pow(0.4, 0.25);
  const double b = std::pow(0.25, 0.25);
  EXPECT_LT(chi_square(options, logits_of(p), {0, a / (a + b), 0, b / (a + b), 0, 0}), 15.1);
}

TEST(Sampler, TheTemperatureComesFirstWhenAskedTo) {
  // At temperature 1 the best token has 0.64 of the probability, at temperature 4 it has 0.36: then top-p takes two.
  const std::vector<float> logits = {std::log(8.0F), std::log(2.5F), std::log(1.0F), std::log(1.0F)};
  SamplingOptions options = unfiltered();
  options.temperature = 4.0F;
  options.top_p = 0.5F;
  EXPECT_THAT(draw(options, logits, 200), Each(0U));
  options.temperature_first = true;
  EXPECT_THAT(draw(options, logits, 200), AllOf(Contains(0U), Contains(1U), Each(Lt(2U))));
}

TEST(Sampler, PenalizesOnlyTheLastTokens) {
  SamplingOptions options = greedy();
  options.repeat_penalty = 4.0F;
  options.repeat_last_n = 2;
  Sampler sampler(options);
  const std::vector<float> logits = {4.0F, 3.0F, 2.0F};
  EXPECT_EQ(sampler.sample(logits, std::vector<TokenId>{}), 0U);
  EXPECT_EQ(sampler.sample(logits, std::vector<TokenId>{0}), 1U);
  EXPECT_EQ(sampler.sample(logits, std::vector<TokenId>{0, 1}), 2U);
  EXPECT_EQ(sampler.sample(logits, std::vector<TokenId>{0, 1, 2}), 0U);  // 0 is three back
  EXPECT_EQ(sampler.sample(logits, std::vector<TokenId>{0, 99, 4294967295U}), 0U);
  options.repeat_last_n = 0;
  EXPECT_EQ(Sampler(options).sample(logits, std::vector<TokenId>{0}), 0U);
}

TEST(Sampler, TheSameSeedGivesTheSameTokens) {
  const std::vector<float> logits(50, 1.0F);
  EXPECT_EQ(draw(unfiltered(1), logits, 200), draw(unfiltered(1), logits, 200));
  EXPECT_NE(draw(unfiltered(1), logits, 200), draw(unfiltered(2), logits, 200));
}

TEST(Sampler, TheNthDrawDoesNotDependOnTheOnesBefore) {
  const std::vector<float> logits(50, 1.0F);
  const std::vector<TokenId> tokens = draw(unfiltered(9), logits, 20);
  Sampler sampler(unfiltered(9));
  for (int i = 0; i < 19; ++i) static_cast<void>(sampler.sample(std::vector<float>{0.0F, kNan}, {}));
  EXPECT_EQ(sampler.sampled(), 19U);
  EXPECT_EQ(sampler.sample(logits, {}), tokens.back());
}

TEST(Sampler, GivesAValidIndexWhateverTheLogitsAre) {
  const std::vector<float> strange = {kNan, kInfinity, -kInfinity, 0.0F, -0.0F, 3e38F, -3e38F, 1e-45F, -kNan};
  for (std::uint64_t seed = 0; seed < 3000; ++seed) {
    const CounterRandom random{seed};
    std::vector<float> logits;
    const std::size_t count = 1 + seed % 100;
    for (std::size_t i = 0; i < count; ++i) {
      logits.push_back(strange[static_cast<std::size_t>(random.uniform(i) * double(strange.size()))]);
    }
    SamplingOptions options;
    options.seed = seed;
    options.temperature = seed % 5 == 0 ? 0.0F : seed % 5 == 1 ? 1e-45F : seed % 5 == 2 ? 3e38F : 0.7F;
    options.top_k = seed % 3 == 0 ? 0 : 10;
    options.top_p = seed % 7 == 0 ? 0.0F : 0.9F;
    options.repeat_penalty = seed % 2 == 0 ? 1.3F : 1e-30F;
    const std::vector<TokenId> history = {0, 5, 7, 4294967295U};
    Sampler sampler(options);
    const TokenId token = sampler.sample(logits, history);
    ASSERT_LT(token, logits.size()) << "seed " << seed;
    bool possible = false;
    for (const float logit : logits) possible = possible || logit > -kInfinity;
    if (possible) {
      EXPECT_GT(logits[token], -kInfinity) << "seed " << seed << ": an impossible token";
    }
  }
}

TEST(Sampler, NanNeverWins) {
  Sampler sampler(greedy());
  EXPECT_EQ(sampler.sample(std::vector<float>{kNan, -5.0F, kNan}, {}), 1U);
  EXPECT_EQ(sampler.sample(std::vector<float>{kNan, -kInfinity, kNan}, {}), 0U);
  for (const TokenId token : draw(unfiltered(), {kNan, 1.0F, -kInfinity, kNan}, 100)) EXPECT_EQ(token, 1U);
}

TEST(Sampler, ServesVocabulariesFromOneToManyTokens) {
  EXPECT_EQ(Sampler(SamplingOptions{}).sample(std::vector<float>{-1e30F}, {}), 0U);
  std::vector<float> logits(200000, 0.0F);
  logits[199999] = 100.0F;
  EXPECT_EQ(Sampler(SamplingOptions{}).sample(logits, {}), 199999U);
  EXPECT_EQ(Sampler(unfiltered()).sample(logits, {}), 199999U);
  EXPECT_ERROR(Sampler(SamplingOptions{}).sample({}, {}), InputError,
               "logits: expected 1 to 4294967296 of them, found 0");
}

TEST(SamplingOptions, NamesTheOptionThatIsOutOfRange) {
  const auto with = [](auto change) {
    SamplingOptions options;
    change(options);
    return Sampler(options);
  };
  EXPECT_NO_THROW(SamplingOptions{}.validate());
  EXPECT_ERROR(with([](auto& o) { o.temperature = -1.0F; }), InputError,
               "temperature: expected a finite number, 0 or more, found -1");
  EXPECT_ERROR(with([](auto& o) { o.temperature = kNan; }), InputError, "temperature: expected");
  EXPECT_ERROR(with([](auto& o) { o.temperature = kInfinity; }), InputError, "temperature: expected");
  EXPECT_ERROR(with([](auto& o) { o.top_p = 1.5F; }), InputError, "top_p: expected a number from 0 to 1, found 1.5");
  EXPECT_ERROR(with([](auto& o) { o.top_p = kNan; }), InputError, "top_p: expected");
  EXPECT_ERROR(with([](auto& o) { o.min_p = -0.1F; }), InputError, "min_p: expected a number from 0 to 1, found -0.1");
  EXPECT_ERROR(with([](auto& o) { o.repeat_penalty = 0.0F; }), InputError,
               "repeat_penalty: expected a finite number above 0, found 0");
  EXPECT_ERROR(with([](auto& o) { o.repeat_penalty = kInfinity; }), InputError, "repeat_penalty: expected");
}

}  // namespace
}  // namespace trine
