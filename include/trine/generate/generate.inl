// SPDX-License-Identifier: Apache-2.0
// The definitions of generate/generate.hpp.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <trine/generate/generate.hpp>
#include <trine/generate/text_stream.hpp>

namespace trine::inline TRINE_ABI {

TRINE_DECL GenerateResult generate_from_tokens(Session& session, const Tokenizer& tokenizer,
                                               std::vector<TokenId> prompt, const GenerateOptions& options,
                                               const TextCallback& on_text) {
  TextStream stream(session, tokenizer, std::move(prompt), options);
  while (const std::optional<std::string> piece = stream.next())
    if (on_text && !on_text(*piece)) break;
  return stream.take_result();
}

TRINE_DECL GenerateResult generate(Session& session, const Tokenizer& tokenizer, std::string_view prompt,
                                   const GenerateOptions& options, const TextCallback& on_text) {
  return generate_from_tokens(session, tokenizer, tokenizer.encode(prompt), options, on_text);
}

}  // namespace trine::inline TRINE_ABI
