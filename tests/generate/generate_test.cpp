// SPDX-License-Identifier: Apache-2.0
#include <trine/generate/generate.hpp>
#include <trine/generate/sampler.hpp>

#include <algorithm>
#include <filesystem>
#include <limits>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include <gmock/gmock.h>

#include "model/random_model.hpp"
#include "support/expect_error.hpp"
#include "text/tiny_tokenizer.hpp"

namespace trine {
namespace {

using test::RandomModel;

constexpr TokenId kEnd = 258;  // behind 256 bytes and two merges

// Tokens are bytes, so a model with random weights writes much that is no UTF-8.
class Generate : public testing::Test {
 protected:
  static Json config() {
    return Json::parse(R"({"model_type": "trine", "vocab_size": 259, "hidden_size": 32, "num_hidden_layers": 2,
      "max_position_embeddings": 8192, "tie_word_embeddings": false,
      "attention": {"kind": "3d", "head_dim": 8, "frame_size": 16,
        "spatial": {"num_heads": 2, "num_kv_heads": 1, "lookback": 1},
        "temporal": {"num_heads": 2, "num_kv_heads": 1, "pattern": "summary"}},
      "moe": {"num_experts": 4, "intermediate_size": 16,
        "router": {"kind": "attention", "key_dim": 8, "score": "sigmoid", "choice": {"kind": "top_k", "k": 2}}},
      "input": {"kind": "tokens"}, "output": {"kind": "language_model"}})");
  }
  static Tokenizer make_tokenizer() {
    Json document = test::tiny_tokenizer();
    document["added_tokens"] = Json::array({test::added_token(kEnd, "</s>", true)});
    return test::make_tokenizer(document);
  }
  // Every token has a chance; `max_new_tokens` of them, whatever they are.
  static GenerateOptions options(std::size_t max_new_tokens, std::uint64_t seed = 1) {
    GenerateOptions result;
    result.max_new_tokens = max_new_tokens;
    result.sampling = {.temperature = 1.0F, .top_k = 0, .top_p = 1.0F, .min_p = 0.0F, .seed = seed};
    result.ignore_eos = true;
    return result;
  }

