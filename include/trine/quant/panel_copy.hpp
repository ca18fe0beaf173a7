// SPDX-License-Identifier: Apache-2.0
// Copies of plain bf16 rows in panels, for kernels that require panels.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>

#include <trine/quant/weight_formats.hpp>

namespace trine::inline TRINE_ABI {

/// Returns whether `copy_to_panels` takes these weights.
[[nodiscard]] inline bool has_panel_copy(const WeightMatrix& w) noexcept {
  return w.dtype == kBf16PanelsFormat.copy_of->dtype && w.has_plain_rows() &&
         w.columns % kBf16PanelsFormat.column_multiple == 0;
}
/// The layout of a copy [rows, columns], without memory.
[[nodiscard]] inline WeightMatrix panel_copy_layout(std::size_t rows, std::size_t columns) noexcept {
  return stored_matrix(nullptr, kBf16Panels, rows, columns);
}

/// w as bf16_panels, bit by bit, at `out`, which must have room for its rows of blocks.   w: has_panel_copy
[[nodiscard]] inline WeightMatrix copy_to_panels(const WeightMatrix& w, std::byte* out) noexcept {
  constexpr std::size_t kPair = 2 * sizeof(bfloat16);
  constexpr std::size_t kLine = 64;  // bytes of a row at a time, which form a square of pairs
  WeightMatrix panels = panel_copy_layout(w.rows, w.columns);
  panels.data = out;
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
