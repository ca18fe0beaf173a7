// SPDX-License-Identifier: Apache-2.0
// MXFP4: blocks of 32 four-bit floats with a shared power of two. OCP Microscaling Formats (MX) Specification 1.0. In
// checkpoints, values and scales are two tensors:
//
//   NAME_blocks  u8 [rows, columns / 32, 16]
//   NAME_scales  u8 [rows, columns / 32]
//
//   byte b of a block     7 .. 4           3 .. 0
//                         element 2b + 1   element 2b          each: sign, exponent 2, fraction 1 (E2M1)
//   scale byte            value = element * 2^(scale - 127); 255 is NaN (E8M0)
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

#include <trine/quant/weight_format.hpp>

namespace trine::inline TRINE_ABI {

inline constexpr DType kMxfp4 = block_format(3);
inline constexpr std::size_t kMxfp4Block = 32;

/// The value of each four-bit code.
inline constexpr std::array<float, 16> kFloat4E2M1Values = {0.0F,  0.5F,  1.0F,  1.5F,  2.0F,  3.0F,  4.0F,  6.0F,
                                                            -0.0F, -0.5F, -1.0F, -1.5F, -2.0F, -3.0F, -4.0F, -6.0F};

/// 2^(code - 127), or NaN.
[[nodiscard]] constexpr float float8_e8m0_value(std::uint8_t code) noexcept {
  if (code == 255) return std::bit_cast<float>(0x7fc00000U);
  if (code == 0) return std::bit_cast<float>(0x00400000U);  // subnormal
  return std::bit_cast<float>(std::uint32_t{code} << 23U);
}

/// WeightFormat::decode.
inline void decode_mxfp4(const WeightMatrix& w, std::size_t row, std::size_t column, std::size_t count, float* out,
                         std::size_t out_step) noexcept {
  const std::byte* codes = w.data + row * w.stride;
  const std::byte* scales = w.scales.data + row * w.scales.stride;
  const std::size_t step = w.step[1];
  for (std::size_t k = 0; k < count;) {
    std::size_t c = column + k * step;
    const std::size_t block_end = (c / kMxfp4Block + 1) * kMxfp4Block;
    const float scale = float8_e8m0_value(std::to_integer<std::uint8_t>(scales[c / kMxfp4Block]));
    for (; k < count && c < block_end; ++k, c += step) {
      const auto two = std::to_integer<unsigned>(codes[c / 2]);
      out[k * out_step] = kFloat4E2M1Values[c % 2 == 0 ? two & 15U : two >> 4U] * scale;
    }
  }
}

inline constexpr WeightFormat kMxfp4Format = {
    .dtype = kMxfp4,
    .name = "mxfp4",
    .block_columns = kMxfp4Block,
    .column_multiple = kMxfp4Block,
    .row_bytes = [](std::size_t columns) noexcept { return columns / 2; },
    .decode = decode_mxfp4,
    .in_checkpoints = true,
    .in_native_file = true,
    .codes_suffix = "_blocks",
    .scales_suffix = "_scales",
    .stored_codes = DType::u8,
    .stored_scales = DType::u8,
    .stored_block_bytes = kMxfp4Block / 2,
};

}  // namespace trine::inline TRINE_ABI
