// SPDX-License-Identifier: Apache-2.0
// A model that transformers trained and saved: the same perplexity and the same greedy text as transformers finds for
// it (examples/training/export_deepseek_v3.py).
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include <gmock/gmock.h>

#include <trine/generate/generate.hpp>
#include <trine/json/parse.hpp>

namespace trine::test {
namespace {

class DeepseekV3Shakespeare : public testing::Test {
 protected:
  const std::filesystem::path directory_ = std::filesystem::path(TRINE_MODELS_DIR) / "deepseek-v3-shakespeare";
  const Json expected_ = read_json_file(directory_ / "expected.json");
  const Model model_ = Model::load(directory_);
  const Tokenizer tokenizer_ = Tokenizer::load(directory_);
};

double negative_log_likelihood(std::span<const float> logits, TokenId target) {
  const double largest = static_cast<double>(*std::ranges::max_element(logits));
  double sum = 0;
  for (const float logit : logits) sum += std::exp(static_cast<double>(logit) - largest);
  return largest + std::log(sum) - static_cast<double>(logits[target]);
}

TEST_F(DeepseekV3Shakespeare, HasThePerplexityThatTransformersFinds) {
  const auto window = expected_["context"].get<std::size_t>();
  const auto tokens = expected_["excerpt"]["tokens"].get<std::vector<TokenId>>();
  ASSERT_EQ(tokenizer_.encode(expected_["excerpt"]["text"].get<std::string>()), tokens);
  Session session(model_, {.activations = ActivationPrecision::f32});
  double sum = 0;
  for (std::size_t begin = 0; begin + 1 < tokens.size(); begin += window) {
    const std::size_t count = std::min(window, tokens.size() - 1 - begin);
    session.reset();
    const View<const float, 2> logits = session.forward(std::span(tokens).subspan(begin, count), OutputRows::all);
    for (std::size_t i = 0; i < count; ++i) sum += negative_log_likelihood(logits.row(i), tokens[begin + i + 1]);
  }
  const double perplexity = std::exp(sum / static_cast<double>(tokens.size() - 1));
  EXPECT_NEAR(perplexity, expected_["excerpt"]["perplexity"].get<double>(), 5e-4) << "to four digits";
}

// Prefill is computed in the naive form of latent attention and decoding in the absorbed one: 200 steps of either
// agree.
TEST_F(DeepseekV3Shakespeare, WritesTheGreedyTextOfTransformers) {
  for (const Json& greedy : expected_["greedy"]) {
    Session session(model_, {.activations = ActivationPrecision::f32});
    const GenerateResult found =
        generate(session, tokenizer_, greedy["prompt"].get<std::string>(),
                 {.max_new_tokens = 200, .sampling = {.temperature = 0.0F}, .ignore_eos = true});
    EXPECT_EQ(found.prompt_tokens, greedy["tokens"].get<std::vector<TokenId>>());
    EXPECT_EQ(found.tokens, greedy["continuation"].get<std::vector<TokenId>>()) << greedy["prompt"];
  }
}

}  // namespace
}  // namespace trine::test
