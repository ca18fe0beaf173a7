// SPDX-License-Identifier: Apache-2.0
// Log-probabilities of tokens: the log-softmax of the logits that a model computed.
//   logprob[i] = logits[i] - log(sum_j exp(logits[j]))
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include <trine/core/abi.hpp>
#include <trine/core/error.hpp>
#include <trine/core/token_id.hpp>
#include <trine/generate/logits_filters.hpp>

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

/// The log-probability of `id`, and of the `top` most probable tokens (all, if there are fewer), in double precision.
/// NaN counts as minus infinity, plus infinity as the largest float.
///   logits: [vocab]
/// Throws InputError when there is no logit of `id`.
[[nodiscard]] inline TokenLogprobs token_logprobs(std::span<const float> logits, TokenId id, std::size_t top = 0) {
  if (id >= logits.size())
    throw InputError("token_logprobs: expected an id below " + std::to_string(logits.size()) + ", found " +
                     std::to_string(id));
  std::vector<Candidate> candidates;
  gather_candidates(logits, candidates);
  const float best = best_logit(candidates);
  double sum = 0.0;
  for (const Candidate& candidate : candidates) sum += relative_weight(candidate.logit, best);
  const auto logprob = [best, log_sum = std::log(sum)](float logit) {
    const auto value = static_cast<double>(logit);
    return std::isinf(value) ? value : value - static_cast<double>(best) - log_sum;
  };
  TokenLogprobs result{id, logprob(candidates[id].logit), {}};
  const std::size_t count = std::min(top, candidates.size());
  std::partial_sort(candidates.begin(), candidates.begin() + static_cast<std::ptrdiff_t>(count), candidates.end(),
                    is_better);
  for (const Candidate& candidate : std::span(candidates).first(count))
    result.top_logprobs.push_back({candidate.id, logprob(candidate.logit)});
  return result;
}

}  // namespace trine::inline TRINE_ABI
