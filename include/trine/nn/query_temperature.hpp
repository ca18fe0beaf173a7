// SPDX-License-Identifier: Apache-2.0
// A temperature of attention that depends on the position.
#pragma once

#include <cmath>
#include <cstddef>

#include <trine/core/abi.hpp>

namespace trine::inline TRINE_ABI {

/// Scores of later queries are larger, so that long contexts do not flatten the softmax: those of query n are
/// multiplied by 1 + scale ln(1 + floor((n + offset) / length)). Nakanishi 2025, arXiv:2501.19399.
struct QueryTemperature {
  float scale = 0.1F;         ///< no unit
  std::size_t length = 8192;  ///< positions of one factor
  std::size_t offset = 0;     ///< added to the position

  /// The factor of query n.
  [[nodiscard]] float factor(std::size_t n) const noexcept {
    const std::size_t steps = (n + offset) / length;
    return 1.0F + scale * std::log1p(static_cast<float>(steps));
  }
};

}  // namespace trine::inline TRINE_ABI
