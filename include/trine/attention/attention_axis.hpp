// SPDX-License-Identifier: Apache-2.0
// An axis of attention: which keys a query may look at, what must be remembered for that, and by what position heads
// rotate. A position n = t S + s is site s of frame t; S is the frame size.
//
//   axis       keys of query n                                                   remembered
//   Full       m <= n                                                            every token
//   Sliding    n - window < m <= n                                                window tokens
//   Window     m <= n, or the whole frame if not causal; t(n) - t(m) <= L        L + 1 frames
//   Summary    the last site of every earlier frame, and n itself                one token a frame
//   Strided    the same site of this and every earlier frame                     every token
//
// Summary and Strided: Child et al. 2019, arXiv:1904.10509. Divided space and time: Bertasius et al. 2021,
// arXiv:2102.05095.
#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

#include <trine/cache/key_value_pages.hpp>

namespace trine::inline TRINE_ABI {

/// `count` keys and values in consecutive rows.
struct KeyRun {
  const float* key;
  const float* value;
  std::size_t count;
};

class AttentionAxis {
 public:
  AttentionAxis() = default;
  AttentionAxis(const AttentionAxis&) = delete;
  AttentionAxis& operator=(const AttentionAxis&) = delete;
  virtual ~AttentionAxis() = default;

  [[nodiscard]] virtual KeyValuePages make_pages(std::size_t width) const = 0;
  /// Pages in use once `tokens` tokens were seen.
  [[nodiscard]] virtual std::size_t pages(std::size_t tokens) const = 0;
  /// The position that query and key n rotate by.
  [[nodiscard]] virtual std::size_t rotary_position(std::size_t n) const = 0;
  /// How many of the `rows` positions from n on may be remembered before one of them is attended to: remembering may
  /// forget.
  [[nodiscard]] virtual std::size_t pass(std::size_t n, std::size_t rows) const {
    static_cast<void>(n);
    return rows;
  }
  /// Remembers position n.
  virtual void remember(KeyValuePages& pages, std::size_t n, const float* key, const float* value) const = 0;
  /// Appends the keys of query n to `runs`, in ascending order of position. `key` and `value` are those of n itself.
  virtual void keys(const KeyValuePages& pages, std::size_t n, const float* key, const float* value,
                    std::vector<KeyRun>& runs) const = 0;
  /// Most keys that a query below position `end` sees: what scratch memory is planned for.
  [[nodiscard]] virtual std::size_t most_keys(std::size_t end) const = 0;

 protected:
  static void store(KeyValuePages& pages, std::size_t page, std::size_t row, const float* key, const float* value) {
    pages.require(page);
    std::copy_n(key, pages.width(), pages.key(page, row));
    std::copy_n(value, pages.width(), pages.value(page, row));
  }
  // A list of `count` rows: `per_page` of them from row `first_row` on in each of the pages first_page, first_page +
  // step, ...
  static void list_runs(const KeyValuePages& pages, std::size_t first_page, std::size_t step, std::size_t first_row,
                        std::size_t per_page, std::size_t count, std::vector<KeyRun>& runs) {
    for (std::size_t done = 0, page = first_page; done < count; done += per_page, page += step)
      runs.push_back({pages.key(page, first_row), pages.value(page, first_row), std::min(per_page, count - done)});
  }
};

class FullAxis : public AttentionAxis {
 public:
  [[nodiscard]] KeyValuePages make_pages(std::size_t width) const override { return {kPageRows, width}; }
  [[nodiscard]] std::size_t pages(std::size_t tokens) const override { return (tokens + kPageRows - 1) / kPageRows; }
  [[nodiscard]] std::size_t rotary_position(std::size_t n) const override { return n; }
  void remember(KeyValuePages& pages, std::size_t n, const float* key, const float* value) const override {
    store(pages, n / kPageRows, n % kPageRows, key, value);
  }
  void keys(const KeyValuePages& pages, std::size_t n, const float*, const float*,
            std::vector<KeyRun>& runs) const override {
    list_runs(pages, 0, 1, 0, kPageRows, n + 1, runs);
  }
  [[nodiscard]] std::size_t most_keys(std::size_t end) const override { return end; }

