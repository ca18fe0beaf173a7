// SPDX-License-Identifier: Apache-2.0
// An axis of attention: which keys a query may look at, what must be remembered for that, and by what position heads
// rotate. A position n = t S + s is site s of frame t; S is the frame size.
//
//   axis       keys of query n                                                   remembered
//   Full       m <= n                                                            every token
//   Sliding    n - window < m <= n                                                window tokens
//   Chunk      m <= n, from the beginning of the chunk of n less an overlap on     a chunk and an overlap
//   Window     m <= n, or the whole frame if not causal; t(n) - t(m) <= L        L + 1 frames
//   Summary    the last site of every earlier frame, and n itself                one token a frame
//   Strided    the same site of this and every earlier frame                     every token
//
// Keys have an index along their axis: the position, or for Summary and Strided the frame. What a query sees is a range
// of indices.
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
#include <trine/cache/key_value_pages.hpp>

namespace trine::inline TRINE_ABI {

/// Queries at the positions n, n + step, ... that see much the same keys.
struct QueryTile {
  std::size_t n = 0;      ///< position of the first query
  std::size_t step = 1;   ///< from one query to the next
  std::size_t count = 0;  ///< queries
  /// Position of query `i`.
  [[nodiscard]] std::size_t position(std::size_t i) const noexcept { return n + i * step; }
};

/// The indices [begin(i), end(i)) that query i of a tile sees. Both ascend with i.
struct Sight {
  std::size_t first = 0;                                         ///< no index below it
  std::size_t last = 0;                                          ///< end of query 0
  std::size_t advance = 0;                                       ///< of the end from query to query
  std::size_t window = std::numeric_limits<std::size_t>::max();  ///< at most so many
  bool itself = false;                                           ///< behind these each query sees its own key

  /// One past the last index that query `i` sees.
  [[nodiscard]] std::size_t end(std::size_t i) const noexcept { return last + i * advance; }
  /// The first index that query `i` sees.
  [[nodiscard]] std::size_t begin(std::size_t i) const noexcept {
    return std::max(first, end(i) - std::min(end(i), window));
  }
};

/// `count` keys that lie one after the other in one block.
struct KeyRun {
  KeyPlace place;         ///< of the first key
  std::size_t count = 0;  ///< keys from there on
};

/// Which keys a query sees, where a cache keeps them, and by which position both rotate. Knows no heads and no values.
class AttentionAxis {
 public:
  AttentionAxis() = default;
  AttentionAxis(const AttentionAxis&) = delete;
  AttentionAxis& operator=(const AttentionAxis&) = delete;
  virtual ~AttentionAxis() = default;

  /// How a page is cut: heads, their width and the type are those of the cache.
  [[nodiscard]] virtual KeyValueShape page_shape() const = 0;
  /// Pages in use once `tokens` tokens were seen.
  [[nodiscard]] virtual std::size_t pages(std::size_t tokens) const = 0;
  /// The position that query and key n rotate by.
  [[nodiscard]] virtual std::size_t rotary_position(std::size_t n) const { return n; }
  /// How many of the `rows` positions from n on may be remembered before one of them is attended to: remembering may
  /// forget.
  [[nodiscard]] virtual std::size_t pass(std::size_t n, std::size_t rows) const {
    static_cast<void>(n);
    return rows;
  }
  /// Where position n is remembered, if it is.
  [[nodiscard]] virtual std::optional<KeyPlace> place(std::size_t n) const = 0;
  /// Cuts the queries [n, end) into tiles of at most `most` and returns how many these are.   tiles: room for end - n
  [[nodiscard]] virtual std::size_t tiles(std::size_t n, std::size_t end, std::size_t most,
                                          std::span<QueryTile> tiles) const = 0;
  /// The keys that the queries of a tile see.
  [[nodiscard]] virtual Sight sight(const QueryTile& tile) const = 0;
  /// The keys of indices [index, end) that the tile sees, or the first of them that lie together.
  [[nodiscard]] virtual KeyRun run(const QueryTile& tile, std::size_t index, std::size_t end) const = 0;
  /// Returns whether all that position `to` and those after it attend to is still there, once `tokens` tokens were
  /// seen.
  [[nodiscard]] virtual bool can_go_back(std::size_t tokens, std::size_t to) const {
    static_cast<void>(tokens);
    static_cast<void>(to);
    return true;
  }

