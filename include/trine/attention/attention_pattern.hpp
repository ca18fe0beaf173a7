// SPDX-License-Identifier: Apache-2.0
// Attention patterns: which keys a query attends to, what the cache has to keep for that, and which position heads
// rotate by. Position n = t S + s is site s of frame t; S is the frame size.
//
//   pattern         keys of query n                                                  kept in the cache
//   Full            m <= n                                                           every token
//   SlidingWindow   n - window < m <= n                                              window tokens
//   Chunked         m <= n, from the start of the chunk of n minus an overlap        a chunk and an overlap
//   FrameWindow     m <= n, or the whole frame if not causal; t(n) - t(m) <= L       L + 1 frames
//   Summary         the last site of every earlier frame, and n itself               one token per frame
//   Strided         the same site of this and every earlier frame                    every token
//   Routed          the sites of top_k earlier frames of its choice, and n itself    every token, and frames' bounds
//
// Keys are numbered by an index: the position, or for Summary and Strided the frame. The visible keys of a query are a
// range of indices; for Routed, those it chooses from (frame_bounds.hpp).
//
// Summary and Strided: Child et al. 2019, arXiv:1904.10509. Divided space and time: Bertasius et al. 2021,
// arXiv:2102.05095.
#pragma once

#include <algorithm>
#include <cstddef>
#include <limits>
#include <memory>
#include <optional>
#include <span>

#include <trine/attention/chunking.hpp>
#include <trine/cache/kv_page_layout.hpp>

namespace trine::inline TRINE_ABI {

/// Queries at the positions n, n + step, ... that have nearly the same visible keys.
struct QueryTile {
  std::size_t n = 0;      ///< position of the first query
  std::size_t step = 1;   ///< stride of the positions
  std::size_t count = 0;  ///< number of queries
  /// Position of query `i`.
  [[nodiscard]] std::size_t position(std::size_t i) const noexcept { return n + i * step; }
};

/// The key indices [begin(i), end(i)) that are visible to query i of a tile. Both ascend with i.
struct VisibleRange {
  std::size_t first = 0;                                         ///< lower limit of all indices
  std::size_t last = 0;                                          ///< end of query 0
  std::size_t advance = 0;                                       ///< increment of the end per query
  std::size_t window = std::numeric_limits<std::size_t>::max();  ///< maximum number of keys
  bool attends_self = false;                                     ///< then each query also attends to its own key

  /// One past the last index visible to query `i`.
  [[nodiscard]] std::size_t end(std::size_t i) const noexcept { return last + i * advance; }
  /// The first index visible to query `i`.
  [[nodiscard]] std::size_t begin(std::size_t i) const noexcept {
    return std::max(first, end(i) - std::min(end(i), window));
  }
};

/// Queries that choose frames: each attends to the sites of the `top_k` complete frames before its own to which it has
/// the largest affinity, or of all if there are fewer.
struct FrameChoice {
  std::size_t frame_size = 1;  ///< sites of a frame
  std::size_t top_k = 1;       ///< frames that a query chooses
};

/// Which keys are visible to a query, where a cache stores them, and by which position both are rotated. Independent of
/// heads and values.
class AttentionPattern {
 public:
  AttentionPattern() = default;
  AttentionPattern(const AttentionPattern&) = delete;
  AttentionPattern& operator=(const AttentionPattern&) = delete;
  virtual ~AttentionPattern() = default;

  /// The layout of a page; the number of heads, head_dim and dtype are filled in by the caller.
  [[nodiscard]] virtual KvPageLayout page_layout() const = 0;
  /// Pages in use after `tokens` tokens.
  [[nodiscard]] virtual std::size_t pages(std::size_t tokens) const = 0;
  /// The position that query and key n rotate by.
  [[nodiscard]] virtual std::size_t rotary_position(std::size_t n) const { return n; }
  /// How many of the `rows` positions from n on may be stored before the first of them attends: storing may overwrite
  /// keys that it needs.
  [[nodiscard]] virtual std::size_t max_append(std::size_t n, std::size_t rows) const {
    static_cast<void>(n);
    return rows;
  }
  /// The slot of position n; nullopt if it is not stored.
  [[nodiscard]] virtual std::optional<CacheSlot> slot(std::size_t n) const = 0;
  /// Divides the queries [n, end) into tiles of up to `most` queries and returns the number of tiles.   tiles: room for
  /// end - n
  [[nodiscard]] virtual std::size_t tiles(std::size_t n, std::size_t end, std::size_t most,
                                          std::span<QueryTile> tiles) const = 0;
  /// The keys visible to the queries of a tile.
  [[nodiscard]] virtual VisibleRange visible(const QueryTile& tile) const = 0;
  /// The keys of indices [index, end) that are visible to the tile, or the first of them that are contiguous.
  [[nodiscard]] virtual KvSegment segment(const QueryTile& tile, std::size_t index, std::size_t end) const = 0;
  /// How queries choose among the visible keys; nullopt: they attend to all of them.
  [[nodiscard]] virtual std::optional<FrameChoice> choice() const { return std::nullopt; }
  /// Returns whether the cache after `tokens` tokens still holds all keys that position `to` and later ones attend to.
  [[nodiscard]] virtual bool can_truncate(std::size_t tokens, std::size_t to) const {
    static_cast<void>(tokens);
    static_cast<void>(to);
    return true;
  }

