// SPDX-License-Identifier: Apache-2.0
// Plain rows of bf16 in panels, for kernels that read nothing else.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>

#include <trine/quant/packed.hpp>
#include <trine/quant/weight_matrix.hpp>

namespace trine::inline TRINE_ABI {

/// w as bf16_panels, bit by bit, at `out`, which has packed_bytes(bf16_panels, rows, columns) bytes.   w: bf16 in plain
/// rows, the columns a multiple of 32
[[nodiscard]] inline WeightMatrix copy_to_panels(const WeightMatrix& w, std::byte* out) noexcept {
  constexpr std::size_t kPair = 2 * sizeof(bfloat16);
  constexpr std::size_t kLine = 64;  // bytes of a row at a time, which make a square of pairs
  WeightMatrix panels{out, DType::bf16_panels, w.rows, w.columns};
  panels.stride = panel_bytes(DType::bf16_panels, w.columns);
  const std::size_t row_bytes = w.row_stride() * sizeof(bfloat16);
  for (std::size_t first = 0; first < w.rows; first += kPanelRows, out += panels.stride) {
    const std::size_t rows = std::min(kPanelRows, w.rows - first);
    if (rows < kPanelRows) std::memset(out, 0, panels.stride);
    const std::byte* from = w.begin() + first * row_bytes;
    for (std::size_t i = 0; i < w.columns * sizeof(bfloat16); i += kLine) {
      for (std::size_t lane = 0; lane < rows; ++lane)
        for (std::size_t pair = 0; pair < kLine / kPair; ++pair)
          std::memcpy(out + i * kPanelRows + (pair * kPanelRows + lane) * kPair,
                      from + lane * row_bytes + i + pair * kPair, kPair);
    }
  }
  return panels;
}

}  // namespace trine::inline TRINE_ABI
