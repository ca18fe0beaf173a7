// SPDX-License-Identifier: Apache-2.0
// Memory follows what is written, not what a configuration says a frame could hold.
#include <trine/attention/attention_axis.hpp>

#include <vector>

#include <gmock/gmock.h>

namespace trine {
namespace {

constexpr std::size_t kHuge = std::size_t{1} << 22U;
constexpr std::size_t kWidth = 4;

std::size_t bytes_after_one_token(const AttentionAxis& axis) {
  KeyValuePages pages = axis.make_pages(kWidth);
  const std::vector<float> row(kWidth);
  axis.remember(pages, 0, row.data(), row.data());
  EXPECT_EQ(pages.bytes(), axis.pages(1) * KeyValuePages::page_bytes(pages.page_rows(), kWidth));
  return pages.bytes();
}

TEST(HugeFrame, CostsTheFirstTokenSomePagesOnly) {
  EXPECT_LE(bytes_after_one_token(WindowAxis(kHuge, 1, true)), 2 * 64 * kWidth * sizeof(float));
  EXPECT_LE(bytes_after_one_token(SummaryAxis(kHuge)), 2 * 64 * kWidth * sizeof(float));
  EXPECT_LE(bytes_after_one_token(StridedAxis(kHuge)), 2 * 16 * 64 * kWidth * sizeof(float));
}

TEST(HugeFrame, PlansScratchForTheKeysThatThereAre) { EXPECT_EQ(WindowAxis(kHuge, 1, true).most_keys(10), 10U); }

TEST(HugeFrame, IsSeenWholeAcrossItsPages) {
  const WindowAxis axis(150, 1, true);  // three pages of 50 a frame
  KeyValuePages pages = axis.make_pages(1);
  for (std::size_t n = 0; n < 500; ++n) {
    const float value = static_cast<float>(n);
    axis.remember(pages, n, &value, &value);
    std::vector<KeyRun> runs;
    axis.keys(pages, n, &value, &value, runs);
    std::size_t expected = n < 150 ? 0 : (n / 150 - 1) * 150;
    for (const KeyRun& run : runs)
      for (std::size_t j = 0; j < run.count; ++j) EXPECT_EQ(run.key[j], static_cast<float>(expected++));
    EXPECT_EQ(expected, n + 1);
  }
}

}  // namespace
}  // namespace trine