 private:
  static constexpr std::size_t kPageRows = 64;
};

/// The last `window` tokens, n itself among them, in a ring of pages: position n lies where n - capacity lay.
/// Beltagy et al., "Longformer", 2020, arXiv:2004.05150.
class SlidingAxis : public AttentionAxis {
 public:
  /// window >= 1
  explicit SlidingAxis(std::size_t window)
      : window_(window), ring_pages_((window + kPageRows - 1) / kPageRows + 1), capacity_(ring_pages_ * kPageRows) {}

  [[nodiscard]] KeyValuePages make_pages(std::size_t width) const override { return {kPageRows, width}; }
  [[nodiscard]] std::size_t pages(std::size_t tokens) const override {
    return std::min(ring_pages_, (tokens + kPageRows - 1) / kPageRows);
  }
  [[nodiscard]] std::size_t rotary_position(std::size_t n) const override { return n; }
  [[nodiscard]] std::size_t pass(std::size_t, std::size_t rows) const override {
    return std::min(rows, capacity_ - window_ + 1);  // the first of them still sees window - 1 tokens before it
  }
  void remember(KeyValuePages& pages, std::size_t n, const float* key, const float* value) const override {
    const std::size_t slot = n % capacity_;
    store(pages, slot / kPageRows, slot % kPageRows, key, value);
  }
  void keys(const KeyValuePages& pages, std::size_t n, const float*, const float*,
            std::vector<KeyRun>& runs) const override {
    for (std::size_t m = n + 1 - std::min(n + 1, window_); m <= n;) {
      const std::size_t slot = m % capacity_;
      const std::size_t row = slot % kPageRows;
      const std::size_t count = std::min(kPageRows - row, n + 1 - m);
      runs.push_back({pages.key(slot / kPageRows, row), pages.value(slot / kPageRows, row), count});
      m += count;
    }
  }
  [[nodiscard]] std::size_t most_keys(std::size_t end) const override { return std::min(window_, end); }

 private:
  static constexpr std::size_t kPageRows = 64;
  std::size_t window_;
  std::size_t ring_pages_;
  std::size_t capacity_;  // tokens of the ring
};

/// The rows of a frame in equal pages of at most kMostRows, so that memory follows what is written.
class FramePages {
 public:
  explicit FramePages(std::size_t frame_size)
      : number((frame_size + kMostRows - 1) / kMostRows), rows((frame_size + number - 1) / number) {}

  std::size_t number;  // pages of a frame
  std::size_t rows;    // sites of a page

 private:
  static constexpr std::size_t kMostRows = 64;
};

/// Frame t has its pages at those of frame t mod (lookback + 1), which it overwrites. Chunked attention is a causal
/// window without lookback.
class WindowAxis : public AttentionAxis {
 public:
  WindowAxis(std::size_t frame_size, std::size_t lookback, bool causal)
      : frame_size_(frame_size), lookback_(lookback), causal_(causal), frame_pages_(frame_size) {}

  [[nodiscard]] KeyValuePages make_pages(std::size_t width) const override { return {frame_pages_.rows, width}; }
  [[nodiscard]] std::size_t pages(std::size_t tokens) const override {
    const std::size_t rest = (tokens % frame_size_ + frame_pages_.rows - 1) / frame_pages_.rows;
    return std::min((lookback_ + 1) * frame_pages_.number, tokens / frame_size_ * frame_pages_.number + rest);
  }
  [[nodiscard]] std::size_t rotary_position(std::size_t n) const override { return n; }
  [[nodiscard]] std::size_t pass(std::size_t n, std::size_t rows) const override {
    return std::min(rows, frame_size_ - n % frame_size_);
  }
  void remember(KeyValuePages& pages, std::size_t n, const float* key, const float* value) const override {
    const std::size_t site = n % frame_size_;
    store(pages, first_page(n / frame_size_) + site / frame_pages_.rows, site % frame_pages_.rows, key, value);
  }
  void keys(const KeyValuePages& pages, std::size_t n, const float*, const float*,
            std::vector<KeyRun>& runs) const override {
    const std::size_t frame = n / frame_size_;
    for (std::size_t t = frame - std::min(frame, lookback_); t <= frame; ++t) {
      const std::size_t count = t == frame && causal_ ? n % frame_size_ + 1 : frame_size_;
      list_runs(pages, first_page(t), 1, 0, frame_pages_.rows, count, runs);
    }
  }
  [[nodiscard]] std::size_t most_keys(std::size_t end) const override {
    return std::min((lookback_ + 1) * frame_size_, end);
  }

