// SPDX-License-Identifier: Apache-2.0
// Memory follows what is written, not what a configuration says a frame could hold.
#include <trine/attention/attention_pattern.hpp>

#include <map>
#include <utility>
#include <vector>

#include <gmock/gmock.h>

namespace trine {
namespace {

constexpr std::size_t kHuge = std::size_t{1} << 22U;
constexpr std::size_t kWidth = 4;

std::size_t bytes_after_one_token(const AttentionPattern& pattern) {
  KvPageLayout shape = pattern.page_layout();
  shape.heads = 1;
  shape.head_dim = kWidth;
  PageTable pages(shape.page_bytes());
  const std::vector<float> row(kWidth);
  if (const auto slot = pattern.slot(0)) store_kv(shape, pages, *slot, row, row);
  EXPECT_EQ(pages.bytes(), pattern.pages(1) * shape.page_bytes());
  return pages.bytes();
}

TEST(HugeFrame, CostsTheFirstTokenSomePagesOnly) {
  EXPECT_LE(bytes_after_one_token(FrameWindowPattern(kHuge, 1, true)), 2 * 64 * kWidth * sizeof(float));
  EXPECT_LE(bytes_after_one_token(SummaryPattern(kHuge)), 2 * 64 * kWidth * sizeof(float));
  EXPECT_LE(bytes_after_one_token(StridedPattern(kHuge)), 2 * 16 * 64 * kWidth * sizeof(float));
}

TEST(HugeFrame, IsSeenWholeAcrossItsPages) {
  const FrameWindowPattern pattern(150, 1, true);  // three pages of 50 a frame
  std::map<std::pair<std::size_t, std::size_t>, std::size_t> memory;
  for (std::size_t n = 0; n < 500; ++n) {
    const CacheSlot slot = pattern.slot(n).value();
    memory[{slot.page, slot.row}] = n;
    const QueryTile tile{n, 1, 1};
    const VisibleRange visible = pattern.visible(tile);
    std::size_t expected = n < 150 ? 0 : (n / 150 - 1) * 150;
    for (std::size_t index = visible.begin(0); index < visible.end(0);) {
      const KvSegment run = pattern.segment(tile, index, visible.end(0));
      for (std::size_t j = 0; j < run.count; ++j) EXPECT_EQ((memory.at({run.slot.page, run.slot.row + j})), expected++);
      index += run.count;
    }
    EXPECT_EQ(expected, n + 1);
  }
}

}  // namespace
}  // namespace trine
