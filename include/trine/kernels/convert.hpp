// SPDX-License-Identifier: Apache-2.0
// Converts stored weights of any format to f32.
#pragma once

#include <cstddef>

#include <trine/quant/weight_formats.hpp>

namespace trine::inline TRINE_ABI::kernels {

/// out[r * row_step + c * column_step] = w(row + r, column + c) for r < rows, c < columns: stored values exactly,
/// quantised values times their scale rounded once to f32.   w: of a format in the table
inline void decode(const WeightMatrix& w, std::size_t row, std::size_t rows, std::size_t column, std::size_t columns,
                   float* out, std::size_t row_step, std::size_t column_step) noexcept {
  const auto decode_run = find_format(w.dtype)->decode;
  if (w.transposed) {
    for (std::size_t c = 0; c < columns; ++c)
      decode_run(w, w.first[0] + (column + c) * w.step[0], w.first[1] + row * w.step[1], rows, out + c * column_step,
                 row_step);
  } else {
    for (std::size_t r = 0; r < rows; ++r)
      decode_run(w, w.first[0] + (row + r) * w.step[0], w.first[1] + column * w.step[1], columns, out + r * row_step,
                 column_step);
  }
}

/// out[c] = w(row, c) for the whole row.
inline void decode_row(const WeightMatrix& w, std::size_t row, float* out) noexcept {
  decode(w, row, 1, 0, w.columns, out, w.columns, 1);
}

}  // namespace trine::inline TRINE_ABI::kernels