 protected:
  /// Tiles of neighbours, none across a multiple of `period`.
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
  static constexpr std::size_t kNever = std::numeric_limits<std::size_t>::max();
};

/// Every query sees all keys up to its own. Pages of 64 tokens.
class FullAxis : public AttentionAxis {
 public:
  [[nodiscard]] KeyValueShape page_shape() const override { return {.blocks = 1, .block_rows = kPageRows}; }
  [[nodiscard]] std::size_t pages(std::size_t tokens) const override { return (tokens + kPageRows - 1) / kPageRows; }
  [[nodiscard]] std::optional<KeyPlace> place(std::size_t n) const override { return at(n); }
  [[nodiscard]] std::size_t tiles(std::size_t n, std::size_t end, std::size_t most,
                                  std::span<QueryTile> tiles) const override {
    return cut(n, end, most, kNever, tiles);
  }
  [[nodiscard]] Sight sight(const QueryTile& tile) const override { return {.last = tile.n + 1, .advance = 1}; }
  [[nodiscard]] KeyRun run(const QueryTile&, std::size_t index, std::size_t end) const override {
    return {at(index), std::min(end - index, kPageRows - index % kPageRows)};
  }

 private:
  [[nodiscard]] static KeyPlace at(std::size_t index) noexcept { return {index / kPageRows, index % kPageRows}; }
  static constexpr std::size_t kPageRows = 64;
};

/// The last `window` tokens, n itself among them, in a ring of pages: position n lies where n - capacity lay.
/// Beltagy et al., "Longformer", 2020, arXiv:2004.05150.
class SlidingAxis : public AttentionAxis {
 public:
  /// window >= 1
  explicit SlidingAxis(std::size_t window)
      : window_(window), ring_pages_((window + kPageRows - 1) / kPageRows + 1), capacity_(ring_pages_ * kPageRows) {}

  [[nodiscard]] KeyValueShape page_shape() const override { return {.blocks = 1, .block_rows = kPageRows}; }
  [[nodiscard]] std::size_t pages(std::size_t tokens) const override {
    return std::min(ring_pages_, (tokens + kPageRows - 1) / kPageRows);
  }
  [[nodiscard]] std::size_t pass(std::size_t, std::size_t rows) const override {
    return std::min(rows, capacity_ - window_ + 1);  // the first of them still sees window - 1 tokens before it
  }
  [[nodiscard]] std::optional<KeyPlace> place(std::size_t n) const override { return at(n); }
  [[nodiscard]] std::size_t tiles(std::size_t n, std::size_t end, std::size_t most,
                                  std::span<QueryTile> tiles) const override {
    return cut(n, end, most, kNever, tiles);
  }
  [[nodiscard]] Sight sight(const QueryTile& tile) const override {
    return {.last = tile.n + 1, .advance = 1, .window = window_};
  }
  [[nodiscard]] KeyRun run(const QueryTile&, std::size_t index, std::size_t end) const override {
    return {at(index), std::min(end - index, kPageRows - index % kPageRows)};
  }
  [[nodiscard]] bool can_go_back(std::size_t tokens, std::size_t to) const override {
    const std::size_t first = to + 1 - std::min(to + 1, window_);  // the first that position `to` sees
    return first == to || first + capacity_ >= tokens;
  }

 private:
  [[nodiscard]] KeyPlace at(std::size_t n) const noexcept {
    return {n % capacity_ / kPageRows, n % capacity_ % kPageRows};
  }
  static constexpr std::size_t kPageRows = 64;
  std::size_t window_;
  std::size_t ring_pages_;
  std::size_t capacity_;  // tokens of the ring
};

/// Full attention in chunks. A ring of pages holds a chunk and what it sees of the one before.
class ChunkAxis : public AttentionAxis {
 public:
  /// Chunks of `chunking.size` positions, each seeing `chunking.overlap` of the one before.
  explicit ChunkAxis(const Chunking& chunking)
      : chunking_(chunking), ring_pages_((chunking.size + chunking.overlap + kPageRows - 1) / kPageRows) {}

