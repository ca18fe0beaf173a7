// SPDX-License-Identifier: Apache-2.0
// FP8 of deep learning, e4m3 without infinities ("fn"). Micikevicius et al. 2022, arXiv:2209.05433.
//
//   7 | 6 ... 3 | 2 .. 0        bias 7; exponent 0: subnormal, steps of 2^-9; largest 448; only 0x7f and 0xff are NaN
//   s | exp 4   | frac 3
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>

#include <trine/core/abi.hpp>

namespace trine::inline TRINE_ABI {

/// An 8-bit storage type, without a scale.
struct float8_e4m3 {
  std::uint8_t bits = 0;  ///< sign, exponent and fraction, as drawn above

  /// Exact.
  explicit constexpr operator float() const noexcept {
    const std::uint32_t sign = std::uint32_t{bits} >> 7U << 31U;
    const std::uint32_t exponent = bits >> 3U & 15U;
    const std::uint32_t fraction = bits & 7U;
    if ((bits & 0x7fU) == 0x7fU) return std::bit_cast<float>(sign | 0x7fc00000U);
    if (exponent == 0) {
      const float magnitude = static_cast<float>(fraction) * 0.001953125F;  // 2^-9
      return sign == 0 ? magnitude : -magnitude;
    }
    return std::bit_cast<float>(sign | (exponent + 120U) << 23U | fraction << 20U);
  }
};
static_assert(sizeof(float8_e4m3) == 1);

/// The value of each code.
inline constexpr std::array<float, 256> kFloat8E4M3Values = [] {
  std::array<float, 256> values{};
  for (std::size_t code = 0; code < values.size(); ++code)
    values[code] = static_cast<float>(float8_e4m3{static_cast<std::uint8_t>(code)});
  return values;
}();

}  // namespace trine::inline TRINE_ABI
