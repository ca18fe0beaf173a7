// SPDX-License-Identifier: Apache-2.0
// The interface of an attention layer.
#pragma once

#include <cstddef>
#include <vector>

#include <trine/cache/layer_state.hpp>
#include <trine/core/tensor_view.hpp>
#include <trine/nn/forward_context.hpp>

namespace trine::inline TRINE_ABI {

/// y = attention(x) over the positions of each sequence, and its state. Const: states belong to sequences.
class Attention {
 public:
  Attention() = default;
  Attention(const Attention&) = delete;
  Attention& operator=(const Attention&) = delete;
  virtual ~Attention() = default;

  /// The state of a sequence without positions.
  [[nodiscard]] virtual LayerState make_cache(KvCacheDtype type = KvCacheDtype::f32) const = 0;
  /// The number of pages that each table of a state uses after `tokens` tokens; they are its first pages.
  [[nodiscard]] virtual std::vector<std::size_t> cache_pages(std::size_t tokens) const = 0;
  /// The bytes of these pages.
  [[nodiscard]] std::size_t cache_bytes(std::size_t tokens, KvCacheDtype type = KvCacheDtype::f32) const {
    const LayerState state = make_cache(type);
    const std::vector<std::size_t> pages = cache_pages(tokens);
    std::size_t total = 0;
    for (std::size_t i = 0; i < pages.size(); ++i) total += pages[i] * state.tables[i].page_bytes();
    return total;
  }
  /// The last position up to `to` that the state after `tokens` tokens can go back to: `to` itself if it still holds
  /// what the token there needs, otherwise one from which to compute again; 0 if there is none.
  [[nodiscard]] virtual std::size_t rewind_position(const LayerState& state, std::size_t tokens,
                                                    std::size_t to) const = 0;
  /// Truncates the state to its first `to` tokens, a position that rewind_position() returned.
  virtual void truncate(LayerState& state, std::size_t to) const = 0;
  /// How many positions a row attends to by ForwardContext::selected, which the layer writes or reads; 0: none.
  [[nodiscard]] virtual std::size_t selected_positions() const noexcept { return 0; }
  /// Number of weights.
  [[nodiscard]] virtual std::size_t parameters() const = 0;

  /// y = attention(x); adds the new rows to the states of the batch's sequences.   x, y: [rows, hidden], not aliasing.
  virtual void forward(const ForwardContext& context, View<const float, 2> x, View<float, 2> y) const = 0;
};

}  // namespace trine::inline TRINE_ABI
