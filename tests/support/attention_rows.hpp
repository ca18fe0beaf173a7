// SPDX-License-Identifier: Apache-2.0
// One attention layer alone, for rows of sequences whose states the caller keeps.
#pragma once

#include <cstddef>
#include <numeric>
#include <span>
#include <vector>

#include <trine/attention/attention.hpp>

namespace trine::test {

struct AttentionRows {
  std::size_t first_row = 0;
  std::size_t rows = 0;
  std::size_t position = 0;
  LayerState* state = nullptr;
};

inline void forward(const Attention& attention, const ExecutionContext& execution, Workspace& workspace,
                    View<const float, 2> x, std::span<const AttentionRows> sequences, View<float, 2> y) {
  std::vector<SequenceSlice> slices;
  std::vector<std::size_t> positions;
  for (const AttentionRows& rows : sequences) {
    slices.push_back({rows.first_row, rows.rows, rows.position, {rows.state, 1}});
    for (std::size_t r = 0; r < rows.rows; ++r) positions.push_back(rows.position + r);
  }
  attention.forward({.execution = execution, .workspace = workspace, .batch = {slices, positions}}, x, y);
}

}  // namespace trine::test
