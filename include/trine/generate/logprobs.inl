// SPDX-License-Identifier: Apache-2.0
// The definitions of generate/logprobs.hpp.
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
#include <trine/generate/logprobs.hpp>

namespace trine::inline TRINE_ABI {

TRINE_DECL TokenLogprobs token_logprobs(std::span<const float> logits, TokenId id, std::size_t top) {
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
