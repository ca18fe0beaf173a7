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

}  // namespace
}  // namespace trine
