// SPDX-License-Identifier: Apache-2.0
// Counts values that are NaN or infinite.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>

#include <trine/core/abi.hpp>

namespace trine::inline TRINE_ABI {

/// The number of values that are NaN or infinite: those whose exponent has all bits set.
[[nodiscard]] inline std::size_t count_not_finite(std::span<const float> values) noexcept {
  constexpr std::uint32_t kExponent = 0x7f800000U;
  std::size_t count = 0;
  for (const float value : values) count += (std::bit_cast<std::uint32_t>(value) & kExponent) == kExponent ? 1U : 0U;
  return count;
}

}  // namespace trine::inline TRINE_ABI
