// SPDX-License-Identifier: Apache-2.0
// Log-probabilities of tokens: the log-softmax of the logits that a model computed.
//   logprob[i] = logits[i] - log(sum_j exp(logits[j]))
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include <trine/core/abi.hpp>
#include <trine/core/error.hpp>
#include <trine/core/token_id.hpp>
#include <trine/generate/logits_filters.hpp>

namespace trine::inline TRINE_ABI {

struct TokenLogprob {
  TokenId id = 0;
  double logprob = 0.0;  // natural logarithm; at most 0
};

/// Of one sampled token, as an entry of `logprobs.content` of the OpenAI API.
struct TokenLogprobs {
  TokenId id = 0;
  double logprob = 0.0;
  std::vector<TokenLogprob> top_logprobs = {};  // the most probable tokens, best first
};

/// log(sum_j exp(logits[j])), in double precision. NaN counts as minus infinity, plus infinity as the largest float.
[[nodiscard]] inline double log_sum_exp(std::span<const float> logits) {
  const auto usable = [](float logit) {
    return std::isnan(logit) ? -std::numeric_limits<float>::infinity()
                             : std::min(logit, std::numeric_limits<float>::max());
  };
  float best = -std::numeric_limits<float>::infinity();
  for (const float logit : logits) best = std::max(best, usable(logit));
  double sum = 0.0;
  for (const float logit : logits) sum += relative_weight(usable(logit), best);
  return static_cast<double>(best) + std::log(sum);
}

/// The log-probability of `id`, and of the `top` most probable tokens (all, if there are fewer).
///   logits: [vocab]
/// Throws InputError when there is no logit of `id`.
[[nodiscard]] inline TokenLogprobs token_logprobs(std::span<const float> logits, TokenId id, std::size_t top = 0) {
  if (id >= logits.size())
    throw InputError("token_logprobs: expected an id below " + std::to_string(logits.size()) + ", found " +
                     std::to_string(id));
  std::vector<Candidate> candidates;
  gather_candidates(logits, candidates);
  const double total = log_sum_exp(logits);
  const auto logprob = [total](float logit) {
    const auto value = static_cast<double>(logit);
    return std::isinf(value) ? value : value - total;  // minus infinity, also where that is all there is
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
