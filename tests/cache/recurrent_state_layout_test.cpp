// SPDX-License-Identifier: Apache-2.0
#include <trine/cache/recurrent_state_layout.hpp>

#include <algorithm>
#include <cstddef>
#include <vector>

#include <gmock/gmock.h>

namespace trine {
namespace {

constexpr std::size_t kChunk = RecurrentStateLayout::kChunk;

// A layer whose state at border b is b times `value`, and whose row n is n times `value`.
class CountingLayer {
 public:
  void pass(LayerState& state, std::size_t begin, std::size_t rows, float value = 1.0F) const {
    const RecurrentStateLayout::Writer writer(state, begin, rows);
    for (std::size_t n = begin; n < begin + rows; ++n) {
      const std::size_t chunk = n / kChunk;
      writer.chunk(chunk)[n % kChunk] = value * static_cast<float>(n);
      if ((n + 1) % kChunk == 0)
        writer.for_each_border(chunk + 1, [&](float* border) { *border = value * static_cast<float>(chunk + 1); });
    }
    writer.finish();
  }
  // What the layer reads to go on from `position`.
  static void expect_state(const LayerState& state, std::size_t position, float value = 1.0F) {
    const std::size_t chunk = position / kChunk;
    const float* border = RecurrentStateLayout::border(state, chunk);
    ASSERT_EQ(border == nullptr, chunk == 0) << position;
    if (border != nullptr) {
      ASSERT_EQ(*border, value * static_cast<float>(chunk)) << position;
    }
    for (std::size_t row = 0; row < position % kChunk; ++row)
      ASSERT_EQ(RecurrentStateLayout::chunk(state, chunk)[row], value * static_cast<float>(chunk * kChunk + row))
          << position;
  }
  // The pages that there are.
  static std::vector<std::size_t> pages(const LayerState& state) {
    std::vector<std::size_t> count;
    for (const PageTable& table : state.tables) {
      std::size_t existing = 0;
      while (table.exists(existing)) ++existing;
      EXPECT_EQ(existing, table.size());
      count.push_back(existing);
    }
    return count;
  }

  RecurrentStateLayout layout{1, kChunk};
};

TEST(RecurrentStateLayout, HasThePagesItForetells) {
  const CountingLayer layer;
  for (const std::size_t rows : {1U, 7U, 32U, 33U, 100U, 512U}) {
    LayerState state = layer.layout.make(KvCacheDtype::f32);
    EXPECT_THAT(RecurrentStateLayout::pages(0), testing::ElementsAre(0, 0));
    for (std::size_t n = 0; n < 5000;) {
      layer.pass(state, n, rows);
      n += rows;
      ASSERT_EQ(CountingLayer::pages(state), RecurrentStateLayout::pages(n)) << n << " in passes of " << rows;
      CountingLayer::expect_state(state, n);
    }
  }
  EXPECT_THAT(RecurrentStateLayout::pages(8 * kChunk - 1), testing::ElementsAre(2, 2));
  EXPECT_THAT(RecurrentStateLayout::pages(8 * kChunk), testing::ElementsAre(3, 2));
  EXPECT_THAT(RecurrentStateLayout::pages(64 * kChunk), testing::ElementsAre(5, 2));
  EXPECT_THAT(RecurrentStateLayout::pages(1U << 20U), testing::ElementsAre(11, 2));
}

TEST(RecurrentStateLayout, GoesBackAsFarAsItSays) {
  const CountingLayer layer;
  LayerState state = layer.layout.make(KvCacheDtype::f32);
  std::size_t length = 0;
  for (const std::size_t rows : {3U, 200U, 1000U, 1U, 3000U, 6000U, 50U, 30000U}) {
    layer.pass(state, length, rows);
    length += rows;
    for (std::size_t back = 0; back <= length; back += 1 + back / 7) {
      const std::size_t to = length - back;
      const std::size_t found = RecurrentStateLayout::rewind_position(state, to);
      ASSERT_LE(found, to);
      // The rows of the chunk before the last are there as well.
      if (to / kChunk + 1 >= length / kChunk) {
        ASSERT_EQ(found, to) << length;
      }
      ASSERT_LE(length - found, 2 * RecurrentStateLayout::kSpacing * std::max(back, kChunk)) << length << " to " << to;
      LayerState shorter = state;
      RecurrentStateLayout::truncate(shorter, found);
      ASSERT_EQ(CountingLayer::pages(shorter), RecurrentStateLayout::pages(found));
      CountingLayer::expect_state(shorter, found);
      ASSERT_EQ(RecurrentStateLayout::rewind_position(shorter, found), found);
    }
  }
}

// What it went back from must not be taken for what comes after.
TEST(RecurrentStateLayout, ForgetsWhatItWentBackFrom) {
  const CountingLayer layer;
  std::size_t found_later = 0;
  for (const std::size_t to : {5U, 40U, 70U, 300U, 1000U, 2047U, 2048U, 2100U}) {
    LayerState state = layer.layout.make(KvCacheDtype::f32);
    layer.pass(state, 0, 2200);
    const std::size_t kept = RecurrentStateLayout::rewind_position(state, to);
    RecurrentStateLayout::truncate(state, kept);
    for (std::size_t length = kept; length < 2400; length += 67) {
      layer.pass(state, length, 67, -1.0F);  // another sequence from here on
      for (std::size_t back = kept; back < length + 67; back += 9) {
        LayerState shorter = state;
        const std::size_t at = RecurrentStateLayout::rewind_position(shorter, back);
        RecurrentStateLayout::truncate(shorter, at);
        if (at / kChunk * kChunk < kept + kChunk) continue;  // a border or rows of both
        ++found_later;
        CountingLayer::expect_state(shorter, at, -1.0F);
      }
    }
  }
  EXPECT_GT(found_later, 1000U);
}

// A pass that failed between leaves nothing that could be mistaken for its result.
TEST(RecurrentStateLayout, GoesBackBeforeAPassThatFailed) {
  const CountingLayer layer;
  for (const std::size_t rows : {1U, 40U, 64U, 100U, 700U}) {
    LayerState state = layer.layout.make(KvCacheDtype::f32);
    layer.pass(state, 0, 1100);
    const RecurrentStateLayout::Writer failed(state, 1100, rows);
    for (std::size_t c = 1100 / kChunk; c <= (1100 + rows - 1) / kChunk; ++c) {
      if (c != 1100 / kChunk) std::fill_n(failed.chunk(c), kChunk, -1.0F);
      if (c < failed.last_border()) failed.for_each_border(c + 1, [](float* border) { *border = -1.0F; });
    }
    const std::size_t at = RecurrentStateLayout::rewind_position(state, 1100);
    EXPECT_EQ(at == 1100U, rows <= 40) << rows;  // until then, no page of the last chunks is used again
    RecurrentStateLayout::truncate(state, at);
    CountingLayer::expect_state(state, at);
  }
}

TEST(RecurrentStateLayout, SharesItsPagesUntilOneOfTwoWrites) {
  const CountingLayer layer;
  LayerState state = layer.layout.make(KvCacheDtype::f32);
  layer.pass(state, 0, 70);
  LayerState fork = state;
  layer.pass(fork, 70, 1, -1.0F);
  EXPECT_EQ(fork.tables[0].shared_bytes(), fork.tables[0].bytes()) << "the states, which are large";
  layer.pass(fork, 71, 100, -1.0F);
  CountingLayer::expect_state(state, 70);
  layer.pass(state, 70, 10);
  CountingLayer::expect_state(state, 80);
}

}  // namespace
}  // namespace trine
