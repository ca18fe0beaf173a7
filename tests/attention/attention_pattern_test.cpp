// SPDX-License-Identifier: Apache-2.0
// The masks of the native architecture (docs/architecture.md), by brute force: every query against every key.
#include <trine/attention/attention_pattern.hpp>

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>

namespace trine {
namespace {

struct AxisCase {
  std::string name;
  std::function<std::unique_ptr<AttentionPattern>()> make;
  std::function<bool(std::size_t n, std::size_t m)> allowed;  // may query n look at key m?
  std::function<std::size_t(std::size_t n)> rotary;           // position of the rotation
  std::size_t frame_size = 1;
  bool whole_frames = false;
  std::size_t most_remembered = 0;  // places for positions; 0: for all
};

std::vector<AxisCase> cases() {
  std::vector<AxisCase> result;
  const auto index = [](std::size_t n) { return n; };
  result.push_back({"full", [] { return std::make_unique<FullPattern>(); },
                    [](std::size_t n, std::size_t m) { return m <= n; }, index});
  for (const std::size_t window : {1U, 2U, 5U, 63U, 64U, 65U, 100U}) {
    result.push_back({"sliding window of " + std::to_string(window),
                      [=] { return std::make_unique<SlidingWindowPattern>(window); },
                      [=](std::size_t n, std::size_t m) { return m <= n && n - m < window; }, index, 1, false,
                      (window + 63) / 64 * 64 + 64});
  }
  for (const Chunking chunks :
       {Chunking{1, 0}, Chunking{1, 1}, Chunking{5, 2}, Chunking{64, 0}, Chunking{40, 40}, Chunking{100, 30}}) {
    result.push_back(
        {"chunks of " + std::to_string(chunks.size) + " and " + std::to_string(chunks.overlap),
         [=] { return std::make_unique<ChunkedPattern>(chunks); },
         [=](std::size_t n, std::size_t m) { return m <= n && m + chunks.overlap >= n / chunks.size * chunks.size; },
         index, 1, false, (chunks.size + chunks.overlap + 63) / 64 * 64});
  }
  for (const std::size_t s : {1U, 2U, 5U, 64U}) {
    const auto frame = [s](std::size_t n) { return n / s; };
    for (const std::size_t lookback : {0U, 1U, 2U, 3U}) {
      const std::string name = ", frames of " + std::to_string(s) + ", lookback " + std::to_string(lookback);
      result.push_back({"causal window" + name, [=] { return std::make_unique<FrameWindowPattern>(s, lookback, true); },
                        [=](std::size_t n, std::size_t m) { return m <= n && n / s - m / s <= lookback; }, index, s,
                        false, (lookback + 1) * s});
      result.push_back({"window" + name, [=] { return std::make_unique<FrameWindowPattern>(s, lookback, false); },
                        [=](std::size_t n, std::size_t m) { return m / s <= n / s && n / s - m / s <= lookback; },
                        index, s, true, (lookback + 1) * s});
    }
    const std::string name = ", frames of " + std::to_string(s);
    result.push_back({"summary" + name, [=] { return std::make_unique<SummaryPattern>(s); },
                      [=](std::size_t n, std::size_t m) { return m == n || (m / s < n / s && m % s == s - 1); }, frame,
                      s});
    result.push_back({"strided" + name, [=] { return std::make_unique<StridedPattern>(s); },
                      [=](std::size_t n, std::size_t m) { return m <= n && m % s == n % s; }, frame, s});
    result.push_back({"frames to choose from" + name, [=] { return std::make_unique<RoutedPattern>(s, 2); },
                      [=](std::size_t n, std::size_t m) { return m == n || m / s < n / s; }, frame, s});
  }
  return result;
}

// What lies where: which position was remembered last at each place.
using Memory = std::map<std::pair<std::size_t, std::size_t>, std::size_t>;

// The positions that query i of a tile sees.
std::vector<std::size_t> positions_seen(const AttentionPattern& pattern, const Memory& memory, const QueryTile& tile,
                                        std::size_t i) {
  const VisibleRange visible = pattern.visible(tile);
  const std::size_t block = pattern.page_layout().block_rows;
  std::vector<std::size_t> seen;
  for (std::size_t index = visible.begin(i); index < visible.end(i);) {
    const KvSegment run = pattern.segment(tile, index, visible.end(i));
    EXPECT_GE(run.count, 1U);
    EXPECT_LE(run.slot.row % block + run.count, block) << "a run lies in one block";
    for (std::size_t j = 0; j < run.count; ++j) {
      const auto found = memory.find({run.slot.page, run.slot.row + j});
      EXPECT_TRUE(found != memory.end()) << "a place that nothing was stored at";
      if (found != memory.end()) seen.push_back(found->second);
    }
    index += run.count;
  }
  if (visible.attends_self) seen.push_back(tile.position(i));
  return seen;
}

// Goes through `end` positions in calls of `rows`, in passes as long as the axis allows, as an attention layer does.
void expect_the_mask(const AxisCase& c, std::size_t end, std::size_t rows, std::size_t most) {
  const std::unique_ptr<AttentionPattern> pattern = c.make();
  Memory memory;
  std::set<std::size_t> pages;
  for (std::size_t begin = 0; begin < end; begin += rows) {
    const std::size_t stop = std::min(begin + rows, end);
    for (std::size_t n = begin; n < stop;) {
      const std::size_t count = pattern->max_append(n, stop - n);
      ASSERT_GE(count, 1U);
      ASSERT_LE(count, stop - n);
      for (std::size_t m = n; m < n + count; ++m) {
        const std::optional<CacheSlot> slot = pattern->slot(m);
        if (!slot) continue;
        ASSERT_LT(slot->row, pattern->page_layout().page_rows());
        memory[{slot->page, slot->row}] = m;
        pages.insert(slot->page);
      }
      std::vector<QueryTile> tiles(count);
      tiles.resize(pattern->tiles(n, n + count, most, tiles));
      std::set<std::size_t> queries;
      for (const QueryTile& tile : tiles) {
        ASSERT_LE(tile.count, most);
        for (std::size_t i = 0; i < tile.count; ++i) {
          const std::size_t q = tile.position(i);
          ASSERT_TRUE(queries.insert(q).second) << "query " << q << " twice";
          std::vector<std::size_t> expected;
          // Keys beyond this pass exist for no axis that looks ahead: those demand whole frames.
          for (std::size_t m = 0; m < end; ++m)
            if (c.allowed(q, m)) expected.push_back(m);
          ASSERT_EQ(positions_seen(*pattern, memory, tile, i), expected)
              << c.name << ", query " << q << ", calls of " << rows;
          ASSERT_EQ(pattern->rotary_position(q), c.rotary(q)) << c.name;
        }
      }
      ASSERT_EQ(queries.size(), count) << c.name;
      ASSERT_EQ(*queries.begin(), n);
      ASSERT_EQ(*queries.rbegin(), n + count - 1);
      n += count;
    }
    ASSERT_EQ(pages.size(), pattern->pages(stop)) << c.name << " after " << stop;
  }
}

TEST(AttentionPattern, ShowsEveryQueryTheKeysOfItsMaskInAscendingOrder) {
  for (const AxisCase& c : cases()) {
    const std::size_t end = std::max<std::size_t>(c.frame_size * 7, 150) / c.frame_size * c.frame_size;
    if (c.whole_frames) {
      for (const std::size_t frames : {1U, 3U}) expect_the_mask(c, end, frames * c.frame_size, 8);
      expect_the_mask(c, end, end, 3);
    } else {
      for (const std::size_t rows : {std::size_t{1}, std::size_t{7}, std::size_t{64}, end})
        for (const std::size_t most : {1U, 8U, 64U}) expect_the_mask(c, end, rows, most);
    }
  }
}

// A window remembers its frames and nothing else, a summary one position a frame: what makes long sequences cheap.
TEST(AttentionPattern, RemembersNoMoreThanItMust) {
  constexpr std::size_t kTokens = 6400;
  for (const AxisCase& c : cases()) {
    const std::unique_ptr<AttentionPattern> pattern = c.make();
    const std::size_t remembered = pattern->pages(kTokens) * pattern->page_layout().page_rows();
    if (c.most_remembered != 0) {
      EXPECT_EQ(remembered, c.most_remembered) << c.name;
    } else if (c.name.starts_with("summary")) {
      EXPECT_LE(remembered, kTokens / c.frame_size + 32) << c.name;
      EXPECT_GE(remembered, kTokens / c.frame_size) << c.name;
    } else {
      EXPECT_GE(remembered, kTokens) << c.name;
      EXPECT_LE(remembered, kTokens + 16 * 64) << c.name;
    }
  }
}

// Going back is allowed if and only if all that the next query would see is still where it was.
TEST(AttentionPattern, KnowsHowFarItCanGoBack) {
  for (const AxisCase& c : cases()) {
    if (c.whole_frames) continue;
    const std::unique_ptr<AttentionPattern> pattern = c.make();
    Memory memory;
    const std::size_t end = std::max<std::size_t>(c.frame_size * 5, 300);
    for (std::size_t tokens = 1; tokens <= end; ++tokens) {
      if (const std::optional<CacheSlot> slot = pattern->slot(tokens - 1)) memory[{slot->page, slot->row}] = tokens - 1;
      if (tokens % 7 != 0 && tokens < end - 3) continue;
      for (std::size_t to = 0; to < tokens; ++to) {
        Memory then = memory;
        if (const std::optional<CacheSlot> slot = pattern->slot(to)) then[{slot->page, slot->row}] = to;
        const QueryTile tile{to, 1, 1};
        std::vector<std::size_t> expected;
        for (std::size_t m = 0; m <= to; ++m)
          if (c.allowed(to, m)) expected.push_back(m);
        ASSERT_EQ(pattern->can_truncate(tokens, to), positions_seen(*pattern, then, tile, 0) == expected)
            << c.name << ", from " << tokens << " to " << to;
      }
    }
  }
}

}  // namespace
}  // namespace trine
