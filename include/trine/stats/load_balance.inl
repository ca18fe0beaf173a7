// SPDX-License-Identifier: Apache-2.0
// The definitions of stats/load_balance.hpp.
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
#include <trine/stats/load_balance.hpp>

namespace trine::inline TRINE_ABI {

TRINE_DECL LoadBalance load_balance(std::span<const std::uint64_t> load) {
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

TRINE_DECL std::vector<std::uint32_t> experts_by_load(std::span<const std::uint64_t> load) {
  std::vector<std::uint32_t> experts(load.size());
  std::iota(experts.begin(), experts.end(), 0U);
  std::ranges::stable_sort(experts, [&](std::uint32_t a, std::uint32_t b) { return load[a] > load[b]; });
  return experts;
}

TRINE_DECL double total_variation_distance(std::span<const std::uint64_t> a, std::span<const std::uint64_t> b) {
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