 protected:
  /// Tiles of consecutive queries; none crosses a multiple of `period`.
  [[nodiscard]] static std::size_t cut(std::size_t n, std::size_t end, std::size_t most, std::size_t period,
                                       std::span<QueryTile> tiles) noexcept {
    std::size_t cut = 0;
    while (n < end) {
      const std::size_t count = std::min({most, end - n, period - n % period});
      tiles[cut++] = {n, 1, count};
      n += count;
    }
    return cut;
  }
  /// A `period` for cut() that no position reaches.
  static constexpr std::size_t kNoLimit = std::numeric_limits<std::size_t>::max();
};

/// Every query attends to all keys up to its own. Pages of 64 tokens.
class FullPattern : public AttentionPattern {
 public:
  [[nodiscard]] KvPageLayout page_layout() const override { return {.blocks = 1, .block_rows = kPageRows}; }
  [[nodiscard]] std::size_t pages(std::size_t tokens) const override { return (tokens + kPageRows - 1) / kPageRows; }
  [[nodiscard]] std::optional<CacheSlot> slot(std::size_t n) const override { return at(n); }
  [[nodiscard]] std::size_t tiles(std::size_t n, std::size_t end, std::size_t most,
                                  std::span<QueryTile> tiles) const override {
    return cut(n, end, most, kNoLimit, tiles);
  }
  [[nodiscard]] VisibleRange visible(const QueryTile& tile) const override {
    return {.last = tile.n + 1, .advance = 1};
  }
  [[nodiscard]] KvSegment segment(const QueryTile&, std::size_t index, std::size_t end) const override {
    return {at(index), std::min(end - index, kPageRows - index % kPageRows)};
  }

 private:
  [[nodiscard]] static CacheSlot at(std::size_t index) noexcept { return {index / kPageRows, index % kPageRows}; }
  static constexpr std::size_t kPageRows = 64;
};

/// The last `window` tokens, n itself among them, in a ring of pages: position n overwrites n - capacity.
/// Beltagy et al., "Longformer", 2020, arXiv:2004.05150.
class SlidingWindowPattern : public AttentionPattern {
 public:
  /// window >= 1
  explicit SlidingWindowPattern(std::size_t window)
      : window_(window), ring_pages_((window + kPageRows - 1) / kPageRows + 1), capacity_(ring_pages_ * kPageRows) {}

  [[nodiscard]] KvPageLayout page_layout() const override { return {.blocks = 1, .block_rows = kPageRows}; }
  [[nodiscard]] std::size_t pages(std::size_t tokens) const override {
    return std::min(ring_pages_, (tokens + kPageRows - 1) / kPageRows);
  }
  [[nodiscard]] std::size_t max_append(std::size_t, std::size_t rows) const override {
    return std::min(rows, capacity_ - window_ + 1);  // the first of them still attends to window - 1 earlier tokens
  }
  [[nodiscard]] std::optional<CacheSlot> slot(std::size_t n) const override { return at(n); }
  [[nodiscard]] std::size_t tiles(std::size_t n, std::size_t end, std::size_t most,
                                  std::span<QueryTile> tiles) const override {
    return cut(n, end, most, kNoLimit, tiles);
  }
  [[nodiscard]] VisibleRange visible(const QueryTile& tile) const override {
    return {.last = tile.n + 1, .advance = 1, .window = window_};
  }
  [[nodiscard]] KvSegment segment(const QueryTile&, std::size_t index, std::size_t end) const override {
    return {at(index), std::min(end - index, kPageRows - index % kPageRows)};
  }
  [[nodiscard]] bool can_truncate(std::size_t tokens, std::size_t to) const override {
    const std::size_t first = to + 1 - std::min(to + 1, window_);  // the first key visible to position `to`
    return first == to || first + capacity_ >= tokens;
  }

