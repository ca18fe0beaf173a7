// SPDX-License-Identifier: Apache-2.0
// The interface of an attention layer, and of what it remembers of a sequence.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include <trine/cache/cache_pages.hpp>
#include <trine/core/tensor_view.hpp>
#include <trine/core/workspace.hpp>
#include <trine/platform/execution.hpp>
#include <trine/quant/cache_type.hpp>

namespace trine::inline TRINE_ABI {

/// What one attention layer remembers of one sequence, in tables of pages whose meaning is the layer's. A copy shares
/// the pages until one of both writes to them.
struct AttentionCache {
  CacheType type = CacheType::f32;
  std::vector<CachePages> tables;

  [[nodiscard]] std::size_t bytes() const noexcept {
    std::size_t total = 0;
    for (const CachePages& table : tables) total += table.bytes();
    return total;
  }
};

/// Rows [first_row, first_row + rows) of a batch are the positions from `position` on of one sequence.
struct SequenceRows {
  std::size_t first_row = 0;
  std::size_t rows = 0;
  std::size_t position = 0;
  AttentionCache* cache = nullptr;
};

class Attention {
 public:
  Attention() = default;
  Attention(const Attention&) = delete;
  Attention& operator=(const Attention&) = delete;
  virtual ~Attention() = default;

  [[nodiscard]] virtual AttentionCache make_cache(CacheType type = CacheType::f32) const = 0;
  /// Pages that each table of a cache has once it has seen `tokens` tokens: the first so many.
  [[nodiscard]] virtual std::vector<std::size_t> cache_pages(std::size_t tokens) const = 0;
  /// The bytes of these.
  [[nodiscard]] std::size_t cache_bytes(std::size_t tokens, CacheType type = CacheType::f32) const {
    const AttentionCache cache = make_cache(type);
    const std::vector<std::size_t> pages = cache_pages(tokens);
    std::size_t total = 0;
    for (std::size_t i = 0; i < pages.size(); ++i) total += pages[i] * cache.tables[i].page_bytes();
    return total;
  }
  /// Makes a cache that has seen `tokens` tokens one that has seen the first `to` of them only, and returns true; or
  /// returns false where it has forgotten what the next token would look at, and leaves the cache as it is.
  [[nodiscard]] virtual bool truncate(AttentionCache& cache, std::size_t tokens, std::size_t to) const = 0;
  [[nodiscard]] virtual std::size_t parameters() const = 0;

  /// y = attention(x), and the caches go on by the new rows.   x, y: [rows, hidden], not aliasing.
  virtual void forward(const Execution& execution, Workspace& workspace, View<const float, 2> x,
                       std::span<const SequenceRows> sequences, View<float, 2> y) const = 0;
};

}  // namespace trine::inline TRINE_ABI
