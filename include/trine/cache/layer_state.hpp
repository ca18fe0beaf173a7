// SPDX-License-Identifier: Apache-2.0
// The state of one layer for one sequence.
#pragma once

#include <cstddef>
#include <vector>

#include <trine/cache/page_table.hpp>
#include <trine/quant/kv_cache_dtype.hpp>

namespace trine::inline TRINE_ABI {

/// Page tables whose contents the layer defines: keys and values, latents, a ring of them, or a recurrent state. A copy
/// shares the pages until one of the two writes to them.
struct LayerState {
  KvCacheDtype type = KvCacheDtype::f32;  ///< type of cached elements
  std::vector<PageTable> tables;          ///< defined by the layer

  /// Bytes of all pages; shared pages count in full.
  [[nodiscard]] std::size_t bytes() const noexcept {
    std::size_t total = 0;
    for (const PageTable& table : tables) total += table.bytes();
    return total;
  }
};

/// What a model keeps of one sequence: the state of each layer.
using SequenceCache = std::vector<LayerState>;

}  // namespace trine::inline TRINE_ABI