 private:
  [[nodiscard]] CacheSlot at(std::size_t n) const noexcept {
    return {n % capacity_ / kPageRows, n % capacity_ % kPageRows};
  }
  static constexpr std::size_t kPageRows = 64;
  std::size_t window_;
  std::size_t ring_pages_;
  std::size_t capacity_;  // tokens of the ring
};

/// Full attention in chunks. A ring of pages holds a chunk and the overlap with the previous one.
class ChunkedPattern : public AttentionPattern {
 public:
  /// Chunks of `chunking.size` positions, each with an overlap of `chunking.overlap` with the previous one.
  explicit ChunkedPattern(const Chunking& chunking)
      : chunking_(chunking), ring_pages_((chunking.size + chunking.overlap + kPageRows - 1) / kPageRows) {}

  [[nodiscard]] KvPageLayout page_layout() const override { return {.blocks = 1, .block_rows = kPageRows}; }
  [[nodiscard]] std::size_t pages(std::size_t tokens) const override {
    return std::min(ring_pages_, (tokens + kPageRows - 1) / kPageRows);
  }
  [[nodiscard]] std::size_t max_append(std::size_t n, std::size_t rows) const override {
    return std::min(rows, chunking_.left(n));
  }
  [[nodiscard]] std::optional<CacheSlot> slot(std::size_t n) const override { return at(n); }
  [[nodiscard]] std::size_t tiles(std::size_t n, std::size_t end, std::size_t most,
                                  std::span<QueryTile> tiles) const override {
    return cut(n, end, most, chunking_.size, tiles);
  }
  [[nodiscard]] VisibleRange visible(const QueryTile& tile) const override {
    return {.first = chunking_.first(tile.n), .last = tile.n + 1, .advance = 1};
  }
  [[nodiscard]] KvSegment segment(const QueryTile&, std::size_t index, std::size_t end) const override {
    return {at(index), std::min(end - index, kPageRows - index % kPageRows)};
  }
  [[nodiscard]] bool can_truncate(std::size_t tokens, std::size_t to) const override {
    const std::size_t first = chunking_.first(to);
    return first == to || first + ring_pages_ * kPageRows >= tokens;
  }

 private:
  [[nodiscard]] CacheSlot at(std::size_t n) const noexcept { return {n / kPageRows % ring_pages_, n % kPageRows}; }
  static constexpr std::size_t kPageRows = 64;
  Chunking chunking_;
  std::size_t ring_pages_;
};

/// The rows of a frame in equal pages of up to kMaxRows rows, so that memory grows with the written rows.
class FramePages {
 public:
  /// frame_size: sites of a frame, at least 1
  explicit FramePages(std::size_t frame_size)
      : number((frame_size + kMaxRows - 1) / kMaxRows), rows((frame_size + number - 1) / number) {}

  std::size_t number;  ///< pages per frame
  std::size_t rows;    ///< sites per page

 private:
  static constexpr std::size_t kMaxRows = 64;
};

/// Frame t uses the pages of index t mod (lookback + 1), whose frame it overwrites. Chunked attention is a causal
/// window without lookback.
class FrameWindowPattern : public AttentionPattern {
 public:
  /// Frames of `frame_size` positions; a query attends to its own and the `lookback` previous ones. causal: in its own
  /// frame only up to itself
  FrameWindowPattern(std::size_t frame_size, std::size_t lookback, bool causal)
      : frame_size_(frame_size), lookback_(lookback), causal_(causal), frame_pages_(frame_size) {}

