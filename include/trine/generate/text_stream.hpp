// SPDX-License-Identifier: Apache-2.0
// From a prompt to a text, piece by piece: prefill, then sample, show and decode token after token.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <trine/core/token_id.hpp>
#include <trine/generate/finish_reason.hpp>
#include <trine/generate/generate_options.hpp>
#include <trine/generate/logprobs.hpp>
#include <trine/generate/session.hpp>
#include <trine/text/tokenizer/tokenizer.hpp>

namespace trine::inline TRINE_ABI {

/// What a generation made, why it ended, and what it cost.
struct GenerateResult {
  std::string text;                     ///< all that was shown, without a stop string
  std::vector<TokenId> prompt_tokens;   ///< the prompt, encoded
  std::vector<TokenId> tokens;          ///< sampled
  std::vector<TokenLogprobs> logprobs;  ///< of `tokens`, if requested: of the model's own logits, before any option
  FinishReason reason = FinishReason::cancelled;  ///< why it ended; `cancelled` while it runs
  std::size_t cached_tokens = 0;                  ///< positions that the session had computed before
  std::size_t prefill_tokens = 0;                 ///< positions that were computed before the first token was sampled
  std::size_t non_finite_logits = 0;              ///< of those that were sampled from: should be none
  double time_to_first_token_seconds = 0.0;       ///< from the first next() on; 0 without a token
  double prefill_seconds = 0.0;                   ///< wall-clock time of reading the prompt
  double decode_seconds = 0.0;                    ///< wall-clock time in next() after that
};

/// Cuts the sequence of `session` to its first `length` positions or tokens, also after an interruption, without a
/// pass: where caches cannot go back, as those of windows, the tokens after the last position that they hold wait for
/// the next pass (Session::append).
TRINE_DECL void truncate_or_postpone(Session& session, std::size_t length);

/// One generation, of which the program takes the next piece of text when it likes:
///   while (const auto piece = stream.next()) std::cout << *piece;
///
/// At every moment, however it ends, the session holds its tokens from before, the prompt, and all sampled tokens:
/// session.tokens(). The last of them, EOS or not, waits there for the next pass and costs nothing unless the sequence
/// continues (Session::append); when the context is full, it is the one token that has no room. The same holds after
/// `GenerateOptions::cancel`, also in the middle of a prompt, of which the rest waits then. So nothing needs to be
/// repaired: continue, or go back with Session::truncate. A generation never throws CancelledError.
///
/// Movable, not copyable. Borrows the session, which the program leaves alone until the end.
class TextStream {
 public:
  /// Computes nothing yet. Throws InputError when the model has no language model head or an option is out of range.
  TextStream(Session& session, Tokenizer tokenizer, std::vector<TokenId> prompt, GenerateOptions options = {});
  /// The same for a prompt that is text, encoded with what the model expects around it.
  TextStream(Session& session, const Tokenizer& tokenizer, std::string_view prompt, GenerateOptions options = {});
  /// Continues the generation of the other one, which must not be asked for more.
  TextStream(TextStream&& other) noexcept;
  /// The same; its own generation ends where it is.
  TextStream& operator=(TextStream&& other) noexcept;
  ~TextStream();

  /// The next piece of text as soon as it is certain, always whole UTF-8 characters; nullopt at the end. Throws what
  /// Session::forward throws but CancelledError; NumericError also where no logit of a token is finite; InputError when
  /// the processors forbid all tokens, or after a cancellation where Session::truncate cannot go back; what a processor
  /// throws.
  [[nodiscard]] std::optional<std::string> next();

  /// So far; complete when next() has returned nullopt.
  [[nodiscard]] const GenerateResult& result() const noexcept;

  /// Ends the generation, if it has not ended (reason `cancelled`). What next() had not returned is in the text.
  [[nodiscard]] GenerateResult take_result();

 private:
  struct State;

  std::unique_ptr<State> state_;
};

}  // namespace trine::inline TRINE_ABI

#if TRINE_HEADER_ONLY
#include <trine/generate/text_stream.inl>
#endif
