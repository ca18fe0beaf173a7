// SPDX-License-Identifier: Apache-2.0
// How evenly experts are used.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <span>
#include <vector>

#include <trine/core/abi.hpp>

namespace trine::inline TRINE_ABI {

/// Figures of one load, a count of assignments for each expert. With shares p_e = load_e / sum(load) and E experts:
struct LoadBalance {
  double utilization = 0.0;    // exp(-sum_e p_e ln p_e) / E: effective number of experts divided by experts; 1 = even
  double experts_used = 0.0;   // share of experts with at least one assignment
  double max_violation = 0.0;  // (max - mean) / mean; 0 = even (Wang et al. 2024, arXiv:2408.15664)
};

/// All zero for an empty load or one without assignments.
[[nodiscard]] inline LoadBalance load_balance(std::span<const std::uint64_t> load) {
  const double total = static_cast<double>(std::accumulate(load.begin(), load.end(), std::uint64_t{0}));
  if (total == 0.0) return {};
  const auto experts = static_cast<double>(load.size());
  double entropy = 0.0;
  double used = 0.0;
  for (const std::uint64_t count : load) {
    if (count == 0) continue;
    const double share = static_cast<double>(count) / total;
    entropy -= share * std::log(share);
    used += 1.0;
  }
  const auto largest = static_cast<double>(*std::ranges::max_element(load));
  return {std::exp(entropy) / experts, used / experts, largest * experts / total - 1.0};
}

}  // namespace trine::inline TRINE_ABI