  [[nodiscard]] KeyValueShape page_shape() const override { return {.blocks = 1, .block_rows = kPageRows}; }
  [[nodiscard]] std::size_t pages(std::size_t tokens) const override {
    return std::min(ring_pages_, (tokens + kPageRows - 1) / kPageRows);
  }
  [[nodiscard]] std::size_t pass(std::size_t n, std::size_t rows) const override {
    return std::min(rows, chunking_.left(n));
  }
  [[nodiscard]] std::optional<KeyPlace> place(std::size_t n) const override { return at(n); }
  [[nodiscard]] std::size_t tiles(std::size_t n, std::size_t end, std::size_t most,
                                  std::span<QueryTile> tiles) const override {
    return cut(n, end, most, chunking_.size, tiles);
  }
  [[nodiscard]] Sight sight(const QueryTile& tile) const override {
    return {.first = chunking_.first(tile.n), .last = tile.n + 1, .advance = 1};
  }
  [[nodiscard]] KeyRun run(const QueryTile&, std::size_t index, std::size_t end) const override {
    return {at(index), std::min(end - index, kPageRows - index % kPageRows)};
  }
  [[nodiscard]] bool can_go_back(std::size_t tokens, std::size_t to) const override {
    const std::size_t first = chunking_.first(to);
    return first == to || first + ring_pages_ * kPageRows >= tokens;
  }

 private:
  [[nodiscard]] KeyPlace at(std::size_t n) const noexcept { return {n / kPageRows % ring_pages_, n % kPageRows}; }
  static constexpr std::size_t kPageRows = 64;
  Chunking chunking_;
  std::size_t ring_pages_;
};

/// The rows of a frame in equal pages of at most kMostRows, so that memory follows what is written.
class FramePages {
 public:
  /// frame_size: sites of a frame, at least 1
  explicit FramePages(std::size_t frame_size)
      : number((frame_size + kMostRows - 1) / kMostRows), rows((frame_size + number - 1) / number) {}

  std::size_t number;  ///< pages of a frame
  std::size_t rows;    ///< sites of a page

 private:
  static constexpr std::size_t kMostRows = 64;
};

/// Frame t has its pages at those of frame t mod (lookback + 1), which it overwrites. Chunked attention is a causal
/// window without lookback.
class WindowAxis : public AttentionAxis {
 public:
  /// Frames of `frame_size` positions; a query sees its own and `lookback` before it. causal: of its own only up to
  /// itself
  WindowAxis(std::size_t frame_size, std::size_t lookback, bool causal)
      : frame_size_(frame_size), lookback_(lookback), causal_(causal), frame_pages_(frame_size) {}

  [[nodiscard]] KeyValueShape page_shape() const override { return {.blocks = 1, .block_rows = frame_pages_.rows}; }
  [[nodiscard]] std::size_t pages(std::size_t tokens) const override {
    const std::size_t rest = (tokens % frame_size_ + frame_pages_.rows - 1) / frame_pages_.rows;
    return std::min((lookback_ + 1) * frame_pages_.number, tokens / frame_size_ * frame_pages_.number + rest);
  }
  [[nodiscard]] std::size_t pass(std::size_t n, std::size_t rows) const override {
    return std::min(rows, frame_size_ - n % frame_size_);
  }
  [[nodiscard]] std::optional<KeyPlace> place(std::size_t n) const override { return at(n); }
  [[nodiscard]] std::size_t tiles(std::size_t n, std::size_t end, std::size_t most,
                                  std::span<QueryTile> tiles) const override {
    return cut(n, end, most, frame_size_, tiles);
  }
  [[nodiscard]] Sight sight(const QueryTile& tile) const override {
    const std::size_t frame = tile.n / frame_size_;
    const std::size_t first = (frame - std::min(frame, lookback_)) * frame_size_;
    if (causal_) return {.first = first, .last = tile.n + 1, .advance = 1};
    return {.first = first, .last = (frame + 1) * frame_size_, .advance = 0};
  }
  [[nodiscard]] KeyRun run(const QueryTile&, std::size_t index, std::size_t end) const override {
    const std::size_t site = index % frame_size_;
    const std::size_t in_page = std::min(frame_pages_.rows - site % frame_pages_.rows, frame_size_ - site);
    return {at(index), std::min(end - index, in_page)};
  }
  [[nodiscard]] bool can_go_back(std::size_t tokens, std::size_t to) const override {
    if (to == 0 || to >= tokens) return true;
    const std::size_t kept = (tokens - 1) / frame_size_;  // the last frame that was begun
    return to / frame_size_ == kept || kept <= lookback_ || (lookback_ == 0 && to % frame_size_ == 0);
  }

 private:
  [[nodiscard]] KeyPlace at(std::size_t n) const noexcept {
    const std::size_t site = n % frame_size_;
    return {n / frame_size_ % (lookback_ + 1) * frame_pages_.number + site / frame_pages_.rows,
            site % frame_pages_.rows};
  }

