// SPDX-License-Identifier: Apache-2.0
// Which weights a tile of a product asks memory for while it computes with others.
#pragma once

#include <cstddef>
#include <cstdint>

#include <trine/core/abi.hpp>
#include <trine/kernels/simd/target.hpp>

namespace trine::inline TRINE_ABI::kernels {

/// From weights to those that are wanted next; none to themselves.
[[nodiscard]] inline std::uintptr_t distance_to(const void* next, const void* weights) noexcept {
  return next == nullptr ? 0 : reinterpret_cast<std::uintptr_t>(next) - reinterpret_cast<std::uintptr_t>(weights);
}

/// What lies `distance` bytes behind columns [begin, end) of the weights in use: modulo 2^64, so it may lie before
/// them.
struct Ahead {
  std::uintptr_t distance = 0;
  std::size_t begin = 0;
  std::size_t end = 0;
  [[nodiscard]] TRINE_INLINE bool covers(std::size_t column) const noexcept { return column - begin < end - begin; }
  TRINE_INLINE void ask(const void* weights) const noexcept {
    __builtin_prefetch(reinterpret_cast<const void*>(reinterpret_cast<std::uintptr_t>(weights) + distance));
  }
  /// The columns after them, for the next tile.
  TRINE_INLINE void next(std::size_t count) noexcept {
    begin = end;
    end += count;
  }
};

}  // namespace trine::inline TRINE_ABI::kernels
