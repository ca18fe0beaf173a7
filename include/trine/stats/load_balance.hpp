// SPDX-License-Identifier: Apache-2.0
// How evenly experts are used.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numeric>
#include <span>
#include <string>
#include <vector>

#include <trine/core/abi.hpp>
#include <trine/core/error.hpp>

namespace trine::inline TRINE_ABI {

/// Statistics of one load, the number of assignments of each expert. With shares p_e = load_e / sum(load) and E
/// experts:
struct LoadBalance {
  double utilization = 0.0;    ///< exp(-sum_e p_e ln p_e) / E: effective number of experts divided by experts; 1 = even
  double experts_used = 0.0;   ///< share of experts with at least one assignment
  double max_violation = 0.0;  ///< (max - mean) / mean; 0 = even (Wang et al. 2024, arXiv:2408.15664)
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

/// The experts of a load, busiest first; ties in ascending order of the index.
[[nodiscard]] inline std::vector<std::uint32_t> experts_by_load(std::span<const std::uint64_t> load) {
  std::vector<std::uint32_t> experts(load.size());
  std::iota(experts.begin(), experts.end(), 0U);
  std::ranges::stable_sort(experts, [&](std::uint32_t a, std::uint32_t b) { return load[a] > load[b]; });
  return experts;
}

/// The total variation distance of two loads of the same experts: sum_e |p_e - q_e| / 2 of their shares. 0: the same
/// shares; 1: no expert in common. NaN if one of them has no assignments. Throws ShapeError for different sizes.
[[nodiscard]] inline double total_variation_distance(std::span<const std::uint64_t> a,
                                                     std::span<const std::uint64_t> b) {
  if (a.size() != b.size()) {
    throw ShapeError("load: expected " + std::to_string(a.size()) + " experts, found " + std::to_string(b.size()));
  }
  const auto total = [](std::span<const std::uint64_t> load) {
    return static_cast<double>(std::accumulate(load.begin(), load.end(), std::uint64_t{0}));
  };
  const double of_a = total(a);
  const double of_b = total(b);
  if (of_a == 0.0 || of_b == 0.0) return std::numeric_limits<double>::quiet_NaN();
  double sum = 0.0;
  for (std::size_t e = 0; e < a.size(); ++e)
    sum += std::abs(static_cast<double>(a[e]) / of_a - static_cast<double>(b[e]) / of_b);
  return sum / 2.0;
}

}  // namespace trine::inline TRINE_ABI
