// SPDX-License-Identifier: Apache-2.0
#include <trine/nn/rotary.hpp>

#include <cmath>
#include <vector>

#include <gmock/gmock.h>

#include "support/naive.hpp"
#include "support/random_tensor.hpp"

namespace trine {
namespace {

TEST(Rotary, TurnsPairsOfTheTwoHalvesByHand) {
  const Rotary rotary(4, 100.0, 16);  // frequencies 1 and 0.1
  std::vector<float> head{1.0F, 0.0F, 0.0F, 2.0F};
  rotary.rotate(3, head);
  EXPECT_FLOAT_EQ(head[0], std::cos(3.0F));
  EXPECT_FLOAT_EQ(head[2], std::sin(3.0F));
  EXPECT_FLOAT_EQ(head[1], -2.0F * std::sin(0.3F));
  EXPECT_FLOAT_EQ(head[3], 2.0F * std::cos(0.3F));
}

TEST(Rotary, DoesNothingAtPositionZero) {
  const Rotary rotary(6, 10000.0, 1);
  std::vector<float> head{1, 2, 3, 4, 5, 6};
  rotary.rotate(0, head);
  EXPECT_THAT(head, testing::ElementsAre(1, 2, 3, 4, 5, 6));
}

// A float angle is off by a tenth at positions in the millions; ours comes from tables in double precision.
TEST(Rotary, IsExactAtAnyPosition) {
  constexpr std::size_t kLast = (1U << 22U) - 1;
  for (const std::size_t head_dim : {2U, 10U, 64U}) {
    const Rotary rotary(head_dim, 10000.0, kLast + 1);
    for (const std::size_t position : {std::size_t{1}, std::size_t{255}, std::size_t{256}, std::size_t{65537}, kLast}) {
      auto heads = test::random_tensor({3 * head_dim}, position);
      const std::vector<float> before(heads.view().span().begin(), heads.view().span().end());
      rotary.rotate(position, heads.view().span());
      for (std::size_t h = 0; h < 3; ++h) {
        const auto begin = before.begin() + static_cast<std::ptrdiff_t>(h * head_dim);
        const auto expected = test::naive::rope({begin, begin + static_cast<std::ptrdiff_t>(head_dim)},
                                                static_cast<double>(position), 10000.0);
        for (std::size_t i = 0; i < head_dim; ++i)  // two products and a sum of numbers below 1, in f32
          ASSERT_NEAR(static_cast<double>(heads.view()[h * head_dim + i]), expected[i], 2.5e-7)
              << "position " << position;
      }
    }
  }
}

// What attention relies on: a score depends on the distance of two positions only.
TEST(Rotary, KeepsTheProductOfTwoHeadsWhenBothMoveOn) {
  const Rotary rotary(16, 10000.0, 4096);
  const auto q = test::random_tensor({16}, 1);
  const auto k = test::random_tensor({16}, 2);
  const auto score = [&](std::size_t n, std::size_t m) {
    auto query = q;
    auto key = k;
    rotary.rotate(n, query.view().span());
    rotary.rotate(m, key.view().span());
    float sum = 0.0F;
    for (std::size_t i = 0; i < 16; ++i) sum += query.view()[i] * key.view()[i];
    return sum;
  };
  for (const std::size_t shift : {1U, 100U, 4000U}) EXPECT_NEAR(score(20 + shift, 3 + shift), score(20, 3), 2e-6F);
}

// Pair i of the interleaved head is elements 2i and 2i + 1: evens first, then odds, makes it half-split.
TEST(Rotary, TurnsInterleavedPairsAsHalfSplitOnesOfTheReorderedHead) {
  const RopeFrequencies frequencies = base_frequencies(8, 100.0);
  const Rotary interleaved(frequencies, RotaryPairs::interleaved, 8, 300);
  const Rotary half_split(frequencies, RotaryPairs::half_split, 8, 300);
  auto head = test::random_tensor({8}, 4);
  std::vector<float> reordered(8);
  for (std::size_t i = 0; i < 8; ++i) reordered[i / 2 + i % 2 * 4] = head.view()[i];
  auto raw = head;
  interleaved.rotate(299, head.view().span());
  half_split.rotate(299, reordered);
  half_split.rotate(299, raw.view().span());
  for (std::size_t i = 0; i < 8; ++i) EXPECT_EQ(head.view()[i], reordered[i / 2 + i % 2 * 4]) << i;
  for (std::size_t i = 0; i < 8; ++i) EXPECT_GT(std::abs(head.view()[i] - raw.view()[i]), 1e-3F) << i;
}

TEST(Rotary, TurnsInterleavedPairsByHand) {
  const Rotary rotary({{1.0, 0.1}, 1.0}, RotaryPairs::interleaved, 4, 16);
  std::vector<float> head{1.0F, 0.0F, 0.0F, 2.0F};
  rotary.rotate(3, head);
  EXPECT_FLOAT_EQ(head[0], std::cos(3.0F));
  EXPECT_FLOAT_EQ(head[1], std::sin(3.0F));
  EXPECT_FLOAT_EQ(head[2], -2.0F * std::sin(0.3F));
  EXPECT_FLOAT_EQ(head[3], 2.0F * std::cos(0.3F));
}

TEST(Rotary, LeavesWhatLiesBehindTheRotatedPart) {
  const Rotary rotary({{1.0, 0.1}, 1.0}, RotaryPairs::half_split, 6, 16);
  EXPECT_EQ(rotary.rotary_dim(), 4U);
  std::vector<float> heads{1, 0, 0, 2, 5, 6, 1, 0, 0, 2, 7, 8};
  rotary.rotate(3, heads);
  for (const std::size_t first : {0U, 6U}) {
    EXPECT_FLOAT_EQ(heads[first + 0], std::cos(3.0F));
    EXPECT_FLOAT_EQ(heads[first + 1], -2.0F * std::sin(0.3F));
    EXPECT_FLOAT_EQ(heads[first + 2], std::sin(3.0F));
    EXPECT_FLOAT_EQ(heads[first + 3], 2.0F * std::cos(0.3F));
  }
  EXPECT_THAT((std::vector<float>{heads[4], heads[5], heads[10], heads[11]}), testing::ElementsAre(5, 6, 7, 8));
}

TEST(Rotary, TurnsTheTailOfHeadsThatLieApart) {
  for (const RotaryPairs pairs : {RotaryPairs::half_split, RotaryPairs::interleaved}) {
    const Rotary rotary(base_frequencies(4, 100.0), pairs, 4, 1000);
    auto heads = test::random_tensor({3, 7}, 5);  // three elements that stay, then four that turn
    auto expected = heads;
    rotary.rotate(777, heads.view().span().subspan(3), 7);
    for (std::size_t h = 0; h < 3; ++h) rotary.rotate(777, expected.view().row(h).subspan(3));
    EXPECT_THAT(heads.view().span(),
                testing::ElementsAreArray(expected.view().span().begin(), expected.view().span().end()));
  }
}

TEST(Rotary, MultipliesWithTheAmplitude) {
  const Rotary plain({{0.5, 0.25}, 1.0}, RotaryPairs::half_split, 4, 16);
  const Rotary louder({{0.5, 0.25}, 1.5}, RotaryPairs::half_split, 4, 16);
  auto head = test::random_tensor({4}, 6);
  auto other = head;
  plain.rotate(9, head.view().span());
  louder.rotate(9, other.view().span());
  for (std::size_t i = 0; i < 4; ++i) EXPECT_NEAR(other.view()[i], 1.5F * head.view()[i], 3e-7F) << i;
}

}  // namespace
}  // namespace trine
