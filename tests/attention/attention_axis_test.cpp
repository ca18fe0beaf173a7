// SPDX-License-Identifier: Apache-2.0
// The masks of the native architecture (docs/architecture.md), by brute force: every query against every key.
#include <trine/attention/attention_axis.hpp>

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>

namespace trine {
namespace {

struct AxisCase {
  std::string name;
  std::function<std::unique_ptr<AttentionAxis>()> make;
  std::function<bool(std::size_t n, std::size_t m)> allowed;  // may query n look at key m?
  std::function<std::size_t(std::size_t n)> rotary;           // position of the rotation
  std::size_t frame_size = 1;
  bool whole_frames = false;
  std::size_t most_remembered = 0;  // places for positions; 0: for all
};

std::vector<AxisCase> cases() {
  std::vector<AxisCase> result;
  const auto index = [](std::size_t n) { return n; };
  result.push_back({"full", [] { return std::make_unique<FullAxis>(); },
                    [](std::size_t n, std::size_t m) { return m <= n; }, index});
  for (const std::size_t window : {1U, 2U, 5U, 63U, 64U, 65U, 100U}) {
    result.push_back({"sliding window of " + std::to_string(window),
                      [=] { return std::make_unique<SlidingAxis>(window); },
                      [=](std::size_t n, std::size_t m) { return m <= n && n - m < window; }, index, 1, false,
                      (window + 63) / 64 * 64 + 64});
  }
  for (const std::size_t s : {1U, 2U, 5U, 64U}) {
    const auto frame = [s](std::size_t n) { return n / s; };
    for (const std::size_t lookback : {0U, 1U, 2U, 3U}) {
      const std::string name = ", frames of " + std::to_string(s) + ", lookback " + std::to_string(lookback);
      result.push_back({"causal window" + name, [=] { return std::make_unique<WindowAxis>(s, lookback, true); },
                        [=](std::size_t n, std::size_t m) { return m <= n && n / s - m / s <= lookback; }, index, s,
                        false, (lookback + 1) * s});
      result.push_back({"window" + name, [=] { return std::make_unique<WindowAxis>(s, lookback, false); },
                        [=](std::size_t n, std::size_t m) { return m / s <= n / s && n / s - m / s <= lookback; },
                        index, s, true, (lookback + 1) * s});
    }
    const std::string name = ", frames of " + std::to_string(s);
    result.push_back({"summary" + name, [=] { return std::make_unique<SummaryAxis>(s); },
                      [=](std::size_t n, std::size_t m) { return m == n || (m / s < n / s && m % s == s - 1); }, frame,
                      s});
    result.push_back({"strided" + name, [=] { return std::make_unique<StridedAxis>(s); },
                      [=](std::size_t n, std::size_t m) { return m <= n && m % s == n % s; }, frame, s});
  }
  return result;
}

constexpr std::size_t kWidth = 3;

// Keys hold their position, values its negative, so that what a query sees can be read off.
std::vector<float> key_of(std::size_t n) { return std::vector<float>(kWidth, static_cast<float>(n)); }
std::vector<float> value_of(std::size_t n) { return std::vector<float>(kWidth, -static_cast<float>(n)); }

std::vector<std::size_t> positions_seen(const AttentionAxis& axis, const KeyValuePages& pages, std::size_t n) {
  const std::vector<float> key = key_of(n);
  const std::vector<float> value = value_of(n);
  std::vector<KeyRun> runs;
  axis.keys(pages, n, key.data(), value.data(), runs);
  std::vector<std::size_t> seen;
  for (const KeyRun& run : runs) {
    for (std::size_t j = 0; j < run.count; ++j) {
      for (std::size_t i = 0; i < kWidth; ++i) {
        EXPECT_EQ(run.key[j * kWidth + i], run.key[j * kWidth]);
        EXPECT_EQ(run.value[j * kWidth + i], -run.key[j * kWidth]) << "the value belongs to its key";
      }
      seen.push_back(static_cast<std::size_t>(run.key[j * kWidth]));
    }
  }
  return seen;
}

// Goes through `end` positions in calls of `rows`, in passes as long as the axis allows, as an attention layer does.
void expect_the_mask(const AxisCase& c, std::size_t end, std::size_t rows) {
  const std::unique_ptr<AttentionAxis> axis = c.make();
  KeyValuePages pages = axis->make_pages(kWidth);
  for (std::size_t begin = 0; begin < end; begin += rows) {
    const std::size_t stop = std::min(begin + rows, end);
    for (std::size_t n = begin; n < stop;) {
      const std::size_t count = axis->pass(n, stop - n);
      ASSERT_GE(count, 1U);
      ASSERT_LE(count, stop - n);
      for (std::size_t m = n; m < n + count; ++m) axis->remember(pages, m, key_of(m).data(), value_of(m).data());
      for (std::size_t q = n; q < n + count; ++q) {
        std::vector<std::size_t> expected;
        // Keys beyond this pass exist for no axis that looks ahead: those demand whole frames.
        for (std::size_t m = 0; m < end; ++m)
          if (c.allowed(q, m)) expected.push_back(m);
        const std::vector<std::size_t> seen = positions_seen(*axis, pages, q);
        ASSERT_EQ(seen, expected) << c.name << ", query " << q << ", calls of " << rows;
        ASSERT_LE(seen.size(), axis->most_keys(stop)) << c.name << ", query " << q;
        ASSERT_EQ(axis->rotary_position(q), c.rotary(q)) << c.name;
      }
      n += count;
    }
    ASSERT_EQ(pages.bytes(), axis->pages(stop) * KeyValuePages::page_bytes(pages.page_rows(), kWidth))
        << c.name << " after " << stop;
  }
}

TEST(AttentionAxis, ShowsEveryQueryTheKeysOfItsMaskInAscendingOrder) {
  for (const AxisCase& c : cases()) {
    const std::size_t end = std::max<std::size_t>(c.frame_size * 7, 150) / c.frame_size * c.frame_size;
    if (c.whole_frames) {
      for (const std::size_t frames : {1U, 3U}) expect_the_mask(c, end, frames * c.frame_size);
      expect_the_mask(c, end, end);
    } else {
      for (const std::size_t rows : {std::size_t{1}, std::size_t{7}, std::size_t{64}, end})
        expect_the_mask(c, end, rows);
    }
  }
}

// A window remembers its frames and nothing else, a summary one position a frame: what makes long sequences cheap.
TEST(AttentionAxis, RemembersNoMoreThanItMust) {
  constexpr std::size_t kTokens = 6400;
  for (const AxisCase& c : cases()) {
    const std::unique_ptr<AttentionAxis> axis = c.make();
    const KeyValuePages pages = axis->make_pages(kWidth);
    const std::size_t remembered = axis->pages(kTokens) * pages.page_rows();
    if (c.most_remembered != 0) {
      EXPECT_EQ(remembered, c.most_remembered) << c.name;
    } else if (c.name.starts_with("summary")) {
      EXPECT_LE(remembered, kTokens / c.frame_size + 16) << c.name;
      EXPECT_GE(remembered, kTokens / c.frame_size) << c.name;
    } else {
      EXPECT_GE(remembered, kTokens) << c.name;
      EXPECT_LE(remembered, kTokens + 16 * 64) << c.name;
    }
  }
}

}  // namespace
}  // namespace trine
