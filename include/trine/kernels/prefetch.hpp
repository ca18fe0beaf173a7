// SPDX-License-Identifier: Apache-2.0
// Which weights a GEMM tile prefetches while it computes with others.
#pragma once

#include <cstddef>
#include <cstdint>

#include <trine/core/abi.hpp>
#include <trine/kernels/simd/target.hpp>

namespace trine::inline TRINE_ABI::kernels {

/// The distance from `weights` to `next`; 0 if there is none.
[[nodiscard]] inline std::uintptr_t offset_to(const void* next, const void* weights) noexcept {
  return next == nullptr ? 0 : reinterpret_cast<std::uintptr_t>(next) - reinterpret_cast<std::uintptr_t>(weights);
}

/// The streams of weights (rows, panels) that a tile prefetches: [begin, end), each `distance` bytes after the one in
/// use, modulo 2^64, so the address may also be lower. Requests are spread evenly over the tile, because memory takes
/// few at a time.
struct Prefetch {
  std::uintptr_t distance = 0;
  std::size_t begin = 0;
  std::size_t end = 0;
  bool own = false;  // few rows of activations: every stream prefetches further ahead within itself
  TRINE_INLINE void fetch(const void* weights) const noexcept {
    __builtin_prefetch(reinterpret_cast<const void*>(reinterpret_cast<std::uintptr_t>(weights) + distance));
  }
};

/// The share of tile `tile` of `tiles`, which together prefetch all streams.
[[nodiscard]] TRINE_INLINE Prefetch prefetch_of_tile(std::uintptr_t distance, std::size_t streams, std::size_t tile,
                                                     std::size_t tiles) noexcept {
  if (distance == 0) return {};
  return {distance, streams * tile / tiles, streams * (tile + 1) / tiles};
}

}  // namespace trine::inline TRINE_ABI::kernels