  [[nodiscard]] KvPageLayout page_layout() const override { return {.blocks = 1, .block_rows = frame_pages_.rows}; }
  [[nodiscard]] std::size_t pages(std::size_t tokens) const override {
    const std::size_t rest = (tokens % frame_size_ + frame_pages_.rows - 1) / frame_pages_.rows;
    return std::min((lookback_ + 1) * frame_pages_.number, tokens / frame_size_ * frame_pages_.number + rest);
  }
  [[nodiscard]] std::size_t max_append(std::size_t n, std::size_t rows) const override {
    return std::min(rows, frame_size_ - n % frame_size_);
  }
  [[nodiscard]] std::optional<CacheSlot> slot(std::size_t n) const override { return at(n); }
  [[nodiscard]] std::size_t tiles(std::size_t n, std::size_t end, std::size_t most,
                                  std::span<QueryTile> tiles) const override {
    return cut(n, end, most, frame_size_, tiles);
  }
  [[nodiscard]] VisibleRange visible(const QueryTile& tile) const override {
    const std::size_t frame = tile.n / frame_size_;
    const std::size_t first = (frame - std::min(frame, lookback_)) * frame_size_;
    if (causal_) return {.first = first, .last = tile.n + 1, .advance = 1};
    return {.first = first, .last = (frame + 1) * frame_size_, .advance = 0};
  }
  [[nodiscard]] KvSegment segment(const QueryTile&, std::size_t index, std::size_t end) const override {
    const std::size_t site = index % frame_size_;
    const std::size_t in_page = std::min(frame_pages_.rows - site % frame_pages_.rows, frame_size_ - site);
    return {at(index), std::min(end - index, in_page)};
  }
  [[nodiscard]] bool can_truncate(std::size_t tokens, std::size_t to) const override {
    if (to == 0 || to >= tokens) return true;
    const std::size_t kept = (tokens - 1) / frame_size_;  // the last frame that was started
    return to / frame_size_ == kept || kept <= lookback_ || (lookback_ == 0 && to % frame_size_ == 0);
  }

 private:
  [[nodiscard]] CacheSlot at(std::size_t n) const noexcept {
    const std::size_t site = n % frame_size_;
    return {n / frame_size_ % (lookback_ + 1) * frame_pages_.number + site / frame_pages_.rows,
            site % frame_pages_.rows};
  }

  std::size_t frame_size_;
  std::size_t lookback_;
  bool causal_;
  FramePages frame_pages_;
};

/// Full attention, or in chunks if requested.
[[nodiscard]] inline std::unique_ptr<const AttentionPattern> full_pattern(const std::optional<Chunking>& chunking) {
  if (chunking) return std::make_unique<ChunkedPattern>(*chunking);
  return std::make_unique<FullPattern>();
}

/// The last site of every earlier frame, and the query itself ("summary" of sparse transformers, arXiv:1904.10509).
class SummaryPattern : public AttentionPattern {
 public:
  /// frame_size: sites of a frame, at least 1
  explicit SummaryPattern(std::size_t frame_size) : frame_size_(frame_size) {}

  [[nodiscard]] KvPageLayout page_layout() const override { return {.blocks = 1, .block_rows = kPageFrames}; }
  [[nodiscard]] std::size_t pages(std::size_t tokens) const override {
    return (tokens / frame_size_ + kPageFrames - 1) / kPageFrames;
  }
  [[nodiscard]] std::size_t rotary_position(std::size_t n) const override { return n / frame_size_; }
  [[nodiscard]] std::optional<CacheSlot> slot(std::size_t n) const override {
    if (n % frame_size_ + 1 != frame_size_) return std::nullopt;
    return at(n / frame_size_);
  }
  [[nodiscard]] std::size_t tiles(std::size_t n, std::size_t end, std::size_t most,
                                  std::span<QueryTile> tiles) const override {
    return cut(n, end, most, frame_size_, tiles);
  }
  [[nodiscard]] VisibleRange visible(const QueryTile& tile) const override {
    return {.last = tile.n / frame_size_, .advance = 0, .attends_self = true};
  }
  [[nodiscard]] KvSegment segment(const QueryTile&, std::size_t index, std::size_t end) const override {
    return {at(index), std::min(end - index, kPageFrames - index % kPageFrames)};
  }

 private:
  [[nodiscard]] static CacheSlot at(std::size_t frame) noexcept { return {frame / kPageFrames, frame % kPageFrames}; }
  static constexpr std::size_t kPageFrames = 32;
  std::size_t frame_size_;
};

/// A page holds some sites of kPageFrames frames, one block per site, so that the keys of a site are contiguous.
class StridedPattern : public AttentionPattern {
 public:
  /// frame_size: sites of a frame, at least 1
  explicit StridedPattern(std::size_t frame_size) : frame_size_(frame_size), frame_pages_(frame_size) {}

