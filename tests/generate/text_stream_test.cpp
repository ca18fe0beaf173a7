// SPDX-License-Identifier: Apache-2.0
#include <trine/generate/text_stream.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include <gmock/gmock.h>

#include <trine/generate/generate.hpp>

#include "generate/bundled_models.hpp"
#include "support/expect_error.hpp"

namespace trine::test {
namespace {

constexpr float kForbidden = -std::numeric_limits<float>::infinity();

class TextStreamOf : public testing::TestWithParam<std::string> {
 protected:
  static GenerateOptions options(std::size_t max_new_tokens, float temperature = 1.0F) {
    GenerateOptions result;
    result.max_new_tokens = max_new_tokens;
    result.sampling = {.temperature = temperature, .top_k = 0, .top_p = 1.0F, .min_p = 0.0F, .seed = 3};
    result.ignore_eos = true;
    return result;
  }
  static std::vector<TokenId> joined(std::vector<TokenId> a, std::span<const TokenId> b) {
    a.insert(a.end(), b.begin(), b.end());
    return a;
  }
  // The session holds `expected`, and its next logits are those of a new session that reads them.
  void expect_sequence(Session& session, const std::vector<TokenId>& expected, const std::string& where) const {
    ASSERT_TRUE(std::ranges::equal(session.tokens(), expected)) << where;
    Session continued = session.fork();
    const std::vector<TokenId> more{1, 2, 3};
    EXPECT_EQ(bits_of(continued.forward(more).span()), bundled_.next_logits(joined(expected, more))) << where;
  }

