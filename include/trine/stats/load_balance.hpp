// SPDX-License-Identifier: Apache-2.0
// How evenly experts are used.
#pragma once

#include <cstdint>
#include <span>
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
[[nodiscard]] TRINE_DECL LoadBalance load_balance(std::span<const std::uint64_t> load);

/// The experts of a load, busiest first; ties in ascending order of the index.
[[nodiscard]] TRINE_DECL std::vector<std::uint32_t> experts_by_load(std::span<const std::uint64_t> load);

/// The total variation distance of two loads of the same experts: sum_e |p_e - q_e| / 2 of their shares. 0: the same
/// shares; 1: no expert in common. NaN if one of them has no assignments. Throws ShapeError for different sizes.
[[nodiscard]] TRINE_DECL double total_variation_distance(std::span<const std::uint64_t> a,
                                                         std::span<const std::uint64_t> b);

}  // namespace trine::inline TRINE_ABI

#if TRINE_HEADER_ONLY
#include <trine/stats/load_balance.inl>
#endif
