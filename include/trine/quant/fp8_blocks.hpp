// SPDX-License-Identifier: Apache-2.0
// FP8 E4M3 values with a scale for each block of rows and columns, usually 128 x 128: "Micikevicius et al., FP8 Formats
// for Deep Learning", 2022, arXiv:2209.05433; blocks: arXiv:2412.19437, section 3.3.
//
//   NAME            f8_e4m3 [rows, columns]
//   NAME_scale_inv  a plain float [blocks of rows, blocks of columns]     value = code * scale, despite the name
//
// Other checkpoints have a scale for each row, or one for the tensor (weights/quantized_modules.hpp).
#pragma once

#include <algorithm>
#include <cstddef>

#include <trine/core/float8_e4m3.hpp>
#include <trine/quant/weight_format.hpp>

namespace trine::inline TRINE_ABI {

/// The scale of the stored value (row, column).
[[nodiscard]] inline float fp8_scale(const BlockScales& scales, std::size_t row, std::size_t column) noexcept {
  return scales.value(row / scales.block_rows * scales.stride + column / scales.block_columns);
}

/// WeightFormat::decode.
inline void decode_fp8(const WeightMatrix& w, std::size_t row, std::size_t column, std::size_t count, float* out,
                       std::size_t out_step) noexcept {
  const std::size_t step = w.step[1];
  for (std::size_t k = 0; k < count;) {
    const std::size_t at = column + k * step;
    const std::size_t left = w.scales.block_columns - at % w.scales.block_columns;  // columns of this block
    const std::size_t end = std::min(count, k + (left + step - 1) / step);
    const float scale = fp8_scale(w.scales, row, at);
    const std::byte* codes = w.data + row * w.stride + at;
    for (; k < end; ++k, codes += step)
      out[k * out_step] = kFloat8E4M3Values[std::to_integer<std::size_t>(*codes)] * scale;
  }
}

inline constexpr WeightFormat kFp8Format = {
    .dtype = DType::f8_e4m3,
    .name = element_name(DType::f8_e4m3),
    .row_bytes = [](std::size_t columns) noexcept { return columns; },
    .decode = decode_fp8,
    .in_checkpoints = true,
    .scales_suffix = "_scale_inv",
    .stored_codes = DType::f8_e4m3,
    .stored_scales = DType::f32,
};

}  // namespace trine::inline TRINE_ABI