  std::size_t frame_size_;
  std::size_t lookback_;
  bool causal_;
  FramePages frame_pages_;
};

/// The axis of full attention, in chunks if that is wished.
[[nodiscard]] inline std::unique_ptr<const AttentionAxis> full_axis(const std::optional<Chunking>& chunking) {
  if (chunking) return std::make_unique<ChunkAxis>(*chunking);
  return std::make_unique<FullAxis>();
}

/// The last site of every earlier frame, and the query itself ("summary" of sparse transformers, arXiv:1904.10509).
class SummaryAxis : public AttentionAxis {
 public:
  /// frame_size: sites of a frame, at least 1
  explicit SummaryAxis(std::size_t frame_size) : frame_size_(frame_size) {}

  [[nodiscard]] KeyValueShape page_shape() const override { return {.blocks = 1, .block_rows = kPageFrames}; }
  [[nodiscard]] std::size_t pages(std::size_t tokens) const override {
    return (tokens / frame_size_ + kPageFrames - 1) / kPageFrames;
  }
  [[nodiscard]] std::size_t rotary_position(std::size_t n) const override { return n / frame_size_; }
  [[nodiscard]] std::optional<KeyPlace> place(std::size_t n) const override {
    if (n % frame_size_ + 1 != frame_size_) return std::nullopt;
    return at(n / frame_size_);
  }
  [[nodiscard]] std::size_t tiles(std::size_t n, std::size_t end, std::size_t most,
                                  std::span<QueryTile> tiles) const override {
    return cut(n, end, most, frame_size_, tiles);
  }
  [[nodiscard]] Sight sight(const QueryTile& tile) const override {
    return {.last = tile.n / frame_size_, .advance = 0, .itself = true};
  }
  [[nodiscard]] KeyRun run(const QueryTile&, std::size_t index, std::size_t end) const override {
    return {at(index), std::min(end - index, kPageFrames - index % kPageFrames)};
  }

 private:
  [[nodiscard]] static KeyPlace at(std::size_t frame) noexcept { return {frame / kPageFrames, frame % kPageFrames}; }
  static constexpr std::size_t kPageFrames = 32;
  std::size_t frame_size_;
};

/// A page holds some sites of kPageFrames frames, a block a site, so that a site's keys lie together.
class StridedAxis : public AttentionAxis {
 public:
  /// frame_size: sites of a frame, at least 1
  explicit StridedAxis(std::size_t frame_size) : frame_size_(frame_size), frame_pages_(frame_size) {}

  [[nodiscard]] KeyValueShape page_shape() const override {
    return {.blocks = frame_pages_.rows, .block_rows = kPageFrames};
  }
  [[nodiscard]] std::size_t pages(std::size_t tokens) const override {
    const std::size_t frames = tokens / frame_size_;
    const std::size_t rest = (tokens % frame_size_ + frame_pages_.rows - 1) / frame_pages_.rows;
    const std::size_t last_group = frames % kPageFrames != 0 ? frame_pages_.number : rest;
    return frames / kPageFrames * frame_pages_.number + last_group;
  }
  [[nodiscard]] std::size_t rotary_position(std::size_t n) const override { return n / frame_size_; }
  [[nodiscard]] std::optional<KeyPlace> place(std::size_t n) const override {
    return at(n % frame_size_, n / frame_size_);
  }
  [[nodiscard]] std::size_t tiles(std::size_t n, std::size_t end, std::size_t most,
                                  std::span<QueryTile> tiles) const override {
    std::size_t cut = 0;
    for (std::size_t first = n; first < std::min(end, n + frame_size_); ++first) {  // the queries of one site each
      const std::size_t queries = (end - first + frame_size_ - 1) / frame_size_;
      for (std::size_t done = 0; done < queries; done += most)
        tiles[cut++] = {first + done * frame_size_, frame_size_, std::min(most, queries - done)};
    }
    return cut;
  }
  [[nodiscard]] Sight sight(const QueryTile& tile) const override {
    return {.last = tile.n / frame_size_ + 1, .advance = 1};
  }
  [[nodiscard]] KeyRun run(const QueryTile& tile, std::size_t index, std::size_t end) const override {
    return {at(tile.n % frame_size_, index), std::min(end - index, kPageFrames - index % kPageFrames)};
  }

 private:
  static constexpr std::size_t kPageFrames = 16;
  [[nodiscard]] KeyPlace at(std::size_t site, std::size_t frame) const noexcept {
    return {frame / kPageFrames * frame_pages_.number + site / frame_pages_.rows,
            site % frame_pages_.rows * kPageFrames + frame % kPageFrames};
  }

  std::size_t frame_size_;
  FramePages frame_pages_;
};

}  // namespace trine::inline TRINE_ABI
