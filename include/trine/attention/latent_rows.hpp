// SPDX-License-Identifier: Apache-2.0
// Reads rows of a latent cache as f32.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

#include <trine/cache/latent_cache_layout.hpp>
#include <trine/kernels/kv_rows.hpp>

namespace trine::inline TRINE_ABI {

/// The rows of a sequence, whose pages are borrowed.
struct LatentRows {
  LatentCacheLayout shape;
  const PageTable* pages = nullptr;

  /// Rows [first, first + count) of one page, [count, width]: where they lie, or converted.   loaded: room for them,
  /// unused if the cache is f32
  [[nodiscard]] const float* within_page(Isa isa, std::size_t first, std::size_t count, float* loaded) const noexcept {
    const std::byte* page = pages->read(first / LatentCacheLayout::kPageRows);
    const std::size_t row = first % LatentCacheLayout::kPageRows;
    const std::byte* stored = page + row * shape.width * size_bytes(shape.type);
    if (shape.type == KvCacheDtype::f32) return reinterpret_cast<const float*>(stored);
    const float* scales = reinterpret_cast<const float*>(page + shape.element_bytes()) + row * shape.groups();
    kernels::load_kv_rows(isa, {shape.type, stored, shape.width, scales, shape.groups()}, count, shape.width, loaded,
                          shape.width);
    return loaded;
  }

  /// Copies the rows of these positions.   gathered: [positions, width]
  void gather(Isa isa, std::span<const std::uint32_t> positions, float* gathered) const noexcept {
    for (std::size_t i = 0; i < positions.size(); ++i, gathered += shape.width) {
      const float* row = within_page(isa, positions[i], 1, gathered);
      if (row != gathered) std::copy_n(row, shape.width, gathered);
    }
  }
};

}  // namespace trine::inline TRINE_ABI
