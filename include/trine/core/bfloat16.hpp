// SPDX-License-Identifier: Apache-2.0
// The storage format bfloat16: the upper half of an IEEE 754 binary32.
//
//   15 | 14 ...... 7 | 6 ..... 0
//   s  | exponent 8  | fraction 7
#pragma once

#include <bit>
#include <cstdint>

#include <trine/core/abi.hpp>

namespace trine::inline TRINE_ABI {

/// A 16-bit storage type, which is converted to float before any computation.
struct bfloat16 {
  std::uint16_t bits = 0;  ///< sign, exponent and fraction, as drawn above

  bfloat16() = default;
  /// Rounds to nearest, ties to even; a NaN stays a (quiet) NaN.
  explicit constexpr bfloat16(float value) noexcept {
    const auto wide = std::bit_cast<std::uint32_t>(value);
    if ((wide & 0x7fffffffU) > 0x7f800000U) {
      bits = static_cast<std::uint16_t>((wide >> 16U) | 0x40U);
    } else {
      bits = static_cast<std::uint16_t>((wide + 0x7fffU + ((wide >> 16U) & 1U)) >> 16U);
    }
  }
  /// Exact.
  explicit constexpr operator float() const noexcept {
    return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16U);
  }
};
static_assert(sizeof(bfloat16) == 2);

}  // namespace trine::inline TRINE_ABI
