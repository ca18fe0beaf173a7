// SPDX-License-Identifier: Apache-2.0
// The cache of multi-head latent attention: one row per position, in pages.
#pragma once

#include <cstddef>
#include <span>

#include <trine/cache/kv_row.hpp>
#include <trine/cache/page_table.hpp>

namespace trine::inline TRINE_ABI {

/// A page holds the positions from a multiple of kPageRows on: [kPageRows][width] elements, then for q8 f32 scales
/// [kPageRows][groups].
struct LatentCacheLayout {
  static constexpr std::size_t kPageRows = 128;
  std::size_t width = 0;  // of a row: the latent of keys and values, then the rotary key that all heads share
  KvCacheDtype type = KvCacheDtype::f32;

  [[nodiscard]] constexpr std::size_t groups() const noexcept { return cache_scales(type, width); }
  [[nodiscard]] constexpr std::size_t element_bytes() const noexcept {
    return (kPageRows * width * size_bytes(type) + kCacheLineBytes - 1) / kCacheLineBytes * kCacheLineBytes;
  }
  [[nodiscard]] constexpr std::size_t page_bytes() const noexcept {
    return element_bytes() + kPageRows * groups() * sizeof(float);
  }
  [[nodiscard]] static constexpr std::size_t pages(std::size_t tokens) noexcept {
    return (tokens + kPageRows - 1) / kPageRows;
  }
};

/// Stores the row of `position`.   row: [width]. Throws std::bad_alloc.
inline void store_latent(const LatentCacheLayout& shape, PageTable& pages, std::size_t position,
                         std::span<const float> row) {
  std::byte* page = pages.write(position / LatentCacheLayout::kPageRows);
  const std::size_t r = position % LatentCacheLayout::kPageRows;
  store_kv_row(shape.type, row, page + r * shape.width * size_bytes(shape.type), 1,
               reinterpret_cast<float*>(page + shape.element_bytes()) + r * shape.groups(), 1);
}

}  // namespace trine::inline TRINE_ABI
