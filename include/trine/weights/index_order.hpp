// SPDX-License-Identifier: Apache-2.0
// Orders of the rows and columns of a matrix that differ from those of the published checkpoint.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include <trine/core/abi.hpp>

namespace trine::inline TRINE_ABI {

/// For each row, or column, its number in the published checkpoint. Null: the same.
using IndexOrder = std::shared_ptr<const std::vector<std::uint32_t>>;

/// Heads whose two halves alternate: row 2 j + s of a head is row s head_dim / 2 + j of the checkpoint.
[[nodiscard]] inline IndexOrder interleaved_halves(std::size_t heads, std::size_t head_dim) {
  std::vector<std::uint32_t> order(heads * head_dim);
  for (std::size_t i = 0; i < order.size(); ++i) {
    const std::size_t row = i % head_dim;
    order[i] = static_cast<std::uint32_t>(i - row + row % 2 * (head_dim / 2) + row / 2);
  }
  return std::make_shared<const std::vector<std::uint32_t>>(std::move(order));
}

}  // namespace trine::inline TRINE_ABI
