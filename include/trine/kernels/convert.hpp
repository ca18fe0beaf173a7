// SPDX-License-Identifier: Apache-2.0
// Stored weights of any format as f32.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include <trine/core/float8_e4m3.hpp>
#include <trine/quant/mxfp4.hpp>
#include <trine/quant/packed.hpp>
#include <trine/quant/weight_matrix.hpp>

namespace trine::inline TRINE_ABI::kernels {

namespace detail {

[[nodiscard]] inline float block_scale(const BlockScales& scales, std::size_t row, std::size_t column) noexcept {
  const std::size_t index = row / scales.block_rows * scales.stride + column / scales.block_columns;
  switch (scales.dtype) {
    case DType::f32:
      return reinterpret_cast<const float*>(scales.data)[index];
    case DType::bf16:
      return static_cast<float>(reinterpret_cast<const bfloat16*>(scales.data)[index]);
    case DType::f16:
      return static_cast<float>(reinterpret_cast<const float16*>(scales.data)[index]);
    default:
      return float8_e8m0_value(reinterpret_cast<const std::uint8_t*>(scales.data)[index]);
  }
}

/// out[k * out_step] = stored element (row, column + k * w.step[1]) for k < count.
inline void decode_run(const WeightMatrix& w, std::size_t row, std::size_t column, std::size_t count, float* out,
                       std::size_t out_step) noexcept {
  const auto widen = [&]<class T>(const T* elements) {
    for (std::size_t k = 0; k < count; ++k)
      out[k * out_step] = static_cast<float>(elements[row * w.stride + column + k * w.step[1]]);
  };
  switch (w.dtype) {
    case DType::f32:
      return widen(reinterpret_cast<const float*>(w.data));
    case DType::bf16:
      return widen(reinterpret_cast<const bfloat16*>(w.data));
    case DType::f16:
      return widen(reinterpret_cast<const float16*>(w.data));
    default:
      break;
  }
  if (w.dtype == DType::bf16_panels && w.step[1] == 1) {  // pairs of columns, those of 16 rows beside each other
    const auto* lane = reinterpret_cast<const bfloat16*>(w.data + row / kPanelRows * w.stride) + row % kPanelRows * 2;
    for (std::size_t k = 0, c = column; k < count; ++k, ++c)
      out[k * out_step] = static_cast<float>(lane[c / 2 * 2 * kPanelRows + c % 2]);
    return;
  }
  if (is_packed(w.dtype)) {
    for (std::size_t k = 0; k < count; ++k)
      out[k * out_step] = packed_value(w.dtype, w.data, w.stride, row, column + k * w.step[1]);
    return;
  }
  // value(i) is code i of the matrix, without its scale.
  const auto scaled = [&](const auto& value) {
    for (std::size_t k = 0; k < count;) {
      const std::size_t at = column + k * w.step[1];
      const std::size_t left = w.scales.block_columns - at % w.scales.block_columns;  // columns of this block
      const std::size_t end = std::min(count, k + (left + w.step[1] - 1) / w.step[1]);
      const float scale = block_scale(w.scales, row, at);
      for (std::size_t i = row * w.stride + at; k < end; ++k, i += w.step[1]) out[k * out_step] = value(i) * scale;
    }
  };
  if (w.dtype == DType::f8_e4m3) {
    scaled([codes = w.data](std::size_t i) { return kFloat8E4M3Values[std::to_integer<std::size_t>(codes[i])]; });
  } else {
    scaled([codes = w.data](std::size_t i) {
      const auto two = std::to_integer<unsigned>(codes[i / 2]);
      return kFloat4E2M1Values[i % 2 == 0 ? two & 15U : two >> 4U];
    });
  }
}

}  // namespace detail

/// out[r * row_step + c * column_step] = w(row + r, column + c) for r < rows, c < columns: stored numbers exactly,
/// codes times their scale rounded once to f32.
inline void decode(const WeightMatrix& w, std::size_t row, std::size_t rows, std::size_t column, std::size_t columns,
                   float* out, std::size_t row_step, std::size_t column_step) noexcept {
  if (w.transposed) {
    for (std::size_t c = 0; c < columns; ++c)
      detail::decode_run(w, w.first[0] + (column + c) * w.step[0], w.first[1] + row * w.step[1], rows,
                         out + c * column_step, row_step);
  } else {
    for (std::size_t r = 0; r < rows; ++r)
      detail::decode_run(w, w.first[0] + (row + r) * w.step[0], w.first[1] + column * w.step[1], columns,
                         out + r * row_step, column_step);
  }
}

/// out[c] = w(row, c) for the whole row.
inline void decode_row(const WeightMatrix& w, std::size_t row, float* out) noexcept {
  decode(w, row, 1, 0, w.columns, out, w.columns, 1);
}

}  // namespace trine::inline TRINE_ABI::kernels
