// SPDX-License-Identifier: Apache-2.0
// The state of a recurrent layer for one sequence. Positions are cut into chunks of kChunk. Kept are the recurrent
// state at the borders of the last two chunks and of some before, and the rows of the last two chunks. So a row is
// computed from the state at the border before it and the rows in between, in whatever passes they came; and a sequence
// goes back a few positions at once, and to any other by computing again from the nearest border that is kept.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include <trine/cache/layer_state.hpp>

namespace trine::inline TRINE_ABI {

/// What lies where in the pages of a LayerState. Table 0 has a page per kept border, table 1 one for each of the last
/// two chunks. A page begins with the number of its chunk plus one, so that one from beyond the end of the sequence, or
/// from before, is recognised; then come values in f32.
///
/// Border b, the beginning of chunk b, is kept at level j if it is one of the last two multiples of kSpacing^j. Going
/// back by n positions therefore computes again at most about 2 kSpacing n, and the number of pages grows with the
/// logarithm of the length. Border 0 has no page: its state is zero.
class RecurrentStateLayout {
 public:
  static constexpr std::size_t kChunk = 32;   ///< positions
  static constexpr std::size_t kSpacing = 8;  ///< borders of a level per border of the next

  /// border_size: values of the state at a border   chunk_size: values of the rows of a chunk
  RecurrentStateLayout(std::size_t border_size, std::size_t chunk_size)
      : border_bytes_(kHeader + border_size * sizeof(float)), chunk_bytes_(kHeader + chunk_size * sizeof(float)) {}

  /// The state of a sequence without positions.
  [[nodiscard]] LayerState make(KvCacheDtype type) const {
    return {type, {PageTable(border_bytes_), PageTable(chunk_bytes_)}};
  }
  /// The number of pages of each table after `tokens` tokens.
  [[nodiscard]] static std::vector<std::size_t> pages(std::size_t tokens) {
    std::size_t borders = 0;
    for (std::size_t multiples = tokens / kChunk; multiples > 0; multiples /= kSpacing)
      borders += std::min<std::size_t>(2, multiples);
    return {borders, std::min<std::size_t>(2, (tokens + kChunk - 1) / kChunk)};
  }

  /// The state at border `chunk`, one of the last two; null for 0.
  [[nodiscard]] static const float* border(const LayerState& state, std::size_t chunk) noexcept {
    return chunk == 0 ? nullptr : values(state.tables[0].read(slot(chunk, 0)));
  }
  /// The rows of a chunk, one of the last two.
  [[nodiscard]] static const float* chunk(const LayerState& state, std::size_t chunk) noexcept {
    return values(state.tables[1].read(chunk % 2));
  }

  /// The last position up to `to` that truncate() can go back to.
  [[nodiscard]] static std::size_t rewind_position(const LayerState& state, std::size_t to) {
    const std::size_t chunk = to / kChunk;
    std::size_t nearest = 0;
    const PageTable& borders = state.tables[0];
    for (std::size_t page = 0; page < borders.size(); ++page)
      if (const std::size_t found = chunk_of(borders, page); found <= chunk) nearest = std::max(nearest, found);
    if (nearest < chunk) return nearest * kChunk;
    return to % kChunk == 0 || chunk_of(state.tables[1], chunk % 2) == chunk ? to : chunk * kChunk;
  }
  /// Goes back to a position that rewind_position() returned.
  static void truncate(LayerState& state, std::size_t to) {
    PageTable& borders = state.tables[0];
    const std::size_t chunk = to / kChunk;
    if (chunk > 0 && chunk_of(borders, slot(chunk, 0)) != chunk) {
      std::size_t page = 0;
      while (chunk_of(borders, page) != chunk) ++page;
      std::byte* const at = borders.write(slot(chunk, 0));  // of level 0, where passes look for it
      std::memcpy(at, borders.read(page), borders.page_bytes());
    }
    const std::vector<std::size_t> left = pages(to);
    for (std::size_t table = 0; table < left.size(); ++table) state.tables[table].truncate(left[table]);
  }

