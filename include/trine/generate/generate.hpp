// SPDX-License-Identifier: Apache-2.0
// A whole generation in one call, with the text to a callback as it is made. text_stream.hpp has the same to pull from.
#pragma once

#include <functional>
#include <string_view>
#include <vector>

#include <trine/generate/text_stream.hpp>

namespace trine::inline TRINE_ABI {

/// Takes each piece of text as it becomes certain, always whole UTF-8 characters; false ends the generation (reason
/// `cancelled`).
using TextCallback = std::function<bool(std::string_view piece)>;

/// Appends the tokens of the prompt to the sequence of `session`, and then what is sampled: see TextStream for what the
/// session holds afterwards. Without a prompt it continues from tokens that wait in the session. The same seed gives
/// the same text, on any number of threads. Throws InputError when there are no tokens at all, otherwise as TextStream.
TRINE_DECL GenerateResult generate_from_tokens(Session& session, const Tokenizer& tokenizer,
                                               std::vector<TokenId> prompt, const GenerateOptions& options = {},
                                               const TextCallback& on_text = {});

/// The same for a prompt that is text, encoded with what the model expects around it.
TRINE_DECL GenerateResult generate(Session& session, const Tokenizer& tokenizer, std::string_view prompt,
                                   const GenerateOptions& options = {}, const TextCallback& on_text = {});

}  // namespace trine::inline TRINE_ABI

#if TRINE_HEADER_ONLY
#include <trine/generate/generate.inl>
#endif
