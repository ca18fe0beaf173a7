// SPDX-License-Identifier: Apache-2.0
// Matrix transposition.
#pragma once

#include <algorithm>
#include <cstddef>

#include <trine/core/abi.hpp>

namespace trine::inline TRINE_ABI::kernels {

/// y[i, r] = x[r, i].   x: [rows, columns], leading dimension ldx   y: [columns, rows], leading dimension ldy, not
/// aliasing x
inline void transpose(const float* x, std::size_t ldx, std::size_t rows, std::size_t columns, float* y,
                      std::size_t ldy) noexcept {
  constexpr std::size_t kTile = 16;  // rows and columns whose cache lines stay in L1
  for (std::size_t r = 0; r < rows; r += kTile) {
    for (std::size_t i = 0; i < columns; i += kTile) {
      const std::size_t last_row = std::min(rows, r + kTile);
      const std::size_t last_column = std::min(columns, i + kTile);
      for (std::size_t c = i; c < last_column; ++c)
        for (std::size_t k = r; k < last_row; ++k) y[c * ldy + k] = x[k * ldx + c];
    }
  }
}

}  // namespace trine::inline TRINE_ABI::kernels