  const BundledModel bundled_{GetParam()};
  const std::string prompt_ = "ROMEO:\nWhat light";
};
INSTANTIATE_TEST_SUITE_P(All, TextStreamOf, testing::ValuesIn(bundled_models()), [](const auto& parameter) {
  return parameter.param == "shakespeare" ? "Trine" : "DeepseekV3";
});

TEST_P(TextStreamOf, GivesThePiecesOfTheCallback) {
  GenerateOptions stopping = options(60);
  stopping.stop_strings = {"e"};
  for (const GenerateOptions& how : {options(60), options(0), stopping}) {
    Session first = bundled_.session();
    std::vector<std::string> shown;
    const GenerateResult expected = generate(first, bundled_.tokenizer, prompt_, how, [&](std::string_view piece) {
      shown.emplace_back(piece);
      return true;
    });
    Session second = bundled_.session();
    TextStream stream(second, bundled_.tokenizer, prompt_, how);
    std::vector<std::string> pieces;
    while (const auto piece = stream.next()) {
      pieces.push_back(*piece);
      const GenerateResult& so_far = stream.result();
      EXPECT_TRUE(std::ranges::equal(second.tokens(), joined(so_far.prompt_tokens, so_far.tokens)));
    }
    EXPECT_EQ(stream.next(), std::nullopt);
    EXPECT_EQ(pieces, shown);
    EXPECT_EQ(stream.result().text, expected.text);
    EXPECT_EQ(stream.result().tokens, expected.tokens);
    EXPECT_EQ(stream.result().reason, expected.reason);
    EXPECT_EQ(std::accumulate(pieces.begin(), pieces.end(), std::string()), expected.text);
  }
}

// However a generation ends, the session holds what was read and all that was given out.
TEST_P(TextStreamOf, LeavesAllTokensInTheSession) {
  const std::vector<TokenId> prompt = bundled_.tokenizer.encode(prompt_);
  const GenerateResult long_text = [&] {
    Session session = bundled_.session();
    return generate(session, bundled_.tokenizer, prompt_, options(12));
  }();
  const auto expect = [&](FinishReason reason, const GenerateOptions& how, const TextCallback& on_text = {}) {
    Session session = bundled_.session();
    const GenerateResult result = generate(session, bundled_.tokenizer, prompt_, how, on_text);
    EXPECT_EQ(result.reason, reason) << to_string(reason);
    ASSERT_FALSE(result.tokens.empty());
    EXPECT_EQ(session.tokens().back(), result.tokens.back());
    EXPECT_EQ(session.position() + 1, session.tokens().size()) << "the last one cost no pass";
    expect_sequence(session, joined(prompt, result.tokens), std::string(to_string(reason)));
  };
  expect(FinishReason::length, options(12));
  GenerateOptions ending = options(12);
  ending.ignore_eos = false;
  ending.eos_token_ids = {long_text.tokens[5]};
  expect(FinishReason::eos, ending);
  GenerateOptions stopping = options(12);
  stopping.stop_strings = {long_text.text.substr(3, 2)};
  expect(FinishReason::stop_string, stopping);
  expect(FinishReason::cancelled, options(12), [](std::string_view) { return false; });
}

TEST_P(TextStreamOf, LeavesTheTokenInTheSessionThatTheContextHasNoRoomFor) {
  Session session = bundled_.session({.context_length = 20});
  const GenerateResult result = generate(session, bundled_.tokenizer, prompt_, options(100));
  EXPECT_EQ(result.reason, FinishReason::context_full);
  EXPECT_EQ(session.position(), 20U);
  EXPECT_TRUE(std::ranges::equal(session.tokens(), joined(result.prompt_tokens, result.tokens)));
  EXPECT_EQ(session.tokens().size(), 21U);
  EXPECT_ERROR(session.forward({}), CapacityError, "the sequence is 1 positions too long");
}

TEST_P(TextStreamOf, ContinuesWithoutAPrompt) {
  Session whole = bundled_.session();
  const GenerateResult expected = generate(whole, bundled_.tokenizer, prompt_, options(30, 0.0F));
  Session session = bundled_.session();
  const GenerateResult first = generate(session, bundled_.tokenizer, prompt_, options(13, 0.0F));
  const GenerateResult second = generate_from_tokens(session, bundled_.tokenizer, {}, options(17, 0.0F));
  EXPECT_EQ(joined(first.tokens, second.tokens), expected.tokens);
  EXPECT_EQ(second.prefill_tokens, 1U);
  EXPECT_EQ(second.cached_tokens, session.position() - 17);
}

// In the middle of a pass: of a prompt in pieces, of a token, at the end of a frame, whose cache the next one
// overwrites.
TEST_P(TextStreamOf, IsCancelledAnywhereAndKeepsTheSequence) {
  std::string long_prompt;
  while (bundled_.tokenizer.encode(long_prompt).size() < 60) long_prompt += prompt_ + "\n";
  const std::vector<TokenId> prompt = bundled_.tokenizer.encode(long_prompt);
  std::size_t in_the_prompt = 0;
  std::size_t in_the_text = 0;
  for (std::size_t at = 1; at < 70; at += 1 + at / 9) {
    StopAtRouting stop(at);
    Session session = bundled_.session({.prefill_chunk = 16, .observer = borrow(stop)});
    GenerateOptions cancelled = options(1000, 0.0F);
    cancelled.cancel = stop.token();
    const GenerateResult result = generate(session, bundled_.tokenizer, long_prompt, cancelled);
    EXPECT_EQ(result.reason, FinishReason::cancelled) << at;
    ++(result.tokens.empty() ? in_the_prompt : in_the_text);
    EXPECT_LT(session.position(), session.tokens().size()) << "no pass was made up for";
    expect_sequence(session, joined(prompt, result.tokens), "cancelled at " + std::to_string(at));

    Session whole = bundled_.session({.prefill_chunk = 16});
    const GenerateResult all =
        generate(whole, bundled_.tokenizer, long_prompt, options(result.tokens.size() + 3, 0.0F));
    const GenerateResult rest = generate_from_tokens(session, bundled_.tokenizer, {}, options(3, 0.0F));
    EXPECT_EQ(joined(result.tokens, rest.tokens), all.tokens) << at;
  }
  EXPECT_GT(in_the_prompt, 3U);
  EXPECT_GT(in_the_text, 3U);
}

TEST_P(TextStreamOf, ReadsNothingWhenItWasCancelledBefore) {
  std::stop_source stop;
  stop.request_stop();
  GenerateOptions cancelled = options(10);
  cancelled.cancel = stop.get_token();
  Session session = bundled_.session();
  const GenerateResult result = generate(session, bundled_.tokenizer, prompt_, cancelled);
  EXPECT_EQ(result.reason, FinishReason::cancelled);
  EXPECT_TRUE(result.text.empty() && result.tokens.empty());
  EXPECT_EQ(session.position(), 0U);
  expect_sequence(session, result.prompt_tokens, "the prompt waits");
}

TEST_P(TextStreamOf, MayBeAbandoned) {
  Session session = bundled_.session();
  std::vector<TokenId> tokens;
  {
    TextStream stream(session, bundled_.tokenizer, prompt_, options(100));
    for (int i = 0; i < 4; ++i) ASSERT_NE(stream.next(), std::nullopt);
    tokens = joined(stream.result().prompt_tokens, stream.result().tokens);
  }
  expect_sequence(session, tokens, "abandoned");
}

TEST_P(TextStreamOf, ShowsProcessorsAllTokensSoFar) {
  Session session = bundled_.session();
  const std::vector<TokenId> before = bundled_.tokenizer.encode("JULIET:\n");
  session.forward(before);
  std::vector<std::vector<TokenId>> histories;
  GenerateOptions watched = options(9);
  watched.logits_processors = {[&](std::span<float> logits, std::span<const TokenId> history) {
    EXPECT_EQ(logits.size(), bundled_.tokenizer.vocab_size());
    histories.emplace_back(history.begin(), history.end());
  }};
  const GenerateResult result = generate(session, bundled_.tokenizer, prompt_, watched);
  ASSERT_EQ(histories.size(), 9U);
  for (std::size_t i = 0; i < histories.size(); ++i)
    EXPECT_EQ(histories[i], joined(joined(before, result.prompt_tokens), std::span(result.tokens).first(i))) << i;
}

TEST_P(TextStreamOf, SamplesFromWhatProcessorsLeave) {
  // The classic use: a text of given tokens only. The second processor sees what the first one left.
  const std::vector<TokenId> allowed = bundled_.tokenizer.encode("abc");
  GenerateOptions constrained = options(20);
  constrained.logits_processors = {[&](std::span<float> logits, std::span<const TokenId>) {
                                     for (TokenId id = 0; id < logits.size(); ++id)
                                       if (std::ranges::find(allowed, id) == allowed.end()) logits[id] = kForbidden;
                                   },
                                   [&](std::span<float> logits, std::span<const TokenId>) {
                                     EXPECT_EQ(std::ranges::count(logits, kForbidden),
                                               static_cast<std::ptrdiff_t>(logits.size() - allowed.size()));
                                   }};
  Session session = bundled_.session();
  const GenerateResult result = generate(session, bundled_.tokenizer, prompt_, constrained);
  EXPECT_EQ(result.tokens.size(), 20U);
  for (const TokenId id : result.tokens) EXPECT_THAT(allowed, testing::Contains(id));
}

TEST_P(TextStreamOf, NeverSamplesATokenOfBiasMinusInfinity) {
  for (const float temperature : {0.0F, 1.0F, 100.0F}) {
    Session session = bundled_.session();
    const GenerateResult free = generate(session, bundled_.tokenizer, prompt_, options(40, temperature));
    GenerateOptions biased = options(40, temperature);
    for (const TokenId id : free.tokens) biased.logit_bias[id] = kForbidden;
    session.reset();
    for (const TokenId id : generate(session, bundled_.tokenizer, prompt_, biased).tokens)
      EXPECT_FALSE(biased.logit_bias.contains(id)) << "temperature " << temperature;
  }
}

TEST_P(TextStreamOf, SamplesTheTokenOfALargeBias) {
  GenerateOptions biased = options(5);
  biased.logit_bias = {{7, 100.0F}};
  Session session = bundled_.session();
  EXPECT_THAT(generate(session, bundled_.tokenizer, prompt_, biased).tokens, testing::ElementsAre(7, 7, 7, 7, 7));
}

TEST_P(TextStreamOf, FailsWhereAllTokensAreForbidden) {
  GenerateOptions all = options(5);
  all.logits_processors = {[](std::span<float> logits, std::span<const TokenId> history) {
    if (history.size() % 2 == 0) std::ranges::fill(logits, kForbidden);
  }};
  Session session = bundled_.session();
  EXPECT_ERROR(generate(session, bundled_.tokenizer, prompt_, all), InputError,
               "logits processors: expected a token that may follow, found all 1024 forbidden");
  const std::vector<TokenId> held(session.tokens().begin(), session.tokens().end());
  expect_sequence(session, held, "whole");
}

TEST_P(TextStreamOf, KeepsTheSessionWhenAProcessorOrTheCallbackThrows) {
  Session session = bundled_.session();
  GenerateOptions throwing = options(5);
  throwing.logits_processors = {[](std::span<float>, std::span<const TokenId>) { throw std::runtime_error("mine"); }};
  EXPECT_ERROR(generate(session, bundled_.tokenizer, prompt_, throwing), std::runtime_error, "mine");
  expect_sequence(session, bundled_.tokenizer.encode(prompt_), "a processor threw");
  const auto throws = [](std::string_view) -> bool { throw std::runtime_error("mine"); };
  EXPECT_ERROR(generate(session, bundled_.tokenizer, prompt_, options(5), throws), std::runtime_error, "mine");
  expect_sequence(session, {session.tokens().begin(), session.tokens().end()}, "the callback threw");
}

// Against a log-softmax of the logits of one pass over the whole text, in double precision.
TEST_P(TextStreamOf, ReturnsTheLogprobsOfTheModel) {
  GenerateOptions asked = options(25);
  asked.logprobs = true;
  asked.top_logprobs = 4;
  asked.logits_processors = {[](std::span<float> logits, std::span<const TokenId>) {
    *std::ranges::max_element(logits) = kForbidden;  // changes the choice, not what the model computed
  }};
  asked.sampling.temperature = 2.0F;
  Session session = bundled_.session();
  const GenerateResult result = generate(session, bundled_.tokenizer, prompt_, asked);
  ASSERT_EQ(result.logprobs.size(), 25U);
  Session replay = bundled_.session();
  const std::size_t prompt = result.prompt_tokens.size();
  const auto logits = replay.forward(joined(result.prompt_tokens, result.tokens), OutputRows::all);
  for (std::size_t i = 0; i < result.tokens.size(); ++i) {
    const std::span<const float> row = logits.row(prompt - 1 + i);
    double sum = 0.0;
    for (const float logit : row) sum += std::exp(static_cast<double>(logit));
    std::vector<double> expected;
    for (const float logit : row) expected.push_back(static_cast<double>(logit) - std::log(sum));
    const TokenLogprobs& found = result.logprobs[i];
    EXPECT_EQ(found.id, result.tokens[i]);
    EXPECT_NEAR(found.logprob, expected[found.id], 1e-9) << i;
    ASSERT_EQ(found.top_logprobs.size(), 4U);
    std::vector<double> best = expected;
    std::ranges::sort(best, std::greater());
    for (std::size_t k = 0; k < 4; ++k) {
      EXPECT_NEAR(found.top_logprobs[k].logprob, best[k], 1e-9) << i;
      EXPECT_NEAR(expected[found.top_logprobs[k].id], best[k], 1e-9) << i;
    }
  }
}

TEST_P(TextStreamOf, ReturnsLogprobsOnlyOnRequest) {
  Session session = bundled_.session();
  EXPECT_TRUE(generate(session, bundled_.tokenizer, prompt_, options(3)).logprobs.empty());
  GenerateOptions asked = options(3);
  asked.logprobs = true;
  const GenerateResult own = generate(session, bundled_.tokenizer, prompt_, asked);
  ASSERT_EQ(own.logprobs.size(), 3U);
  EXPECT_TRUE(own.logprobs[0].top_logprobs.empty());
  asked.logprobs = false;
  asked.top_logprobs = 2000;
  const GenerateResult top = generate(session, bundled_.tokenizer, prompt_, asked);
  ASSERT_EQ(top.logprobs.size(), 3U);
  EXPECT_EQ(top.logprobs[0].top_logprobs.size(), 1024U) << "there are no more";
}

TEST_P(TextStreamOf, CountsTimeAndTokens) {
  Session session = bundled_.session();
  const std::vector<TokenId> before{1, 2, 3};
  session.forward(before);
  const GenerateResult result = generate(session, bundled_.tokenizer, prompt_, options(10));
  EXPECT_EQ(result.cached_tokens, 3U);
  EXPECT_EQ(result.prefill_tokens, result.prompt_tokens.size());
  EXPECT_GT(result.prefill_seconds, 0.0);
  EXPECT_GE(result.time_to_first_token_seconds, result.prefill_seconds);
  EXPECT_LE(result.time_to_first_token_seconds, result.prefill_seconds + result.decode_seconds);
}

}  // namespace
}  // namespace trine::test
