// SPDX-License-Identifier: Apache-2.0
// Changes of the logits before a token is sampled from them: a hook for programs, and the bias of single tokens.
#pragma once

#include <cmath>
#include <cstddef>
#include <functional>
#include <limits>
#include <map>
#include <span>
#include <string>
#include <utility>

#include <trine/core/abi.hpp>
#include <trine/core/error.hpp>
#include <trine/core/token_id.hpp>

namespace trine::inline TRINE_ABI {

/// Called before each token is sampled.
///   logits   [tokens of the vocabulary], to be changed in place; minus infinity forbids a token
///   history  all tokens so far, those of the prompt included, oldest first; kNoTokenId for input embeddings
using LogitsProcessor = std::function<void(std::span<float> logits, std::span<const TokenId> history)>;

/// What is added to the logits of single tokens, as `logit_bias` of the OpenAI API; minus infinity forbids a token.
using LogitBias = std::map<TokenId, float>;

/// A processor that adds `bias`. Throws InputError for an id that is not below `vocab_size`, NaN and plus infinity.
[[nodiscard]] inline LogitsProcessor logit_bias_processor(LogitBias bias, std::size_t vocab_size) {
  for (const auto& [id, value] : bias) {
    if (id >= vocab_size)
      throw InputError("logit_bias: expected token ids below " + std::to_string(vocab_size) + ", found " +
                       std::to_string(id));
    if (std::isnan(value) || value == std::numeric_limits<float>::infinity())
      throw InputError("logit_bias: expected a finite number or minus infinity for token " + std::to_string(id) +
                       ", found " + std::to_string(value));
  }
  return [bias = std::move(bias)](std::span<float> logits, std::span<const TokenId>) {
    for (const auto& [id, value] : bias)
      if (id < logits.size()) logits[id] += value;
  };
}

}  // namespace trine::inline TRINE_ABI