  const RandomModel files_{config(), 1};
  const Model model_ = Model::load(files_.path());
  const Tokenizer tokenizer_ = make_tokenizer();
};

// Published models have more rows than their tokenizer has tokens.
TEST_F(Generate, NeverSamplesARowWithoutAToken) {
  Json padded = config();
  padded["vocab_size"] = 700U;
  const RandomModel files(padded, 1);
  Session session(Model::load(files.path()));
  for (const TokenId id : generate(session, tokenizer_, "abcd", options(300)).tokens) EXPECT_LE(id, kEnd);
}

TEST_F(Generate, SamplesTokenAfterToken) {
  Session session(model_);
  const GenerateResult result = generate(session, tokenizer_, "abcd", options(50));
  EXPECT_EQ(result.prompt_tokens, tokenizer_.encode("abcd"));
  EXPECT_EQ(result.reason, FinishReason::length);
  EXPECT_EQ(session.position(), result.prompt_tokens.size() + 49) << "the last one waits";
  EXPECT_EQ(session.tokens().back(), result.tokens.back());

  Session by_hand(model_);
  Sampler sampler(options(50).sampling);
  std::vector<TokenId> history = result.prompt_tokens;
  std::vector<TokenId> tokens;
  View<const float, 2> logits = by_hand.forward(history);
  while (tokens.size() < 50) {
    tokens.push_back(sampler.sample(logits.row(0), history));
    history.push_back(tokens.back());
    logits = by_hand.forward(std::span(tokens).last(1));
  }
  EXPECT_EQ(result.tokens, tokens);
  EXPECT_EQ(result.text, tokenizer_.decode(tokens));
}

TEST_F(Generate, ShowsWholeCharactersWhichAreTheTextTogether) {
  Session session(model_);
  std::string shown;
  const auto on_text = [&](std::string_view piece) {
    EXPECT_FALSE(piece.empty());
    EXPECT_TRUE(is_valid_utf8(piece));
    shown += piece;
    return true;
  };
  const GenerateResult result = generate(session, tokenizer_, "a", options(400), on_text);
  EXPECT_EQ(shown, result.text);
  EXPECT_THAT(shown, testing::HasSubstr("\xEF\xBF\xBD")) << "some bytes made no character";
}

TEST_F(Generate, RepeatsATextWithItsSeedOnAnyNumberOfThreads) {
  const auto tokens = [&](std::uint64_t seed, std::size_t threads) {
    Session session(model_, {.num_threads = threads});
    return generate(session, tokenizer_, "abc", options(60, seed)).tokens;
  };
  const std::vector<TokenId> expected = tokens(5, 1);
  for (const std::size_t threads : {1U, 2U, 3U, 8U}) EXPECT_EQ(tokens(5, threads), expected) << threads << " threads";
  EXPECT_NE(tokens(6, 1), expected);
}

TEST_F(Generate, EndsWhenTheCallbackSaysSo) {
  Session session(model_);
  std::string shown;
  const auto until_five = [&](std::string_view piece) {
    EXPECT_LT(shown.size(), 5U) << "called again after it said no";
    shown += piece;
    return shown.size() < 5;
  };
  const GenerateResult result = generate(session, tokenizer_, "abc", options(1000), until_five);
  EXPECT_GE(shown.size(), 5U);
  EXPECT_LT(result.tokens.size(), 1000U);
  EXPECT_EQ(result.reason, FinishReason::cancelled);
}

TEST_F(Generate, EndsAtTheEndTokenUnlessItIsToIgnoreIt) {
  GenerateOptions until_the_end = options(8000);  // one of 259 tokens
  until_the_end.ignore_eos = false;
  Session session(model_);
  const GenerateResult ended = generate(session, tokenizer_, "a", until_the_end);
  ASSERT_EQ(ended.reason, FinishReason::eos);
  EXPECT_EQ(ended.tokens.back(), kEnd);
  EXPECT_THAT(ended.text, testing::Not(testing::HasSubstr("</s>")));

  session.reset();
  const GenerateResult all = generate(session, tokenizer_, "a", options(ended.tokens.size() + 10));
  EXPECT_EQ(all.reason, FinishReason::length);
  ASSERT_EQ(all.tokens.size(), ended.tokens.size() + 10);
  EXPECT_TRUE(std::equal(ended.tokens.begin(), ended.tokens.end(), all.tokens.begin()));
}

TEST_F(Generate, EndsBeforeAStopStringAndShowsNothingOfIt) {
  Session session(model_);
  const std::string whole = generate(session, tokenizer_, "abc", options(80)).text;
  const std::size_t place = whole.find_first_not_of("\xEF\xBF\xBD", whole.size() / 2);
  ASSERT_LT(place, whole.size());
  const std::string stop(1, whole[place]);
  GenerateOptions stopping = options(80);
  stopping.stop_strings = {"there is no such text", stop};
  session.reset();
  std::string shown;
  const GenerateResult result = generate(session, tokenizer_, "abc", stopping, [&](std::string_view piece) {
    shown += piece;
    return true;
  });
  EXPECT_EQ(result.reason, FinishReason::stop_string);
  EXPECT_EQ(result.text, whole.substr(0, whole.find(stop)));
  EXPECT_EQ(shown, result.text);
}

TEST_F(Generate, EndsAtASpecialTokenThatAStopStringNames) {
  Session session(model_);
  const GenerateResult whole = generate(session, tokenizer_, "a", options(8000));
  const auto end = std::ranges::find(whole.tokens, kEnd);
  ASSERT_LT(end, whole.tokens.end());
  GenerateOptions stopping = options(8000);
  stopping.stop_strings = {"there is no such text", "</s>"};
  session.reset();
  const GenerateResult result = generate(session, tokenizer_, "a", stopping);
  EXPECT_EQ(result.reason, FinishReason::stop_string);
  EXPECT_EQ(result.tokens, std::vector<TokenId>(whole.tokens.begin(), end + 1));
  EXPECT_EQ(result.text, tokenizer_.decode(result.tokens));
}

TEST_F(Generate, EndsWhenTheContextIsFull) {
  Session session(model_, {.context_length = 20});
  const GenerateResult result = generate(session, tokenizer_, "0123456789", options(1000));
  EXPECT_EQ(result.reason, FinishReason::context_full);
  EXPECT_EQ(result.tokens.size(), 11U) << "ten fill the context, and one more is sampled from the last of them";
  EXPECT_EQ(session.position(), 20U);
}

// Models of which some numbers are NaN. "abcd" is two tokens.
class GenerateFromNan : public Generate {
 protected:
  // Rows [first, first + count) of a tensor with rows of 32.
  static Model load(const Json& config, const std::string& tensor, std::size_t first, std::size_t count) {
    RandomModel files(config, 1);
    std::fill_n(files.tensor(tensor).begin() + static_cast<std::ptrdiff_t>(first * 32), count * 32,
                std::numeric_limits<float>::quiet_NaN());
    files.write();
    LoadOptions options;
    options.access = FileAccess::read;
    return Model::load(files.path(), options);
  }
};

TEST_F(GenerateFromNan, FailsWhereNoLogitIsFinite) {
  Session session(load(config(), "lm_head.weight", 0, 259));
  EXPECT_ERROR(generate(session, tokenizer_, "abcd", options(5)), NumericError,
               "position 1: expected finite outputs, found none among 259");
  EXPECT_ERROR(generate(session, tokenizer_, "a", options(5)), InputError, "call truncate() or reset() first");
}

TEST_F(GenerateFromNan, CountsTheLogitsThatAreNotFinite) {
  Session session(load(config(), "lm_head.weight", 255, 4));
  const GenerateResult result = generate(session, tokenizer_, "abcd", options(5));
  EXPECT_EQ(result.non_finite_logits, 4U * 5U);
  for (const TokenId id : result.tokens) EXPECT_LT(id, 255U);
  Session sound(model_);
  EXPECT_EQ(generate(sound, tokenizer_, "abcd", options(5)).non_finite_logits, 0U);
}

// Rows behind the vocabulary stand for nothing.
TEST_F(GenerateFromNan, FailsWhereOnlyRowsWithoutATokenAreFinite) {
  Json padded = config();
  padded["vocab_size"] = 300U;
  Session session(load(padded, "lm_head.weight", 0, 259));
  EXPECT_ERROR(generate(session, tokenizer_, "abcd", options(5)), NumericError,
               "position 1: expected finite logits, found none among those of 259 tokens");
}

TEST_F(Generate, OnlyReadsThePromptWhenNoTokensAreAskedFor) {
  Session session(model_);
  const GenerateResult result = generate(session, tokenizer_, "0123456789", options(0));
  EXPECT_EQ(result.reason, FinishReason::length);
  EXPECT_TRUE(result.text.empty() && result.tokens.empty());
  EXPECT_EQ(session.position(), 10U);
}

TEST_F(Generate, IsCancelledByItsStopToken) {
  Session session(model_);
  std::stop_source stop;
  GenerateOptions cancelled = options(1000);
  cancelled.cancel = stop.get_token();
  std::size_t pieces = 0;
  const auto stop_at_the_third = [&](std::string_view) {
    if (++pieces == 3) stop.request_stop();
    return true;
  };
  const GenerateResult result = generate(session, tokenizer_, "abc", cancelled, stop_at_the_third);
  EXPECT_EQ(result.reason, FinishReason::cancelled);
  EXPECT_LE(pieces, 4U) << "the last one may be what was held back";
  EXPECT_EQ(session.tokens().size(), result.prompt_tokens.size() + result.tokens.size());
  EXPECT_EQ(generate(session, tokenizer_, "abc", options(1)).tokens.size(), 1U);
}

TEST_F(Generate, ContinuesTheTextOfItsSession) {
  Session session(model_);
  const GenerateResult first = generate(session, tokenizer_, "abc", options(20));
  const GenerateResult second = generate(session, tokenizer_, "xyz", options(20));
  EXPECT_EQ(second.cached_tokens, first.prompt_tokens.size() + 19);
  EXPECT_EQ(second.prefill_tokens, 1 + second.prompt_tokens.size()) << "the last token waited";

  Session other(model_);
  std::vector<TokenId> before = first.prompt_tokens;
  before.insert(before.end(), first.tokens.begin(), first.tokens.end());
  other.forward(before);
  EXPECT_EQ(generate(other, tokenizer_, "xyz", options(20)).tokens, second.tokens);
}

TEST_F(Generate, RefusesWhatItCannotDoAndLeavesTheSessionAsItWas) {
  Session session(model_);
  EXPECT_ERROR(generate(session, tokenizer_, "", options(1)), InputError, "expected at least one token");
  GenerateOptions cold = options(1);
  cold.sampling.temperature = -1.0F;
  EXPECT_ERROR(generate(session, tokenizer_, "a", cold), InputError, "temperature: expected a finite number");
  GenerateOptions endless = options(1);
  endless.stop_strings = {""};
  EXPECT_ERROR(generate(session, tokenizer_, "a", endless), InputError, "stop string: expected valid UTF-8");
  GenerateOptions biased = options(1);
  biased.logit_bias = {{kEnd + 1, 1.0F}};
  EXPECT_ERROR(generate(session, tokenizer_, "a", biased), InputError, "logit_bias: expected token ids below 259");
  EXPECT_EQ(session.position(), 0U);
  Session classifier(Model::load(std::filesystem::path(TRINE_TEST_DATA) / "tokens_classification"));
  EXPECT_ERROR(generate(classifier, tokenizer_, "a", options(1)), InputError,
               "generate: this model has no language model head");
}

}  // namespace
}  // namespace trine
