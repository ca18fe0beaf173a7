// SPDX-License-Identifier: Apache-2.0
// The interface of an attention layer, and of what it remembers of a sequence.
#pragma once

#include <cstddef>
#include <memory>
#include <span>

#include <trine/core/tensor_view.hpp>
#include <trine/core/workspace.hpp>
#include <trine/platform/execution.hpp>

namespace trine::inline TRINE_ABI {

/// What one attention layer remembers of one sequence.
class AttentionCache {
 public:
  AttentionCache() = default;
  AttentionCache(const AttentionCache&) = delete;
  AttentionCache& operator=(const AttentionCache&) = delete;
  virtual ~AttentionCache() = default;
  [[nodiscard]] virtual std::size_t bytes() const = 0;
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

  [[nodiscard]] virtual std::unique_ptr<AttentionCache> make_cache() const = 0;
  /// Bytes that a cache holds once it has seen `tokens` tokens.
  [[nodiscard]] virtual std::size_t cache_bytes(std::size_t tokens) const = 0;
  [[nodiscard]] virtual std::size_t parameters() const = 0;

  /// y = attention(x), and the caches go on by the new rows.   x, y: [rows, hidden], not aliasing.
  virtual void forward(const Execution& execution, Workspace& workspace, View<const float, 2> x,
                       std::span<const SequenceRows> sequences, View<float, 2> y) const = 0;
};

}  // namespace trine::inline TRINE_ABI
