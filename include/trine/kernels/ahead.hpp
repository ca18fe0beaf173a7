// SPDX-License-Identifier: Apache-2.0
// Which weights a tile of a product asks memory for while it computes with others.
#pragma once

#include <cstddef>

#include <trine/core/abi.hpp>
#include <trine/kernels/simd/target.hpp>

namespace trine::inline TRINE_ABI::kernels {

/// What lies `distance` behind columns [begin, end) of the weights in use.
struct Ahead {
  std::size_t distance = 0;
  std::size_t begin = 0;
  std::size_t end = 0;
  [[nodiscard]] TRINE_INLINE bool covers(std::size_t column) const noexcept { return column - begin < end - begin; }
  /// The columns after them, for the next tile.
  TRINE_INLINE void next(std::size_t count) noexcept {
    begin = end;
    end += count;
  }
};

}  // namespace trine::inline TRINE_ABI::kernels
