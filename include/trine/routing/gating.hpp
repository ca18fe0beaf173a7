// SPDX-License-Identifier: Apache-2.0
// The steps that routing rules are made of, each a named function on the scores of one token.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>

#include <trine/core/abi.hpp>

namespace trine::inline TRINE_ABI::routing {

/// The score of an expert that must not be chosen.
inline constexpr float kMasked = -std::numeric_limits<float>::infinity();

/// Returns whether a is better than b. NaN is worse than everything, so this is a strict weak order for any scores.
[[nodiscard]] inline bool better(float a, float b) noexcept {
  return (std::isnan(a) ? kMasked : a) > (std::isnan(b) ? kMasked : b);
}

/// x = 1 / (1 + e^-x)
inline void sigmoid(std::span<float> x) noexcept {
  for (float& value : x) value = 1.0F / (1.0F + std::exp(-value));
}

/// x = e^x / sum e^x, shifted by the largest
inline void softmax(std::span<float> x) noexcept {
  if (x.empty()) return;
  const float largest = *std::ranges::max_element(x);
  float sum = 0.0F;
  for (float& value : x) sum += value = std::exp(value - largest);
  for (float& value : x) value /= sum;
}

/// The indices of the `chosen.size()` <= ranking.size() best scores, best first; ties in ascending order of the index.
/// O(experts * chosen), suitable for the few experts of a token.
inline void top_k(std::span<const float> ranking, std::span<std::uint32_t> chosen) noexcept {
  std::size_t filled = 0;
  for (std::size_t e = 0; e < ranking.size(); ++e) {
    std::size_t place = filled;
    while (place > 0 && better(ranking[e], ranking[chosen[place - 1]])) --place;
    if (place == chosen.size()) continue;
    filled = std::min(filled + 1, chosen.size());
    for (std::size_t i = filled - 1; i > place; --i) chosen[i] = chosen[i - 1];
    chosen[place] = static_cast<std::uint32_t>(e);
  }
}

/// Returns how many of the `chosen` (best first) are needed until their share of the sum of all `probability` reaches
/// `threshold`; at least 1, at most all of them. Huang et al., "Harder Tasks Need More Experts", 2024, arXiv:2403.07652
[[nodiscard]] inline std::size_t top_p(std::span<const float> probability, std::span<const std::uint32_t> chosen,
                                       float threshold) noexcept {
  float total = 0.0F;
  for (const float p : probability) total += p;
  float share = 0.0F;
  for (std::size_t i = 0; i < chosen.size(); ++i) {
    share += probability[chosen[i]];
    if (share >= threshold * total) return i + 1;
  }
  return chosen.size();
}

/// Masks the scores of all groups except the `kept` best with kMasked. A group's score is the sum of its `best_of` best
/// members (1: their maximum, arXiv:2405.04434; 2: arXiv:2412.19437). Of groups with equal scores the first is kept.
/// ranking: [groups * members]
inline void mask_groups(std::span<float> ranking, std::size_t groups, std::size_t kept, std::size_t best_of,
                        std::span<float> group_score, std::span<std::uint32_t> group_order) noexcept {
  const std::size_t members = ranking.size() / groups;
  for (std::size_t g = 0; g < groups; ++g) {
    float first = kMasked;
    float second = kMasked;
    for (const float score : ranking.subspan(g * members, members)) {
      if (better(score, first)) {
        second = first;
        first = score;
      } else if (better(score, second)) {
        second = score;
      }
    }
    group_score[g] = best_of == 2 && second != kMasked ? first + second : first;  // a single one counts alone
  }
  top_k(group_score.first(groups), group_order.first(groups));
  for (const std::uint32_t g : group_order.subspan(kept, groups - kept))
    std::ranges::fill(ranking.subspan(g * members, members), kMasked);
}

/// Divides by the sum, so that the weights add up to 1, or by `least_sum` if that is more. Weights that are all zero
/// stay zero.   epsilon: added to the sum
inline void normalize(std::span<float> weight, float least_sum = 0.0F, float epsilon = 0.0F) noexcept {
  float sum = epsilon;
  for (const float w : weight) sum += w;
  sum = std::max(sum, least_sum);
  if (sum == 0.0F) return;
  for (float& w : weight) w /= sum;
}

/// The gate weights of SparseMixer (Liu et al. 2024, arXiv:2409.12136) without its noise of training: each chosen
/// expert has its share in a softmax of its own, over the experts that are not chosen before it and whose logits are
/// near.
///   weight_i = 1 / sum_e exp(s_e - s_i)   over e not in chosen[0, i) with (s_i - s_e) / max(|s_e|, s_i) <= tolerance
/// logit: [experts], kMasked for those that must not be chosen   chosen: best first   weight: [chosen], output
inline void sparse_mixer(std::span<const float> logit, std::span<const std::uint32_t> chosen, float tolerance,
                         std::span<float> weight) noexcept {
  for (std::size_t i = 0; i < chosen.size(); ++i) {
    const float own = logit[chosen[i]];
    float sum = 1.0F;
    for (std::uint32_t e = 0; e < logit.size(); ++e) {
      if (std::ranges::find(chosen.first(i + 1), e) != chosen.first(i + 1).end() || logit[e] == kMasked) continue;
      const bool is_far = (own - logit[e]) / std::max(std::abs(logit[e]), own) > tolerance;
      if (!is_far) sum += std::exp(logit[e] - own);
    }
    weight[i] = 1.0F / sum;
  }
}

}  // namespace trine::inline TRINE_ABI::routing
