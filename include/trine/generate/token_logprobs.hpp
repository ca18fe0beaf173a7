// SPDX-License-Identifier: Apache-2.0
// Log-probabilities of tokens, as a result. logprobs.hpp computes them.
#pragma once

#include <vector>

#include <trine/core/token_id.hpp>

namespace trine::inline TRINE_ABI {

/// A token and how probable the model finds it:  logprob = logit - ln sum_i exp(logit_i).
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

}  // namespace trine::inline TRINE_ABI
