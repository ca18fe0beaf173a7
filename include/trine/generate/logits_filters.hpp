// SPDX-License-Identifier: Apache-2.0
// Which tokens may follow: filters on the scores of the vocabulary. Each is one step; sampler.hpp says in which order.
//   top-k   Fan, Lewis & Dauphin, "Hierarchical Neural Story Generation", 2018. arXiv:1805.04833
//   top-p   Holtzman et al., "The Curious Case of Neural Text Degeneration", 2019. arXiv:1904.09751
//   min-p   Nguyen et al., "Turning Up the Heat: Min-p Sampling for Creative and Coherent LLM Outputs", 2024.
//           arXiv:2407.01082
//   repeat penalty   Keskar et al., "CTRL: A Conditional Transformer Language Model", 2019. arXiv:1909.05858, 4.1
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <span>
#include <vector>

#include <trine/core/abi.hpp>
#include <trine/core/token_id.hpp>

namespace trine::inline TRINE_ABI {

/// A token that may follow, with its score. Scores here are finite or minus infinity, never NaN: see gather_candidates.
struct Candidate {
  TokenId id;   ///< index of its logit
  float logit;  ///< score; larger is more probable
};

/// The better score first; among equals, the lower id. A strict total order of distinct ids.
[[nodiscard]] inline bool is_better(const Candidate& a, const Candidate& b) noexcept {
  return a.logit > b.logit || (a.logit == b.logit && a.id < b.id);
}

/// All tokens by id. NaN counts as minus infinity, plus infinity as the largest float.
inline void gather_candidates(std::span<const float> logits, std::vector<Candidate>& candidates) {
  candidates.resize(logits.size());
  for (std::size_t id = 0; id < logits.size(); ++id) {
    const float logit = std::isnan(logits[id]) ? -std::numeric_limits<float>::infinity() : logits[id];
    candidates[id] = {static_cast<TokenId>(id), std::min(logit, std::numeric_limits<float>::max())};
  }
}

/// Divides positive scores of the tokens in `recent` by `penalty` and multiplies the others, once however often a token
/// occurs. `candidates` are all tokens by id; ids beyond them are ignored. A penalty of 1 changes nothing.
inline void penalize_repeats(std::span<Candidate> candidates, std::span<const TokenId> recent, float penalty) {
  if (penalty == 1.0F) return;
  std::vector<TokenId> distinct(recent.begin(), recent.end());
  std::sort(distinct.begin(), distinct.end());
  distinct.erase(std::unique(distinct.begin(), distinct.end()), distinct.end());
  for (const TokenId id : distinct) {
    if (id >= candidates.size()) break;
    float& logit = candidates[id].logit;
    if (logit == -std::numeric_limits<float>::infinity()) continue;
    // Clamped, so that overflow makes no token certain or impossible.
    logit = std::clamp(logit > 0.0F ? logit / penalty : logit * penalty, std::numeric_limits<float>::lowest(),
                       std::numeric_limits<float>::max());
  }
}

/// The best `k` tokens, best first; all of them, in the order they had, if k is 0 or there are no more.
inline void keep_top_k(std::vector<Candidate>& candidates, std::size_t k) {
  if (k == 0 || k >= candidates.size()) return;
  const auto end = candidates.begin() + static_cast<std::ptrdiff_t>(k);
  constexpr std::size_t kSmall = 1024;  // below, a heap of the best so far: most candidates cost one comparison
  if (k <= kSmall) {
    std::partial_sort(candidates.begin(), end, candidates.end(), is_better);
  } else {
    std::nth_element(candidates.begin(), end, candidates.end(), is_better);
    std::sort(candidates.begin(), end, is_better);
  }
  candidates.erase(end, candidates.end());
}

/// exp(logit - best): the probability of a candidate, but for a factor. Not more than 1; 1 for the best, also when all
/// scores are minus infinity.
[[nodiscard]] inline double relative_weight(float logit, float best) noexcept {
  return logit == best ? 1.0 : std::exp(static_cast<double>(logit) - static_cast<double>(best));
}

/// max_i logit_i; minus infinity without candidates.
[[nodiscard]] inline float best_logit(std::span<const Candidate> candidates) noexcept {
  float best = -std::numeric_limits<float>::infinity();
  for (const Candidate& candidate : candidates) best = std::max(best, candidate.logit);
  return best;
}

/// The fewest best tokens whose probabilities reach `p` together, best first; at least one. p of 1 or more keeps all,
/// in the order they had. Sorts only as far as needed.
inline void keep_top_p(std::vector<Candidate>& candidates, float p) {
  if (p >= 1.0F || candidates.empty()) return;
  const float best = best_logit(candidates);
  double total = 0.0;
  for (const Candidate& candidate : candidates) total += relative_weight(candidate.logit, best);
  const double enough = static_cast<double>(p) * total;

  double sum = 0.0;
  std::size_t sorted = 0;
  std::size_t kept = 0;
  while (kept == 0 || (sum < enough && kept < candidates.size())) {
    if (kept == sorted) {  // sort the next few
      const auto begin = candidates.begin() + static_cast<std::ptrdiff_t>(sorted);
      sorted = std::min(candidates.size(), std::max<std::size_t>(64, sorted * 4));
      const auto end = candidates.begin() + static_cast<std::ptrdiff_t>(sorted);
      std::nth_element(begin, end, candidates.end(), is_better);
      std::sort(begin, end, is_better);
    }
    sum += relative_weight(candidates[kept++].logit, best);
  }
  candidates.resize(kept);
}

/// The tokens at least `p` times as probable as the best, in the order they had. p of 0 keeps all.
inline void keep_min_p(std::vector<Candidate>& candidates, float p) {
  if (p <= 0.0F) return;
  const float best = best_logit(candidates);
  std::erase_if(candidates, [&](const Candidate& candidate) {
    return relative_weight(candidate.logit, best) < static_cast<double>(p);
  });
}

/// (logit - best) / temperature: the probabilities are those of logit / temperature, and nothing overflows upwards.
/// `temperature` is above 0.
inline void apply_temperature(std::span<Candidate> candidates, float temperature) {
  const float best = best_logit(candidates);
  for (Candidate& candidate : candidates) {
    candidate.logit = candidate.logit == best ? 0.0F : (candidate.logit - best) / temperature;
  }
}

}  // namespace trine::inline TRINE_ABI
