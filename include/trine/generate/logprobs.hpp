// SPDX-License-Identifier: Apache-2.0
// Log-probabilities of tokens: the log-softmax of the logits that a model computed.
//   logprob[i] = logits[i] - log(sum_j exp(logits[j]))
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include <trine/core/abi.hpp>
#include <trine/core/token_id.hpp>

namespace trine::inline TRINE_ABI {

/// A token and its log-probability:  logprob = logit - ln sum_i exp(logit_i).
struct TokenLogprob {
  TokenId id = 0;        ///< index of its logit
  double logprob = 0.0;  ///< natural logarithm; at most 0
};

/// Of one sampled token, as an entry of `logprobs.content` of the OpenAI API.
struct TokenLogprobs {
  TokenId id = 0;                               ///< that was sampled
  double logprob = 0.0;                         ///< natural logarithm; at most 0
  std::vector<TokenLogprob> top_logprobs = {};  ///< the most probable tokens, best first
};

/// The log-probability of `id`, and of the `top` most probable tokens (all, if there are fewer), in double precision.
/// NaN counts as minus infinity, plus infinity as the largest float.
///   logits: [vocab]
/// Throws InputError when there is no logit of `id`.
[[nodiscard]] TRINE_DECL TokenLogprobs token_logprobs(std::span<const float> logits, TokenId id, std::size_t top = 0);

}  // namespace trine::inline TRINE_ABI

#if TRINE_HEADER_ONLY
#include <trine/generate/logprobs.inl>
#endif
