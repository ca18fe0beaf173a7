// SPDX-License-Identifier: Apache-2.0
// The definitions of generate/text_stream.hpp.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <trine/core/error.hpp>
#include <trine/core/not_finite.hpp>
#include <trine/generate/logits_processor.hpp>
#include <trine/generate/logprobs.hpp>
#include <trine/generate/sampler.hpp>
#include <trine/generate/session.hpp>
#include <trine/generate/stop_conditions.hpp>
#include <trine/generate/text_stream.hpp>
#include <trine/model/model.hpp>
#include <trine/text/tokenizer/detokenizer.hpp>
#include <trine/text/tokenizer/tokenizer.hpp>

namespace trine::inline TRINE_ABI {

namespace detail {

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

}  // namespace detail

TRINE_DECL void truncate_or_postpone(Session& session, std::size_t length) {
  const std::vector<TokenId> kept(session.tokens().begin(),
                                  session.tokens().begin() + static_cast<std::ptrdiff_t>(length));
  const std::size_t held = session.rewind_position(length);
  const std::span<const TokenId> lost = std::span(kept).subspan(held);
  const bool has_embeddings = std::ranges::find(lost, kNoTokenId) != lost.end();
  session.truncate(has_embeddings ? length : held);  // which says that embeddings are not kept
  session.append(lost);
}

// A generation that is under way.
struct TextStream::State {
  State(Session& session, Tokenizer tokenizer, std::vector<TokenId> prompt, GenerateOptions options)
      : session_(&session),
        tokenizer_(std::move(tokenizer)),
        options_(std::move(options)),
        vocab_size_(std::min(tokenizer_.vocab_size(), session.model().info().vocab_size)),
        sampler_(options_.sampling),
        detokenizer_(tokenizer_),
        conditions_(stop_options()) {
    if (session.model().info().output != OutputKind::language_model)
      throw InputError("generate: this model has no language model head", {ErrorKind::unsupported});
    if (!options_.logit_bias.empty()) processors_.push_back(logit_bias_processor(options_.logit_bias, vocab_size_));
    processors_.insert(processors_.end(), options_.logits_processors.begin(), options_.logits_processors.end());
    result_.prompt_tokens = std::move(prompt);
  }

  [[nodiscard]] std::optional<std::string> next() {
    while (!flushed_) {
      const Clock::time_point start = Clock::now();
      std::string piece = ended_ ? flush() : advance(start);
      seconds_ += seconds_since(start);
      result_.decode_seconds = seconds_ - result_.prefill_seconds;
      result_.text += piece;
      if (!piece.empty()) return piece;
    }
    return std::nullopt;
  }

  [[nodiscard]] GenerateResult take_result() {
    if (!ended_) end(FinishReason::cancelled);
    while (next()) {
    }
    return std::move(result_);
  }

  using Clock = std::chrono::steady_clock;

  [[nodiscard]] StopOptions stop_options() const {
    StopOptions stop;
    stop.max_new_tokens = options_.max_new_tokens;
    stop.stop_strings = options_.stop_strings;
    stop.hidden_tokens = detail::special_tokens_in(options_.stop_strings, tokenizer_);
    if (!options_.ignore_eos) {
      const std::span<const TokenId> known = tokenizer_.eos_token_ids();
      stop.eos_token_ids =
          options_.eos_token_ids.empty() ? std::vector(known.begin(), known.end()) : options_.eos_token_ids;
    }
    return stop;
  }

  // One token, and the text that is certain then.
  std::string advance(Clock::time_point start) {
    const bool is_first = !std::exchange(prompt_was_read_, true);
    const std::optional<View<const float, 2>> logits = is_first ? prefill(start) : forward({});
    if (!logits) return end(FinishReason::cancelled);
    if (options_.max_new_tokens == 0) return end(FinishReason::length);

    const TokenId token = sample(logits->row(0).first(vocab_size_));
    if (is_first) result_.time_to_first_token_seconds = seconds_since(start);
    session_->append(std::span(&token, 1));
    result_.tokens.push_back(token);
    StopConditions::Step step = conditions_.push(token, detokenizer_.push(token));
    if (step.reason) {
      end(*step.reason);
    } else if (session_->position() == session_->context_length()) {
      end(FinishReason::context_full);
    }
    return std::move(step.text);
  }

  [[nodiscard]] std::optional<View<const float, 2>> prefill(Clock::time_point start) {
    if (options_.cancel.stop_possible()) before_.assign(session_->tokens().begin(), session_->tokens().end());
    result_.cached_tokens = session_->position();
    const std::optional<View<const float, 2>> logits = forward(result_.prompt_tokens);
    result_.prefill_tokens = session_->position() - std::min(session_->position(), result_.cached_tokens);
    result_.prefill_seconds = seconds_since(start);
    return logits;
  }

