// SPDX-License-Identifier: Apache-2.0
// A whole generation in one call, with the text to a callback as it is made. text_stream.hpp has the same to pull from.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <trine/generate/text_stream.hpp>

namespace trine::inline TRINE_ABI {

/// Takes each piece of text as it becomes certain, always whole UTF-8 characters; false ends the generation (reason
/// `cancelled`).
using TextCallback = std::function<bool(std::string_view piece)>;

/// Appends the tokens of the prompt to the sequence of `session`, and then what is sampled: see TextStream for what the
/// session holds afterwards. Without a prompt it continues from tokens that wait in the session. The same seed gives
/// the same text, on any number of threads. Throws InputError when there are no tokens at all, otherwise as TextStream.
inline GenerateResult generate_from_tokens(Session& session, const Tokenizer& tokenizer, std::vector<TokenId> prompt,
                                           const GenerateOptions& options = {}, const TextCallback& on_text = {}) {
  TextStream stream(session, tokenizer, std::move(prompt), options);
  while (const std::optional<std::string> piece = stream.next())
    if (on_text && !on_text(*piece)) break;
  return stream.take_result();
}

/// The same for a prompt that is text, encoded with what the model expects around it.
inline GenerateResult generate(Session& session, const Tokenizer& tokenizer, std::string_view prompt,
                               const GenerateOptions& options = {}, const TextCallback& on_text = {}) {
  return generate_from_tokens(session, tokenizer, tokenizer.encode(prompt), options, on_text);
}

}  // namespace trine::inline TRINE_ABI
