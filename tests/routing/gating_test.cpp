// SPDX-License-Identifier: Apache-2.0
#include <trine/routing/gating.hpp>

#include <cmath>
#include <limits>
#include <vector>

#include <gmock/gmock.h>

#include "support/naive.hpp"
#include "support/random_tensor.hpp"

namespace trine {
namespace {

using testing::ElementsAre;
using Scores = std::vector<float>;
using Experts = std::vector<std::uint32_t>;

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
constexpr float kMasked = routing::kMasked;

Experts top_k(const Scores& ranking, std::size_t k) {
  Experts chosen(k, 99);
  routing::top_k(ranking, chosen);
  return chosen;
}

TEST(Sigmoid, IsTheLogisticFunction) {
  Scores x{0.0F, 2.0F, -2.0F, 200.0F, -200.0F, kNaN};
  routing::sigmoid(x);
  EXPECT_EQ(x[0], 0.5F);
  EXPECT_FLOAT_EQ(x[1], 0.88079708F);
  EXPECT_FLOAT_EQ(x[2], 0.11920292F);
  EXPECT_EQ(x[3], 1.0F);
  EXPECT_EQ(x[4], 0.0F);
  EXPECT_TRUE(std::isnan(x[5]));
}

TEST(Softmax, IsWorkedByHand) {
  Scores x{0.0F, std::log(2.0F), std::log(5.0F)};
  routing::softmax(x);
  EXPECT_FLOAT_EQ(x[0], 0.125F);
  EXPECT_FLOAT_EQ(x[1], 0.25F);
  EXPECT_FLOAT_EQ(x[2], 0.625F);
  Scores large{1000.0F, 1000.0F};
  routing::softmax(large);
  EXPECT_THAT(large, ElementsAre(0.5F, 0.5F));
  Scores nothing;
  routing::softmax(nothing);
}

TEST(TopK, PutsTheBestFirst) {
  EXPECT_THAT(top_k({0.1F, 0.7F, 0.3F, 0.5F}, 1), ElementsAre(1));
  EXPECT_THAT(top_k({0.1F, 0.7F, 0.3F, 0.5F}, 3), ElementsAre(1, 3, 2));
  EXPECT_THAT(top_k({0.1F, 0.7F, 0.3F, 0.5F}, 4), ElementsAre(1, 3, 2, 0));
}

TEST(TopK, TakesTheLowerIndexOfEqualScores) {
  EXPECT_THAT(top_k({0.5F, 0.5F, 0.5F, 0.5F}, 2), ElementsAre(0, 1));
  EXPECT_THAT(top_k({0.1F, 0.5F, 0.9F, 0.5F, 0.9F}, 3), ElementsAre(2, 4, 1));
  EXPECT_THAT(top_k({0.0F, -0.0F, kMasked, kMasked}, 3), ElementsAre(0, 1, 2));
}

TEST(TopK, PutsNaNLastAndStaysInRange) {
  EXPECT_THAT(top_k({kNaN, 0.2F, kNaN, 0.1F}, 3), ElementsAre(1, 3, 0));
  EXPECT_THAT(top_k({kNaN, kNaN, kNaN}, 2), ElementsAre(0, 1));
  EXPECT_THAT(top_k({kNaN, kMasked, 0.0F}, 3), ElementsAre(2, 0, 1));
  EXPECT_THAT(top_k({-1.0F, std::numeric_limits<float>::infinity(), kNaN}, 2), ElementsAre(1, 0));
}

TEST(TopK, AgreesWithAStableSort) {
  for (unsigned seed = 0; seed < 200; ++seed) {
    auto ranking = test::random_tensor({1 + seed % 17}, seed);
    for (float& score : ranking.view().span()) score = std::round(score * 4.0F);  // many ties
    Experts order(ranking.size());
    for (std::uint32_t e = 0; e < order.size(); ++e) order[e] = e;
    std::ranges::stable_sort(order, std::ranges::greater{}, [&](std::uint32_t e) { return ranking.view()[e]; });
    order.resize(1 + seed % order.size());
    Experts chosen(order.size());
    routing::top_k(ranking.view().span(), chosen);
    ASSERT_EQ(chosen, order) << "seed " << seed;
  }
}

TEST(TopP, TakesExpertsUntilTheirShareReachesTheThreshold) {
  const Scores p{0.5F, 0.25F, 0.125F, 0.125F};
  const Experts order{0, 1, 2, 3};
  EXPECT_EQ(routing::top_p(p, order, 0.0F), 1U) << "at least one";
  EXPECT_EQ(routing::top_p(p, order, 0.5F), 1U) << "reached is enough";
  EXPECT_EQ(routing::top_p(p, order, 0.501F), 2U);
  EXPECT_EQ(routing::top_p(p, order, 0.75F), 2U);
  EXPECT_EQ(routing::top_p(p, order, 0.8F), 3U);
  EXPECT_EQ(routing::top_p(p, order, 1.0F), 4U);
  EXPECT_EQ(routing::top_p(p, Experts{0, 1}, 1.0F), 2U) << "at most all that were chosen";
}

TEST(TopP, CountsShareOfTheSumWhenTheScoresAreNoDistribution) {
  const Scores sigmoids{0.9F, 0.6F, 0.3F, 0.2F};  // sum 2
  const Experts order{0, 1, 2, 3};
  EXPECT_EQ(routing::top_p(sigmoids, order, 0.4F), 1U);   // 0.45
  EXPECT_EQ(routing::top_p(sigmoids, order, 0.5F), 2U);   // 0.75
  EXPECT_EQ(routing::top_p(sigmoids, order, 0.76F), 3U);  // 0.9
}

TEST(TopP, FollowsTheOrderOfTheChoiceNotOfTheProbabilities) {
  const Scores p{0.6F, 0.1F, 0.3F};
  EXPECT_EQ(routing::top_p(p, Experts{1, 2, 0}, 0.35F), 2U) << "0.1, then 0.4";
}

TEST(TopP, StaysInRangeForNaN) {
  const std::size_t count = routing::top_p(Scores{kNaN, 0.5F}, Experts{1, 0}, 0.5F);
  EXPECT_GE(count, 1U);
  EXPECT_LE(count, 2U);
}

Scores limited(Scores ranking, std::size_t groups, std::size_t kept, std::size_t best_of) {
  Scores group_score(ranking.size());
  Experts order(ranking.size());
  routing::mask_groups(ranking, groups, kept, best_of, group_score, order);
  return ranking;
}

TEST(KeepBestGroups, CountsAGroupAsItsBestMemberAsDeepSeekV2Does) {
  EXPECT_THAT(limited({0.1F, 0.9F, 0.5F, 0.6F, 0.8F, 0.0F}, 3, 2, 1),
              ElementsAre(0.1F, 0.9F, kMasked, kMasked, 0.8F, 0.0F));
}

TEST(KeepBestGroups, CountsAGroupAsItsTwoBestMembersAsDeepSeekV3Does) {
  // Sums of two: 1.0, 1.1, 0.8.
  EXPECT_THAT(limited({0.1F, 0.9F, 0.5F, 0.6F, 0.8F, 0.0F}, 3, 1, 2),
              ElementsAre(kMasked, kMasked, 0.5F, 0.6F, kMasked, kMasked));
  // With three members: 0.9 + 0.1 against 0.6 + 0.5.
  EXPECT_THAT(limited({0.1F, 0.9F, 0.0F, 0.5F, 0.6F, 0.4F}, 2, 1, 2),
              ElementsAre(kMasked, kMasked, kMasked, 0.5F, 0.6F, 0.4F));
}

TEST(KeepBestGroups, KeepsNegativeScoresApartFromGroupsThatAreNever) {
  EXPECT_THAT(limited({-0.1F, -0.9F, -0.3F, -0.4F}, 2, 1, 2), ElementsAre(kMasked, kMasked, -0.3F, -0.4F));
  EXPECT_THAT(limited({-0.1F, -0.9F, -0.3F, -0.4F}, 2, 1, 1), ElementsAre(-0.1F, -0.9F, kMasked, kMasked));
}

TEST(KeepBestGroups, TakesTheFirstOfEqualGroups) {
  EXPECT_THAT(limited({0.5F, 0.5F, 0.5F, 0.5F, 0.5F, 0.5F}, 3, 1, 2),
              ElementsAre(0.5F, 0.5F, kMasked, kMasked, kMasked, kMasked));
}

TEST(KeepBestGroups, TakesAGroupOfOneForWhatItIs) {
  EXPECT_THAT(limited({0.2F, 0.5F, 0.3F}, 3, 2, 2), ElementsAre(kMasked, 0.5F, 0.3F));
  EXPECT_THAT(limited({0.2F, 0.5F, 0.3F}, 1, 1, 2), ElementsAre(0.2F, 0.5F, 0.3F));
}

TEST(KeepBestGroups, CountsAGroupWithOneMemberLeftAsThatMember) {
  // The mask of an expert must not take its whole group out of the competition.
  EXPECT_THAT(limited({kMasked, 0.9F, 0.1F, 0.2F}, 2, 1, 2), ElementsAre(kMasked, 0.9F, kMasked, kMasked));
}

TEST(KeepBestGroups, LetsNaNWinNothing) {
  EXPECT_THAT(limited({kNaN, kNaN, 0.1F, 0.2F}, 2, 1, 2), ElementsAre(kMasked, kMasked, 0.1F, 0.2F));
  const Scores all = limited({kNaN, kNaN, kNaN, kNaN}, 2, 1, 2);
  EXPECT_EQ(all[2], kMasked);
}

TEST(Normalize, MakesWeightsAddUpToOne) {
  Scores weight{0.25F, 0.75F, 1.0F};
  routing::normalize(weight);
  EXPECT_THAT(weight, ElementsAre(0.125F, 0.375F, 0.5F));
  Scores nothing{0.0F, 0.0F};
  routing::normalize(nothing);
  EXPECT_THAT(nothing, ElementsAre(0.0F, 0.0F));
}

Scores sparse_mixer(const Scores& logit, const Experts& chosen, float tolerance) {
  Scores weight(chosen.size());
  routing::sparse_mixer(logit, chosen, tolerance, weight);
  return weight;
}

TEST(SparseMixer, SharesAmongNearLogitsThatAreLeft) {
  const float log2 = std::log(2.0F);
  // 4 ln 2, 3 ln 2 and ln 2; relative to the larger of both the second is 1/4 away from the first, the third 2/3 from
  // the second
  const Scores logit{log2, 4.0F * log2, 3.0F * log2};
  EXPECT_THAT(sparse_mixer(logit, {1, 2}, 0.2F), ElementsAre(1.0F, 1.0F));
  const Scores near = sparse_mixer(logit, {1, 2}, 0.3F);
  EXPECT_FLOAT_EQ(near[0], 1.0F / 1.5F);
  EXPECT_FLOAT_EQ(near[1], 1.0F);
  const Scores all = sparse_mixer(logit, {1, 2}, 0.8F);
  EXPECT_FLOAT_EQ(all[0], 1.0F / (1.0F + 0.5F + 0.125F));
  EXPECT_FLOAT_EQ(all[1], 1.0F / 1.25F) << "the first is gone";
}

TEST(SparseMixer, MeasuresNegativeLogitsByTheirSize) {
  const Scores weight = sparse_mixer({-4.0F, -1.0F, -2.0F}, {1, 2}, 0.6F);
  EXPECT_FLOAT_EQ(weight[0], 1.0F / (1.0F + std::exp(-1.0F))) << "-2 is 1/2 away from -1, and -4 is 3/4";
  EXPECT_FLOAT_EQ(weight[1], 1.0F / (1.0F + std::exp(-2.0F))) << "-4 is 1/2 away from -2";
}

TEST(SparseMixer, LeavesOutMaskedExpertsAndTakesEqualOnesIn) {
  EXPECT_THAT(sparse_mixer({kMasked, 1.0F, 1.0F}, {1, 2}, 0.0F), ElementsAre(0.5F, 1.0F));
  EXPECT_THAT(sparse_mixer({0.0F, 0.0F, 0.0F}, {0, 1}, 0.0F), ElementsAre(1.0F / 3.0F, 0.5F));
  EXPECT_THAT(sparse_mixer({kMasked, kMasked}, {0}, 0.02F), ElementsAre(1.0F));
}

}  // namespace
}  // namespace trine
