// SPDX-License-Identifier: Apache-2.0
// From a prompt to a text: encode, prefill, then sample, decode and show token after token.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <functional>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <trine/generate/sampler.hpp>
#include <trine/generate/session.hpp>
#include <trine/generate/stop_conditions.hpp>
#include <trine/text/detokenizer.hpp>

namespace trine::inline TRINE_ABI {

struct GenerateOptions {
  std::size_t max_tokens = 256;  // at most; fewer when the context ends first
  SamplingOptions sampling = {};
  std::vector<std::string> stop_strings = {};  // the text ends before the first of them; they may name special tokens
  std::vector<TokenId> end_tokens = {};        // end the text; empty: what the tokenizer knows to end one
  bool ignore_end_token = false;               // go on after the model has ended the text
  std::stop_token stop = {};                   // ends within one layer with CancelledError; the session needs a reset
  std::stop_token finish = {};  // ends after the token that is being made (reason `cancelled`), and the session can
                                // go on; while the prompt is read, it is as `stop` if that is not given
};

struct GenerateResult {
  std::string text;
  std::vector<TokenId> prompt_tokens;
  std::vector<TokenId> tokens;  // sampled
  FinishReason reason = FinishReason::cancelled;
  std::size_t non_finite_logits = 0;  // of those that were sampled from: should be none
  double prefill_seconds = 0.0;
  double decode_seconds = 0.0;
};

/// Takes each piece of text as it becomes certain, always whole UTF-8 characters; false ends the generation (reason
/// `cancelled`).
using TextCallback = std::function<bool(std::string_view piece)>;

/// The special tokens, which a text does not show, whose names occur in `strings`.
[[nodiscard]] inline std::vector<HiddenToken> special_tokens_in(std::span<const std::string> strings,
                                                                const Tokenizer& tokenizer) {
  constexpr std::size_t kLongest = 256;  // bytes of a name
  std::vector<HiddenToken> result;
  for (const std::string& text : strings) {
    for (std::size_t begin = 0; begin < text.size(); ++begin) {
      for (std::size_t size = 1; size <= std::min(kLongest, text.size() - begin); ++size) {
        const std::string_view name = std::string_view(text).substr(begin, size);
        const std::optional<TokenId> id = tokenizer.id_of(name);
        if (id && tokenizer.is_special(*id)) result.push_back({*id, std::string(name)});
      }
    }
  }
  return result;
}

/// Goes on with `session` by the tokens of the prompt and then by what is sampled. The same seed gives the same text,
/// on any number of threads. `before` are the tokens that the session has read already, which count for the repeat
/// penalty. Throws what Session::forward throws, NumericError also where no logit of a token is finite; InputError when
/// the prompt has no tokens or an option is out of range.
/// The last token sampled is in the result but not in the session: to go on with the same text, forward it first.
inline GenerateResult generate_from_tokens(Session& session, const Tokenizer& tokenizer, std::vector<TokenId> prompt,
                                           const GenerateOptions& options = {}, const TextCallback& on_text = {},
                                           std::span<const TokenId> before = {}) {
  using Clock = std::chrono::steady_clock;
  const auto seconds_since = [](Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
  };
  if (session.model().info().output != OutputKind::language_model)
    throw InputError("generate: this model has no language model head", {ErrorKind::unsupported});

  GenerateResult result;
  result.prompt_tokens = std::move(prompt);
  Sampler sampler(options.sampling);
  Detokenizer detokenizer(tokenizer);
  StopOptions stop_options;
  stop_options.max_tokens = options.max_tokens;
  stop_options.stop_strings = options.stop_strings;
  stop_options.hidden_tokens = special_tokens_in(options.stop_strings, tokenizer);
  if (!options.ignore_end_token) {
    const std::span<const TokenId> known = tokenizer.end_of_text_ids();
    stop_options.end_tokens = options.end_tokens.empty() ? std::vector(known.begin(), known.end()) : options.end_tokens;
  }
  StopConditions conditions(std::move(stop_options));
  std::vector<TokenId> history(before.begin(), before.end());
  history.insert(history.end(), result.prompt_tokens.begin(), result.prompt_tokens.end());
  bool wanted = true;
  const auto show = [&](const std::string& piece) {
    result.text += piece;
    if (wanted && on_text && !piece.empty()) wanted = on_text(piece);
  };

  auto start = Clock::now();
  View<const float, 2> logits = session.forward(result.prompt_tokens, OutputRows::last,
                                                options.stop.stop_possible() ? options.stop : options.finish);
  result.prefill_seconds = seconds_since(start);
  if (options.max_tokens == 0) result.reason = FinishReason::length;
  start = Clock::now();
  while (wanted && !options.finish.stop_requested() && result.tokens.size() < options.max_tokens) {
    // Models have more rows than tokens; the rows behind stand for nothing.
    const std::span<const float> known = logits.row(0).first(std::min(tokenizer.vocab_size(), logits.extent(1)));
    const std::size_t not_finite = count_not_finite(known);
    if (not_finite == known.size())
      throw NumericError("position " + std::to_string(session.position() - 1) +
                         ": expected finite logits, found none among those of " + std::to_string(not_finite) +
                         " tokens");
    result.non_finite_logits += not_finite;
    const TokenId next = sampler.sample(known, history);
    history.push_back(next);
    result.tokens.push_back(next);
    const StopConditions::Step step = conditions.push(next, detokenizer.push(next));
    show(step.text);
    if (step.reason) result.reason = *step.reason;
    if (step.reason || !wanted) break;
    if (session.position() == session.context()) {
      result.reason = FinishReason::context_full;
      break;
    }
    logits = session.forward(std::span(&next, 1), OutputRows::last, options.stop);
  }
  if (result.reason != FinishReason::stop_string) {
    const StopConditions::Step rest = conditions.flush(detokenizer.flush());
    show(rest.text);
    result.reason = rest.reason.value_or(result.reason);
  }
  result.decode_seconds = seconds_since(start);
  return result;
}

/// The same for a prompt that is text, encoded with what the model expects around it.
inline GenerateResult generate(Session& session, const Tokenizer& tokenizer, std::string_view prompt,
                               const GenerateOptions& options = {}, const TextCallback& on_text = {}) {
  return generate_from_tokens(session, tokenizer, tokenizer.encode(prompt), options, on_text);
}

}  // namespace trine::inline TRINE_ABI
