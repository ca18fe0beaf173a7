// SPDX-License-Identifier: Apache-2.0
// IEEE 754 binary16.
//
//   15 | 14 .... 10 | 9 ...... 0
//   s  | exponent 5 | fraction 10
#pragma once

#include <bit>
#include <cstdint>

#include <trine/core/abi.hpp>

namespace trine::inline TRINE_ABI {

/// A 16-bit storage type, which is converted to float before any computation.
struct float16 {
  std::uint16_t bits = 0;  ///< sign, exponent and fraction, as drawn above

  float16() = default;
  /// Rounds to nearest, ties to even; too large values become infinite; a NaN stays a (quiet) NaN.
  explicit constexpr float16(float value) noexcept {
    const auto wide = std::bit_cast<std::uint32_t>(value);
    const std::uint32_t sign = (wide >> 16U) & 0x8000U;
    const std::uint32_t magnitude = wide & 0x7fffffffU;
    std::uint32_t half = 0;
    if (magnitude > 0x7f800000U) {
      half = 0x7e00U;  // NaN
    } else if (magnitude >= 0x477ff000U) {
      half = 0x7c00U;  // 65520 and more round to infinity
    } else if (magnitude >= 0x38800000U) {
      // Normal: re-bias the exponent by 112, round away the lower 13 bits of the fraction.
      half = (magnitude - 0x38000000U + 0xfffU + ((magnitude >> 13U) & 1U)) >> 13U;
    } else {
      // Subnormal: adding 0.5 puts the unit of the sum at 2^-24, so the hardware rounds the fraction.
      const float sum = std::bit_cast<float>(magnitude) + 0.5F;
      half = std::bit_cast<std::uint32_t>(sum) - 0x3f000000U;
    }
    bits = static_cast<std::uint16_t>(sign | half);
  }
  /// Exact.
  explicit constexpr operator float() const noexcept {
    const std::uint32_t sign = (bits & 0x8000U) << 16U;
    const std::uint32_t magnitude = bits & 0x7fffU;
    if (magnitude >= 0x7c00U) return std::bit_cast<float>(sign | 0x7f800000U | ((magnitude & 0x3ffU) << 13U));
    if (magnitude >= 0x400U) return std::bit_cast<float>(sign | ((magnitude << 13U) + 0x38000000U));
    const float value = static_cast<float>(magnitude) * 0x1p-24F;
    return std::bit_cast<float>(sign | std::bit_cast<std::uint32_t>(value));
  }
};
static_assert(sizeof(float16) == 2);

}  // namespace trine::inline TRINE_ABI
