// SPDX-License-Identifier: Apache-2.0
// Memory follows what is written, not what a configuration says a frame could hold.
#include <trine/attention/attention_axis.hpp>

#include <map>
#include <utility>
#include <vector>

#include <gmock/gmock.h>

namespace trine {
namespace {

constexpr std::size_t kHuge = std::size_t{1} << 22U;
constexpr std::size_t kWidth = 4;

std::size_t bytes_after_one_token(const AttentionAxis& axis) {
  KeyValueShape shape = axis.page_shape();
  shape.heads = 1;
  shape.head_dim = kWidth;
  CachePages pages(shape.page_bytes());
  const std::vector<float> row(kWidth);
  if (const auto place = axis.place(0)) store_key_value(shape, pages, *place, row, row);
  EXPECT_EQ(pages.bytes(), axis.pages(1) * shape.page_bytes());
  return pages.bytes();
}

TEST(HugeFrame, CostsTheFirstTokenSomePagesOnly) {
  EXPECT_LE(bytes_after_one_token(WindowAxis(kHuge, 1, true)), 2 * 64 * kWidth * sizeof(float));
  EXPECT_LE(bytes_after_one_token(SummaryAxis(kHuge)), 2 * 64 * kWidth * sizeof(float));
  EXPECT_LE(bytes_after_one_token(StridedAxis(kHuge)), 2 * 16 * 64 * kWidth * sizeof(float));
}

TEST(HugeFrame, IsSeenWholeAcrossItsPages) {
  const WindowAxis axis(150, 1, true);  // three pages of 50 a frame
  std::map<std::pair<std::size_t, std::size_t>, std::size_t> memory;
  for (std::size_t n = 0; n < 500; ++n) {
    const KeyPlace place = axis.place(n).value();
    memory[{place.page, place.row}] = n;
    const QueryTile tile{n, 1, 1};
    const Sight sight = axis.sight(tile);
    std::size_t expected = n < 150 ? 0 : (n / 150 - 1) * 150;
    for (std::size_t index = sight.begin(0); index < sight.end(0);) {
      const KeyRun run = axis.run(tile, index, sight.end(0));
      for (std::size_t j = 0; j < run.count; ++j)
        EXPECT_EQ((memory.at({run.place.page, run.place.row + j})), expected++);
      index += run.count;
    }
    EXPECT_EQ(expected, n + 1);
  }
}

}  // namespace
}  // namespace trine
