// SPDX-License-Identifier: Apache-2.0
// Keys and values of past tokens in pages, in the order in which attention reads them.
//
// A page holds `blocks` blocks of `block_rows` rows; the meaning of a row is up to the user. The order is head after
// head, and block after block for each head:
//
//   keys     [head_dim][block_rows]               one column per row: element i of consecutive keys is contiguous
//   scales   f32 [groups][block_rows]             q8 only
//   values   [block_rows][value_width]
//   scales   f32 [block_rows][value_groups]       q8 only
//
// Each of the four begins at a multiple of 64 bytes.
#pragma once

#include <cstddef>
#include <span>

#include <trine/cache/kv_row.hpp>
#include <trine/cache/page_table.hpp>

namespace trine::inline TRINE_ABI {

struct KvPageLayout {
  std::size_t blocks = 1;  // of a page
  std::size_t block_rows = 0;
  std::size_t heads = 0;
  std::size_t head_dim = 0;
  KvCacheDtype type = KvCacheDtype::f32;
  std::size_t value_dim = 0;  // of a value; 0: head_dim

  [[nodiscard]] constexpr std::size_t page_rows() const noexcept { return blocks * block_rows; }
  [[nodiscard]] constexpr std::size_t value_width() const noexcept { return value_dim == 0 ? head_dim : value_dim; }
  [[nodiscard]] constexpr std::size_t groups() const noexcept { return cache_scales(type, head_dim); }
  [[nodiscard]] constexpr std::size_t value_groups() const noexcept { return cache_scales(type, value_width()); }
  [[nodiscard]] constexpr std::size_t key_bytes() const noexcept { return element_bytes(head_dim); }
  [[nodiscard]] constexpr std::size_t key_scale_bytes() const noexcept { return scale_bytes(groups()); }
  [[nodiscard]] constexpr std::size_t value_bytes() const noexcept { return element_bytes(value_width()); }
  [[nodiscard]] constexpr std::size_t block_bytes() const noexcept {
    return key_bytes() + key_scale_bytes() + value_bytes() + scale_bytes(value_groups());
  }
  [[nodiscard]] constexpr std::size_t page_bytes() const noexcept { return heads * blocks * block_bytes(); }
  /// Where the block of a row begins in its page.
  [[nodiscard]] constexpr std::size_t block_offset(std::size_t head, std::size_t row) const noexcept {
    return (head * blocks + row / block_rows) * block_bytes();
  }

 private:
  [[nodiscard]] constexpr std::size_t element_bytes(std::size_t width) const noexcept {
    return lines(width * block_rows * size_bytes(type));
  }
  [[nodiscard]] constexpr std::size_t scale_bytes(std::size_t count) const noexcept {
    return lines(count * block_rows * sizeof(float));
  }
  [[nodiscard]] static constexpr std::size_t lines(std::size_t bytes) noexcept {
    return (bytes + kCacheLineBytes - 1) / kCacheLineBytes * kCacheLineBytes;
  }
};

/// A row of all heads.
struct CacheSlot {
  std::size_t page = 0;
  std::size_t row = 0;
};

/// `count` rows that are contiguous in one block.
struct KvSegment {
  CacheSlot slot;
  std::size_t count = 0;
};

/// The memory of the rows from a slot on, up to the end of their block.
struct KvRows {
  const std::byte* keys;      // first element of the first row
  const float* key_scales;    // q8: of the first row
  const std::byte* values;    // first row
  const float* value_scales;  // q8: of the first row
};

/// Stores a row of all heads.   key: [heads * head_dim]   value: [heads * value_width]. Throws std::bad_alloc.
inline void store_kv(const KvPageLayout& shape, PageTable& pages, CacheSlot slot, std::span<const float> key,
                     std::span<const float> value) {
  std::byte* page = pages.write(slot.page);
  const std::size_t row = slot.row % shape.block_rows;
  for (std::size_t head = 0; head < shape.heads; ++head) {
    std::byte* keys = page + shape.block_offset(head, slot.row);
    std::byte* key_scales = keys + shape.key_bytes();
    std::byte* values = key_scales + shape.key_scale_bytes();
    std::byte* value_scales = values + shape.value_bytes();
    store_kv_row(shape.type, key.subspan(head * shape.head_dim, shape.head_dim), keys + row * size_bytes(shape.type),
                 shape.block_rows, reinterpret_cast<float*>(key_scales) + row, shape.block_rows);
    store_kv_row(shape.type, value.subspan(head * shape.value_width(), shape.value_width()),
                 values + row * shape.value_width() * size_bytes(shape.type), 1,
                 reinterpret_cast<float*>(value_scales) + row * shape.value_groups(), 1);
  }
}

/// The rows of one head from `slot` on.
[[nodiscard]] inline KvRows kv_rows(const KvPageLayout& shape, const PageTable& pages, std::size_t head,
                                    CacheSlot slot) noexcept {
  const std::size_t row = slot.row % shape.block_rows;
  const std::byte* keys = pages.read(slot.page) + shape.block_offset(head, slot.row);
  const std::byte* key_scales = keys + shape.key_bytes();
  const std::byte* values = key_scales + shape.key_scale_bytes();
  const std::byte* value_scales = values + shape.value_bytes();
  return {keys + row * size_bytes(shape.type), reinterpret_cast<const float*>(key_scales) + row,
          values + row * shape.value_width() * size_bytes(shape.type),
          reinterpret_cast<const float*>(value_scales) + row * shape.value_groups()};
}

}  // namespace trine::inline TRINE_ABI