 private:
  [[nodiscard]] std::size_t first_page(std::size_t frame) const noexcept {
    return frame % (lookback_ + 1) * frame_pages_.number;
  }

  std::size_t frame_size_;
  std::size_t lookback_;
  bool causal_;
  FramePages frame_pages_;
};

class SummaryAxis : public AttentionAxis {
 public:
  explicit SummaryAxis(std::size_t frame_size) : frame_size_(frame_size) {}

  [[nodiscard]] KeyValuePages make_pages(std::size_t width) const override { return {kPageFrames, width}; }
  [[nodiscard]] std::size_t pages(std::size_t tokens) const override {
    return (tokens / frame_size_ + kPageFrames - 1) / kPageFrames;
  }
  [[nodiscard]] std::size_t rotary_position(std::size_t n) const override { return n / frame_size_; }
  void remember(KeyValuePages& pages, std::size_t n, const float* key, const float* value) const override {
    if (n % frame_size_ + 1 != frame_size_) return;
    const std::size_t frame = n / frame_size_;
    store(pages, frame / kPageFrames, frame % kPageFrames, key, value);
  }
  void keys(const KeyValuePages& pages, std::size_t n, const float* key, const float* value,
            std::vector<KeyRun>& runs) const override {
    list_runs(pages, 0, 1, 0, kPageFrames, n / frame_size_, runs);
    runs.push_back({key, value, 1});
  }
  [[nodiscard]] std::size_t most_keys(std::size_t end) const override { return end / frame_size_ + 1; }

 private:
  static constexpr std::size_t kPageFrames = 16;
  std::size_t frame_size_;
};

/// A page holds some sites of kPageFrames frames, site by site, so that a site's keys lie one after the other.
class StridedAxis : public AttentionAxis {
 public:
  explicit StridedAxis(std::size_t frame_size) : frame_size_(frame_size), frame_pages_(frame_size) {}

  [[nodiscard]] KeyValuePages make_pages(std::size_t width) const override {
    return {kPageFrames * frame_pages_.rows, width};
  }
  [[nodiscard]] std::size_t pages(std::size_t tokens) const override {
    const std::size_t frames = tokens / frame_size_;
    const std::size_t rest = (tokens % frame_size_ + frame_pages_.rows - 1) / frame_pages_.rows;
    const std::size_t last_group = frames % kPageFrames != 0 ? frame_pages_.number : rest;
    return frames / kPageFrames * frame_pages_.number + last_group;
  }
  [[nodiscard]] std::size_t rotary_position(std::size_t n) const override { return n / frame_size_; }
  void remember(KeyValuePages& pages, std::size_t n, const float* key, const float* value) const override {
    const std::size_t frame = n / frame_size_;
    store(pages, frame / kPageFrames * frame_pages_.number + page_of_site(n), row_of_site(n) + frame % kPageFrames, key,
          value);
  }
  void keys(const KeyValuePages& pages, std::size_t n, const float*, const float*,
            std::vector<KeyRun>& runs) const override {
    list_runs(pages, page_of_site(n), frame_pages_.number, row_of_site(n), kPageFrames, n / frame_size_ + 1, runs);
  }
  [[nodiscard]] std::size_t most_keys(std::size_t end) const override { return end / frame_size_ + 1; }

 private:
  static constexpr std::size_t kPageFrames = 16;
  [[nodiscard]] std::size_t page_of_site(std::size_t n) const noexcept { return n % frame_size_ / frame_pages_.rows; }
  [[nodiscard]] std::size_t row_of_site(std::size_t n) const noexcept {
    return n % frame_size_ % frame_pages_.rows * kPageFrames;
  }

  std::size_t frame_size_;
  FramePages frame_pages_;
};

}  // namespace trine::inline TRINE_ABI
