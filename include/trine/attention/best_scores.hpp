// SPDX-License-Identifier: Apache-2.0
// The places of the largest scores, in a total order.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>

#include <trine/core/abi.hpp>

namespace trine::inline TRINE_ABI {

namespace detail {

// Orders by score, then by place, the lower one first: no two are equal. NaN has a place, too.
[[nodiscard]] inline std::uint64_t score_rank(float score, std::size_t place) noexcept {
  const auto bits = std::bit_cast<std::uint32_t>(score + 0.0F);  // -0 becomes 0
  const std::uint32_t ascending = bits >> 31U != 0 ? ~bits : bits | 0x80000000U;
  return std::uint64_t{ascending} << 32U | (0xFFFFFFFFU - static_cast<std::uint32_t>(place));
}

}  // namespace detail

/// Writes the places of the selected.size() largest scores, plus `begin`, ascending; of equal scores the lower place
/// counts more.   scores: more than those, at most 2^32   ranks: scratch memory of at least as many
inline void select_best_scores(std::span<const float> scores, std::size_t begin, std::span<std::uint64_t> ranks,
                               std::span<std::uint32_t> selected) noexcept {
  ranks = ranks.first(scores.size());
  for (std::size_t m = 0; m < scores.size(); ++m) ranks[m] = detail::score_rank(scores[m], m);
  const auto last = ranks.begin() + static_cast<std::ptrdiff_t>(selected.size() - 1);
  std::ranges::nth_element(ranks, last, std::ranges::greater());
  const std::uint64_t least = *last;
  std::size_t count = 0;
  for (std::size_t m = 0; m < scores.size(); ++m)
    if (detail::score_rank(scores[m], m) >= least) selected[count++] = static_cast<std::uint32_t>(begin + m);
}

}  // namespace trine::inline TRINE_ABI