  // Logits [1, vocab]; nullopt when it was cancelled.
  [[nodiscard]] std::optional<View<const float, 2>> forward(std::span<const TokenId> tokens) {
    if (options_.cancel.stop_requested()) {
      session_->append(tokens);
      return std::nullopt;
    }
    try {
      return session_->forward(tokens, OutputRows::last, options_.cancel);
    } catch (const CancelledError&) {
      std::vector<TokenId> all = std::move(before_);
      all.insert(all.end(), result_.prompt_tokens.begin(), result_.prompt_tokens.end());
      all.insert(all.end(), result_.tokens.begin(), result_.tokens.end());
      // One at least waits, also where all were computed and only the logits are missing.
      truncate_or_postpone(*session_, std::min(session_->position(), all.size() - 1));
      session_->append(std::span(all).subspan(session_->tokens().size()));
      return std::nullopt;
    }
  }

  // logits: [vocab_size_]. Models have more rows than tokens; the rows behind stand for nothing.
  [[nodiscard]] TokenId sample(std::span<const float> logits) {
    const std::size_t not_finite = count_not_finite(logits);
    if (not_finite == logits.size())
      throw NumericError("position " + std::to_string(session_->position() - 1) +
                         ": expected finite logits, found none among those of " + std::to_string(not_finite) +
                         " tokens");
    result_.non_finite_logits += not_finite;
    const TokenId token = sampler_.sample(processed(logits), session_->tokens());
    if (options_.logprobs || options_.top_logprobs > 0)
      result_.logprobs.push_back(token_logprobs(logits, token, options_.top_logprobs));
    return token;
  }

  [[nodiscard]] std::span<const float> processed(std::span<const float> logits) {
    if (processors_.empty()) return logits;
    processed_.assign(logits.begin(), logits.end());
    for (const LogitsProcessor& process : processors_) process(processed_, session_->tokens());
    constexpr float kForbidden = -std::numeric_limits<float>::infinity();
    if (std::ranges::none_of(processed_, [](float logit) { return logit > kForbidden; }))
      throw InputError("logits processors: expected a token that may follow, found all " +
                       std::to_string(processed_.size()) + " forbidden");
    return processed_;
  }

  // The end: what was held back.
  std::string flush() {
    flushed_ = true;
    if (result_.reason == FinishReason::stop_string) return {};
    StopConditions::Step rest = conditions_.flush(detokenizer_.flush());
    result_.reason = rest.reason.value_or(result_.reason);
    return std::move(rest.text);
  }

  std::string end(FinishReason reason) {
    result_.reason = reason;
    ended_ = true;
    return {};
  }

  [[nodiscard]] static double seconds_since(Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
  }

  Session* session_;
  Tokenizer tokenizer_;
  GenerateOptions options_;
  std::size_t vocab_size_;  // tokens that exist
  Sampler sampler_;
  Detokenizer detokenizer_;
  StopConditions conditions_;
  std::vector<LogitsProcessor> processors_;
  std::vector<float> processed_;  // [vocab_size_], kept for its memory
  std::vector<TokenId> before_;   // what the session held; only where it may be cancelled
  GenerateResult result_;
  double seconds_ = 0.0;  // in next()
  bool prompt_was_read_ = false;
  bool ended_ = false;
  bool flushed_ = false;
};

TRINE_DECL TextStream::TextStream(Session& session, Tokenizer tokenizer, std::vector<TokenId> prompt,
                                  GenerateOptions options)
    : state_(std::make_unique<State>(session, std::move(tokenizer), std::move(prompt), std::move(options))) {}

TRINE_DECL TextStream::TextStream(Session& session, const Tokenizer& tokenizer, std::string_view prompt,
                                  GenerateOptions options)
    : TextStream(session, tokenizer, tokenizer.encode(prompt), std::move(options)) {}

TRINE_DECL TextStream::TextStream(TextStream&&) noexcept = default;
TRINE_DECL TextStream& TextStream::operator=(TextStream&&) noexcept = default;
TRINE_DECL TextStream::~TextStream() = default;

TRINE_DECL std::optional<std::string> TextStream::next() { return state_->next(); }

TRINE_DECL const GenerateResult& TextStream::result() const noexcept { return state_->result_; }

TRINE_DECL GenerateResult TextStream::take_result() { return state_->take_result(); }

}  // namespace trine::inline TRINE_ABI
