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

/// Of some streams of weights (rows, panels) those that a tile asks for: [begin, end), each `distance` bytes behind the
/// one in use: modulo 2^64, so it may lie before it. A stream is asked for as evenly as the tile reads, since memory
/// takes few requests at a time.
struct Prefetch {
  std::uintptr_t distance = 0;
  std::size_t begin = 0;
  std::size_t end = 0;
  bool own = false;  // a few rows of activations do not cover the way of others: all streams look ahead in themselves
  TRINE_INLINE void ask(const void* weights) const noexcept {
    __builtin_prefetch(reinterpret_cast<const void*>(reinterpret_cast<std::uintptr_t>(weights) + distance));
  }
};

/// The part of tile `tile` of `tiles`, which together ask for all streams.
[[nodiscard]] TRINE_INLINE Prefetch prefetch_of_tile(std::uintptr_t distance, std::size_t streams, std::size_t tile,
                                                     std::size_t tiles) noexcept {
  if (distance == 0) return {};
  return {distance, streams * tile / tiles, streams * (tile + 1) / tiles};
}

}  // namespace trine::inline TRINE_ABI::kernels
