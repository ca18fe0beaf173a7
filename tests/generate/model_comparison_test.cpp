// SPDX-License-Identifier: Apache-2.0
#include <trine/generate/model_comparison.hpp>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "generate/bundled_models.hpp"
#include "support/expect_error.hpp"

namespace trine {
namespace {

const std::filesystem::path kFamilies = std::filesystem::path(TRINE_TEST_DATA) / "families";

std::vector<TokenId> some_tokens(std::size_t count, TokenId vocab) {
  std::vector<TokenId> tokens;
  for (std::size_t i = 0; i < count; ++i)
    tokens.push_back(static_cast<TokenId>((i * i * 7 + i * 3) % static_cast<std::size_t>(vocab)));
  return tokens;
}

std::vector<double> probabilities(std::span<const float> logits) {
  double sum = 0.0;
  std::vector<double> result;
  for (const float logit : logits) sum += result.emplace_back(std::exp(static_cast<double>(logit)));
  for (double& p : result) p /= sum;
  return result;
}

TEST(ModelComparison, FindsNothingBetweenAModelAndItself) {
  const Model model = Model::load(kFamilies / "mixtral");
  const auto tokens = some_tokens(50, 64);
  const ModelComparison found = compare_models(model, {}, model, {}, tokens, 20);
  EXPECT_EQ(found.tokens, 49U);
  EXPECT_EQ(found.change, 0.0);
  EXPECT_EQ(found.change_error, 0.0);
  EXPECT_EQ(found.kl_divergence, 0.0);
  EXPECT_EQ(found.kl_divergence_99, 0.0);
  EXPECT_EQ(found.same_best_token, 49U);
  EXPECT_EQ(found.perplexity, found.reference_perplexity);
  ASSERT_EQ(found.layers.size(), 2U);
  EXPECT_EQ(found.layers.at(1).tokens, 49U);
  EXPECT_EQ(found.layers.at(1).changed, 0U);
}

// Two models of the same vocabulary, by the definitions.
TEST(ModelComparison, MeasuresWhatItSays) {
  const Model q_model = Model::load(kFamilies / "mixtral");
  const Model p_model = Model::load(kFamilies / "mixtral_defaults");
  const std::size_t vocab = q_model.info().vocab_size;
  ASSERT_EQ(p_model.info().vocab_size, vocab);
  const auto tokens = some_tokens(45, static_cast<TokenId>(vocab));
  constexpr std::size_t kWindow = 16;
  std::vector<std::size_t> done;
  const ModelComparison found =
      compare_models(q_model, {}, p_model, {}, tokens, kWindow, [&](std::size_t n, std::size_t all) {
        done.push_back(n);
        EXPECT_EQ(all, 44U);
      });
  EXPECT_EQ(done, (std::vector<std::size_t>{16, 32, 44}));
  std::vector<double> losses;
  std::vector<double> divergences;
  double p_loss = 0.0;
  double q_loss = 0.0;
  std::size_t same = 0;
  for (std::size_t begin = 0; begin < 44; begin += kWindow) {
    const std::size_t count = std::min<std::size_t>(kWindow, 44 - begin);
    Session q_session(q_model);
    Session p_session(p_model);
    const auto q_logits = q_session.forward(std::span(tokens).subspan(begin, count), OutputRows::all);
    const auto p_logits = p_session.forward(std::span(tokens).subspan(begin, count), OutputRows::all);
    for (std::size_t t = 0; t < count; ++t) {
      const auto q = probabilities(q_logits.row(t));
      const auto p = probabilities(p_logits.row(t));
      const auto next = static_cast<std::size_t>(tokens[begin + t + 1]);
      q_loss -= std::log(q[next]);
      p_loss -= std::log(p[next]);
      losses.push_back(std::log(q[next]) - std::log(p[next]));
      double divergence = 0.0;
      for (std::size_t i = 0; i < vocab; ++i) divergence += q[i] * std::log(q[i] / p[i]);
      divergences.push_back(divergence);
      same += std::ranges::max_element(q) - q.begin() == std::ranges::max_element(p) - p.begin() ? 1U : 0U;
    }
  }
  const auto mean = [](const std::vector<double>& values) {
    double sum = 0.0;
    for (const double value : values) sum += value;
    return sum / static_cast<double>(values.size());
  };
  const auto standard_error = [&](const std::vector<double>& values) {
    double squares = 0.0;
    for (const double value : values) squares += (value - mean(values)) * (value - mean(values));
    return std::sqrt(squares / static_cast<double>(values.size() - 1) / static_cast<double>(values.size()));
  };
  EXPECT_NEAR(found.reference_perplexity, std::exp(q_loss / 44.0), 1e-6 * found.reference_perplexity);
  EXPECT_NEAR(found.perplexity, std::exp(p_loss / 44.0), 1e-6 * found.perplexity);
  EXPECT_NEAR(found.change, std::exp(mean(losses)) - 1.0, 1e-6);
  EXPECT_NEAR(found.change_error, std::exp(mean(losses)) * standard_error(losses), 1e-6);
  EXPECT_NEAR(found.kl_divergence, mean(divergences), 1e-6);
  EXPECT_NEAR(found.kl_divergence_error, standard_error(divergences), 1e-6);
  std::ranges::sort(divergences);
  EXPECT_NEAR(found.kl_divergence_99, divergences[43 * 99 / 100], 1e-6);
  EXPECT_EQ(found.same_best_token, same);
  EXPECT_GT(found.layers.at(0).changed, 0U);
  EXPECT_LE(found.layers.at(0).changed, found.layers.at(0).tokens);
}

TEST(ModelComparison, RefusesWhatCannotBeCompared) {
  const Model model = Model::load(kFamilies / "mixtral");
  const auto tokens = some_tokens(5, 64);
  EXPECT_ERROR(compare_models(model, {}, model, {}, std::span(tokens).first(1), 4), InputError,
               "tokens: expected at least 2, found 1");
  EXPECT_ERROR(compare_models(model, {}, model, {}, tokens, 0), InputError,
               "window: expected at least 1 token, found 0");
  const Model other = Model::load(std::filesystem::path(TRINE_MODELS_DIR) / "shakespeare");
  EXPECT_ERROR(compare_models(model, {}, other, {}, tokens, 4), InputError, "the vocabulary of the reference, found");
}

}  // namespace
}  // namespace trine
