// SPDX-License-Identifier: Apache-2.0
#include <trine/kernels/online_softmax.hpp>

#include <cmath>
#include <vector>

#include <gmock/gmock.h>

#include <trine/kernels/vector_math.hpp>

#include "kernels/page_end.hpp"
#include "support/naive.hpp"
#include "support/random_tensor.hpp"

namespace trine {
namespace {

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

// z of scores and rows of `values` that come in pieces of `piece`.
std::vector<float> stream(std::vector<float> scores, float scale, View<const float, 2> values, std::size_t piece) {
  const Isa isa = default_isa();
  kernels::OnlineSoftmax state;
  std::vector<float> z(values.extent(1));
  for (std::size_t j = 0; j < scores.size(); j += piece) {
    const std::size_t count = std::min(piece, scores.size() - j);
    const std::span<float> part = std::span(scores).subspan(j, count);
    kernels::multiply(isa, z, kernels::online_softmax_block(isa, state, part, scale));
    kernels::weighted_sum(isa, part, values.row(j).data(), values.extent(1), z);
  }
  kernels::multiply(isa, z, 1.0F / state.total);
  return z;
}

TEST(StreamingSoftmaxPerIsa, IsTheSoftmaxWeightedSumHoweverItIsCut) {
  for (const std::size_t keys : {1U, 2U, 7U, 8U, 16U, 33U, 300U}) {
    for (const std::size_t columns : {1U, 5U, 8U, 16U, 71U}) {
      const auto scores = test::random_tensor({keys}, keys, -20.0F, 20.0F);
      const auto values = test::random_tensor({keys, columns}, columns);
      std::vector<double> exact;
      for (const float s : scores.view().span()) exact.push_back(0.5 * static_cast<double>(s));
      exact = test::naive::softmax(exact);
      for (const std::size_t piece : {std::size_t{1}, std::size_t{3}, std::size_t{8}, std::size_t{128}, keys}) {
        const auto span = scores.view().span();
        const auto z = stream({span.begin(), span.end()}, 0.5F, values.view(), piece);
        for (std::size_t i = 0; i < columns; ++i) {
          double sum = 0;
          for (std::size_t j = 0; j < keys; ++j) sum += exact[j] * static_cast<double>(values.view()(j, i));
          // Exponents up to 10 are rounded to 2^-21, each piece may round sums of numbers below 1 a few times.
          ASSERT_NEAR(static_cast<double>(z[i]), sum, 3e-6)
              << keys << " keys, " << columns << " columns, pieces of " << piece;
        }
      }
    }
  }
}

TEST(StreamingSoftmaxPerIsa, KeepsItsFootingWhenScoresRiseAndFallFar) {
  const auto values = test::random_tensor({4, 9}, 3);
  // The largest score, wherever its piece stands, takes all.
  for (std::size_t best = 0; best < 4; ++best) {
    std::vector<float> scores{-3e4F, 100.0F, -200.0F, 50.0F};
    scores[best] = 3e4F;
    const auto z = stream(scores, 1.0F, values.view(), 1);
    for (std::size_t i = 0; i < 9; ++i) EXPECT_FLOAT_EQ(z[i], values.view()(best, i)) << best;
  }
}

TEST(StreamingSoftmaxPerIsa, ReadsAndWritesNothingBeyondItsRows) {
  const Isa isa = default_isa();
  for (std::size_t n = 1; n <= 33; ++n) {
    const test::PageEnd<float> scores(n);
    test::fill_random(scores.span(), n);
    kernels::OnlineSoftmax state;
    kernels::multiply(isa, scores.span(), kernels::online_softmax_block(isa, state, scores.span(), 1.0F));
    for (const float value : scores.span()) EXPECT_LE(std::abs(value), 1.0F);
  }
}

TEST(StreamingSoftmaxPerIsa, KeepsNaN) {
  const auto values = test::random_tensor({3, 4}, 4);
  for (const std::size_t piece : {1U, 3U})
    for (const float z : stream({1.0F, kNaN, 2.0F}, 1.0F, values.view(), piece)) EXPECT_TRUE(std::isnan(z));
}

}  // namespace
}  // namespace trine