  [[nodiscard]] KvPageLayout page_layout() const override {
    return {.blocks = frame_pages_.rows, .block_rows = kPageFrames};
  }
  [[nodiscard]] std::size_t pages(std::size_t tokens) const override {
    const std::size_t frames = tokens / frame_size_;
    const std::size_t rest = (tokens % frame_size_ + frame_pages_.rows - 1) / frame_pages_.rows;
    const std::size_t last_group = frames % kPageFrames != 0 ? frame_pages_.number : rest;
    return frames / kPageFrames * frame_pages_.number + last_group;
  }
  [[nodiscard]] std::size_t rotary_position(std::size_t n) const override { return n / frame_size_; }
  [[nodiscard]] std::optional<CacheSlot> slot(std::size_t n) const override {
    return at(n % frame_size_, n / frame_size_);
  }
  [[nodiscard]] std::size_t tiles(std::size_t n, std::size_t end, std::size_t most,
                                  std::span<QueryTile> tiles) const override {
    std::size_t cut = 0;
    for (std::size_t first = n; first < std::min(end, n + frame_size_); ++first) {  // the queries of one site
      const std::size_t queries = (end - first + frame_size_ - 1) / frame_size_;
      for (std::size_t done = 0; done < queries; done += most)
        tiles[cut++] = {first + done * frame_size_, frame_size_, std::min(most, queries - done)};
    }
    return cut;
  }
  [[nodiscard]] VisibleRange visible(const QueryTile& tile) const override {
    return {.last = tile.n / frame_size_ + 1, .advance = 1};
  }
  [[nodiscard]] KvSegment segment(const QueryTile& tile, std::size_t index, std::size_t end) const override {
    return {at(tile.n % frame_size_, index), std::min(end - index, kPageFrames - index % kPageFrames)};
  }

 private:
  static constexpr std::size_t kPageFrames = 16;
  [[nodiscard]] CacheSlot at(std::size_t site, std::size_t frame) const noexcept {
    return {frame / kPageFrames * frame_pages_.number + site / frame_pages_.rows,
            site % frame_pages_.rows * kPageFrames + frame % kPageFrames};
  }

  std::size_t frame_size_;
  FramePages frame_pages_;
};

/// Earlier frames that a query chooses by its affinity with their mean keys, as a router chooses experts. Whole frames
/// in pages of up to 64 sites. Lu et al., "MoBA", 2025, arXiv:2502.13189; there blocks of a causal sequence, and always
/// the query's own, which other heads see here.
class RoutedPattern : public AttentionPattern {
 public:
  /// frame_size: sites of a frame, at least 1   top_k: frames that a query chooses, at least 1
  RoutedPattern(std::size_t frame_size, std::size_t top_k) : choice_{frame_size, top_k}, frame_pages_(frame_size) {}

  [[nodiscard]] KvPageLayout page_layout() const override { return {.blocks = 1, .block_rows = frame_pages_.rows}; }
  [[nodiscard]] std::size_t pages(std::size_t tokens) const override {
    const std::size_t rest = (tokens % choice_.frame_size + frame_pages_.rows - 1) / frame_pages_.rows;
    return tokens / choice_.frame_size * frame_pages_.number + rest;
  }
  [[nodiscard]] std::size_t rotary_position(std::size_t n) const override { return n / choice_.frame_size; }
  [[nodiscard]] std::optional<CacheSlot> slot(std::size_t n) const override { return at(n); }
  [[nodiscard]] std::size_t tiles(std::size_t n, std::size_t end, std::size_t most,
                                  std::span<QueryTile> tiles) const override {
    return cut(n, end, most, choice_.frame_size, tiles);
  }
  [[nodiscard]] VisibleRange visible(const QueryTile& tile) const override {
    return {.last = tile.n / choice_.frame_size * choice_.frame_size, .advance = 0, .attends_self = true};
  }
  [[nodiscard]] KvSegment segment(const QueryTile&, std::size_t index, std::size_t end) const override {
    const std::size_t site = index % choice_.frame_size;
    const std::size_t in_page = std::min(frame_pages_.rows - site % frame_pages_.rows, choice_.frame_size - site);
    return {at(index), std::min(end - index, in_page)};
  }
  [[nodiscard]] std::optional<FrameChoice> choice() const override { return choice_; }

 private:
  [[nodiscard]] CacheSlot at(std::size_t n) const noexcept {
    const std::size_t site = n % choice_.frame_size;
    return {n / choice_.frame_size * frame_pages_.number + site / frame_pages_.rows, site % frame_pages_.rows};
  }

  FrameChoice choice_;
  FramePages frame_pages_;
};

}  // namespace trine::inline TRINE_ABI
