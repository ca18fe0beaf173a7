// SPDX-License-Identifier: Apache-2.0
// One attention layer alone, for rows of sequences whose states the caller keeps.
#pragma once

#include <cstddef>
#include <cstdint>
#include <numeric>
#include <span>
#include <vector>

#include <trine/attention/attention.hpp>
#include <trine/core/tensor.hpp>

namespace trine::test {

struct AttentionRows {
  std::size_t first_row = 0;
  std::size_t rows = 0;
  std::size_t position = 0;
  LayerState* state = nullptr;
};

/// selected: ForwardContext::selected, which the layer reads or overwrites
inline void forward(const Attention& attention, const ExecutionContext& execution, Workspace& workspace,
                    View<const float, 2> x, std::span<const AttentionRows> sequences, View<float, 2> y,
                    View<std::uint32_t, 2> selected) {
  std::vector<SequenceSlice> slices;
  std::vector<std::size_t> positions;
  for (const AttentionRows& rows : sequences) {
    slices.push_back({rows.first_row, rows.rows, rows.position, {rows.state, 1}});
    for (std::size_t r = 0; r < rows.rows; ++r) positions.push_back(rows.position + r);
  }
  attention.forward(
      {.execution = execution, .workspace = workspace, .batch = {slices, positions}, .selected = selected}, x, y);
}
inline void forward(const Attention& attention, const ExecutionContext& execution, Workspace& workspace,
                    View<const float, 2> x, std::span<const AttentionRows> sequences, View<float, 2> y) {
  Tensor<std::uint32_t, 2> selected({x.extent(0), attention.selected_positions()});
  forward(attention, execution, workspace, x, sequences, y, selected.view());
}

}  // namespace trine::test