  /// The pages that a pass over positions [begin, begin + rows) writes. In one thread: allocates them, and marks what
  /// they held as invalid. Then threads may write to separate parts of them; finish() marks what they hold. Should the
  /// pass fail between, truncate() finds an earlier border.
  class Writer {
   public:
    Writer(LayerState& state, std::size_t begin, std::size_t rows)
        : state_(&state), first_(begin / kChunk), last_((begin + rows - 1) / kChunk), end_((begin + rows) / kChunk) {
      for (std::size_t c = last_ > first_ ? last_ - 1 : first_; c <= last_; ++c) {
        std::byte* const page = state.tables[1].write(c % 2);
        if (c != first_ || begin % kChunk == 0) mark(page, kNone);
      }
      for (std::size_t b = first_ + 1; b <= end_; ++b)
        for_each_slot(b, [&](std::size_t page) { mark(state.tables[0].write(page), kNone); });
    }
    void finish() const {
      for (std::size_t c = last_ > first_ ? last_ - 1 : first_; c <= last_; ++c)
        mark(state_->tables[1].write(c % 2), c);
      for (std::size_t b = first_ + 1; b <= end_; ++b)
        for_each_slot(b, [&](std::size_t page) { mark(state_->tables[0].write(page), b); });
    }

    /// The chunk of the first row, and the border after the last full chunk.
    [[nodiscard]] std::size_t first_chunk() const noexcept { return first_; }
    [[nodiscard]] std::size_t last_border() const noexcept { return end_; }
    /// Returns whether the rows of a chunk are kept after the pass. Other chunks use the same page before.
    [[nodiscard]] bool keeps(std::size_t chunk) const noexcept { return chunk + 1 >= last_; }

    /// The rows of a chunk of the pass. The chunk after the next one overwrites them.
    [[nodiscard]] float* chunk(std::size_t chunk) const noexcept {
      return const_cast<float*>(RecurrentStateLayout::chunk(*state_, chunk));
    }
    /// The state before a chunk of the pass, null for 0. That of the chunk after the next one overwrites it.
    [[nodiscard]] const float* border(std::size_t chunk) const noexcept {
      return RecurrentStateLayout::border(*state_, chunk);
    }
    /// Calls use(values) for each page that keeps border `chunk`, first that which border() returns.
    template <class Use>
    void for_each_border(std::size_t chunk, const Use& use) const {
      for_each_slot(chunk, [&](std::size_t page) { use(const_cast<float*>(values(state_->tables[0].read(page)))); });
    }

   private:
    LayerState* state_;
    std::size_t first_;
    std::size_t last_;  // chunk of the last row
    std::size_t end_;
  };

 private:
  static constexpr std::size_t kHeader = kCacheLineBytes;
  static constexpr std::size_t kNone = static_cast<std::size_t>(-1);

  [[nodiscard]] static const float* values(const std::byte* page) noexcept {
    return reinterpret_cast<const float*>(page + kHeader);
  }
  static void mark(std::byte* page, std::size_t chunk) noexcept {
    const std::uint64_t number = chunk + 1;
    std::memcpy(page, &number, sizeof number);
  }
  // kNone for a page that does not exist or holds nothing.
  [[nodiscard]] static std::size_t chunk_of(const PageTable& table, std::size_t page) noexcept {
    if (!table.exists(page)) return kNone;
    std::uint64_t number = 0;
    std::memcpy(&number, table.read(page), sizeof number);
    return static_cast<std::size_t>(number) - 1;
  }
  // Of border `multiple` * kSpacing^level, which is not 0.
  [[nodiscard]] static std::size_t slot(std::size_t multiple, std::size_t level) noexcept {
    return 2 * level + (multiple - 1) % 2;
  }
  template <class Use>
  static void for_each_slot(std::size_t border, const Use& use) {
    for (std::size_t level = 0;; ++level, border /= kSpacing) {
      use(slot(border, level));
      if (border % kSpacing != 0) return;
    }
  }

  std::size_t border_bytes_;
  std::size_t chunk_bytes_;
};

}  // namespace trine::inline TRINE_ABI
