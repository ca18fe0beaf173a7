// SPDX-License-Identifier: Apache-2.0
// Integers of the transposed matrix [inputs, outputs], with a scale and a zero point for each output of a group of
// inputs, in words of 32 bits, little endian. value = (code - zero) * scale.
//
//   gptq_int4, gptq_int8   Frantar et al. 2022, arXiv:2210.17323, as AutoGPTQ and GPTQModel store it. Codes are packed
//                          along the inputs [inputs / 8, outputs], zero points along the outputs [groups, outputs / 8];
//                          with 8 bits, 4 in a word. Files of version 1 store zero - 1.
//   awq_int4               Lin et al. 2023, arXiv:2306.00978, as AutoAWQ stores it ("gemm"). Both are packed along the
//                          outputs, in this order from the lowest bits on: 0 2 4 6 1 3 5 7
//
// A matrix of these formats is a transposed WeightMatrix: its stored rows are inputs.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include <trine/quant/integer_groups.hpp>
#include <trine/quant/weight_format.hpp>

namespace trine::inline TRINE_ABI {

/// The place in a word of each of eight outputs.
inline constexpr std::array<std::size_t, 8> kAwqOrder = {0, 4, 1, 5, 2, 6, 3, 7};

namespace detail {

/// The row of scales of input `row`.
[[nodiscard]] inline std::size_t group_of_input(const BlockScales& scales, std::size_t row) noexcept {
  return scales.block_of == nullptr ? row / scales.block_rows : static_cast<std::size_t>(scales.block_of[row]);
}

/// WeightFormat::decode.
template <unsigned Bits>
void decode_gptq(const WeightMatrix& w, std::size_t row, std::size_t column, std::size_t count, float* out,
                 std::size_t out_step) noexcept {
  constexpr std::size_t kPerWord = 32 / Bits;
  const BlockScales& scales = w.scales;
  const std::size_t group = group_of_input(scales, row);
  const std::byte* codes = w.data + row / kPerWord * w.stride;
  const std::byte* zeros = scales.zeros + group * scales.zeros_stride * 4;
  for (std::size_t k = 0; k < count; ++k) {
    const std::size_t o = column + k * w.step[1];
    const int code = packed_code<Bits>(codes + o * 4, row % kPerWord);
    const int zero = packed_code<Bits>(zeros, o) + scales.zeros_offset;
    out[k * out_step] = static_cast<float>(code - zero) * scales.value(group * scales.stride + o);
  }
}

/// WeightFormat::decode.
inline void decode_awq(const WeightMatrix& w, std::size_t row, std::size_t column, std::size_t count, float* out,
                       std::size_t out_step) noexcept {
  const BlockScales& scales = w.scales;
  const std::size_t group = group_of_input(scales, row);
  const std::byte* codes = w.data + row * w.stride;
  const std::byte* zeros = scales.zeros + group * scales.zeros_stride * 4;
  for (std::size_t k = 0; k < count; ++k) {
    const std::size_t o = column + k * w.step[1];
    const std::size_t place = o / 8 * 8 + kAwqOrder[o % 8];
    out[k * out_step] = static_cast<float>(packed_code<4>(codes, place) - packed_code<4>(zeros, place)) *
                        scales.value(group * scales.stride + o);
  }
}

}  // namespace detail

inline constexpr WeightFormat kGptqInt4Format = {
    .dtype = block_format(43),
    .name = "gptq_int4",
    .block_columns = 8,
    .column_multiple = 8,
    .alignment = 4,
    .row_bytes = [](std::size_t columns) noexcept { return columns / 2; },
    .decode = detail::decode_gptq<4>,
    .in_checkpoints = true,
    .has_separate_scales = true,
};
inline constexpr WeightFormat kGptqInt8Format = {
    .dtype = block_format(44),
    .name = "gptq_int8",
    .block_columns = 4,
    .column_multiple = 4,
    .alignment = 4,
    .row_bytes = [](std::size_t columns) noexcept { return columns; },
    .decode = detail::decode_gptq<8>,
    .in_checkpoints = true,
    .has_separate_scales = true,
};
inline constexpr WeightFormat kAwqInt4Format = {
    .dtype = block_format(45),
    .name = "awq_int4",
    .block_columns = 8,
    .column_multiple = 8,
    .alignment = 4,
    .row_bytes = [](std::size_t columns) noexcept { return columns / 2; },
    .decode = detail::decode_awq,
    .in_checkpoints = true,
    .has_separate_scales = true,
};

/// The format of AWQ.
[[nodiscard]] constexpr DType awq_integers() noexcept { return kAwqInt4Format.dtype; }
/// The format of GPTQ of that many bits, 4 or 8.
[[nodiscard]] constexpr DType gptq_integers(unsigned bits) noexcept {
  return bits == 4 ? kGptqInt4Format.dtype : kGptqInt8Format.dtype;
}

}  // namespace trine::inline TRINE_ABI
