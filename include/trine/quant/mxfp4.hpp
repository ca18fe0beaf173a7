// SPDX-License-Identifier: Apache-2.0
// MXFP4: groups of 32 four-bit floats with a shared power of two. OCP Microscaling Formats (MX) Specification 1.0, as
// the gpt-oss checkpoints store it.
//
//   byte b of a group     7 .. 4           3 .. 0
//                         element 2b + 1   element 2b          each: sign, exponent 2, fraction 1 (E2M1)
//   scale byte            value = element * 2^(scale - 127); 255 is NaN (E8M0)
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

#include <trine/core/abi.hpp>

namespace trine::inline TRINE_ABI {

inline constexpr std::size_t kMxfp4Group = 32;

/// The value of each four-bit code.
inline constexpr std::array<float, 16> kFloat4E2M1Values = {0.0F,  0.5F,  1.0F,  1.5F,  2.0F,  3.0F,  4.0F,  6.0F,
                                                            -0.0F, -0.5F, -1.0F, -1.5F, -2.0F, -3.0F, -4.0F, -6.0F};

/// 2^(code - 127), or NaN.
[[nodiscard]] constexpr float float8_e8m0_value(std::uint8_t code) noexcept {
  if (code == 255) return std::bit_cast<float>(0x7fc00000U);
  if (code == 0) return std::bit_cast<float>(0x00400000U);  // subnormal
  return std::bit_cast<float>(std::uint32_t{code} << 23U);
}

}  // namespace trine::inline TRINE_ABI
