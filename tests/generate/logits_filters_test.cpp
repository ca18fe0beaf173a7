// SPDX-License-Identifier: Apache-2.0
#include <trine/generate/logits_filters.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <trine/core/random.hpp>

namespace trine {
namespace {

using testing::ElementsAre;
using Candidates = std::vector<Candidate>;

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

Candidates gathered(const std::vector<float>& logits) {
  Candidates candidates;
  gather_candidates(logits, candidates);
  return candidates;
}

std::vector<TokenId> ids(const Candidates& candidates) {
  std::vector<TokenId> result;
  for (const Candidate& candidate : candidates) result.push_back(candidate.id);
  return result;
}

std::vector<float> scores(const Candidates& candidates) {
  std::vector<float> result;
  for (const Candidate& candidate : candidates) result.push_back(candidate.logit);
  return result;
}

/// Logits of these probabilities, which need not sum to 1.
Candidates of_probabilities(const std::vector<double>& probabilities) {
  std::vector<float> logits;
  for (const double p : probabilities) logits.push_back(static_cast<float>(std::log(p)));
  return gathered(logits);
}

Candidates random_candidates(std::size_t count, std::uint64_t seed, double range) {
  std::vector<float> logits(count);
  for (std::size_t i = 0; i < count; ++i) {  // rounded: with ties
    logits[i] = static_cast<float>(std::floor(CounterRandom{seed}.uniform(i) * range * 8.0) / 8.0);
  }
  return gathered(logits);
}

TEST(GatherCandidates, LeavesNeitherNanNorInfinity) {
  const Candidates candidates = gathered({1.0F, kNan, kInfinity, -kInfinity});
  EXPECT_THAT(ids(candidates), ElementsAre(0, 1, 2, 3));
  EXPECT_THAT(scores(candidates), ElementsAre(1.0F, -kInfinity, std::numeric_limits<float>::max(), -kInfinity));
}

TEST(PenalizeRepeats, MovesScoresDownOnceForEachToken) {
  Candidates candidates = gathered({2.0F, -2.0F, 0.0F, 3.0F, -kInfinity});
  const std::vector<TokenId> recent = {0, 1, 0, 2, 4, 99, 4294967295U};
  penalize_repeats(candidates, recent, 2.0F);
  EXPECT_THAT(scores(candidates), ElementsAre(1.0F, -4.0F, 0.0F, 3.0F, -kInfinity));
}

TEST(PenalizeRepeats, APenaltyOfOneChangesNothingAndOthersDoNotOverflow) {
  Candidates candidates = gathered({2.0F, 3e38F});
  const std::vector<TokenId> recent = {0, 1};
  penalize_repeats(candidates, recent, 1.0F);
  EXPECT_THAT(scores(candidates), ElementsAre(2.0F, 3e38F));
  penalize_repeats(candidates, recent, 0.5F);
  EXPECT_THAT(scores(candidates), ElementsAre(4.0F, std::numeric_limits<float>::max()));
  candidates = gathered({-3e38F, -2.0F});
  penalize_repeats(candidates, recent, 2.0F);
  EXPECT_THAT(scores(candidates), ElementsAre(std::numeric_limits<float>::lowest(), -4.0F));
}

TEST(KeepTopK, KeepsTheBestAndOfEqualsTheLowerId) {
  Candidates candidates = gathered({1.0F, 5.0F, 3.0F, 5.0F, 3.0F, 3.0F});
  keep_top_k(candidates, 4);
  EXPECT_THAT(ids(candidates), ElementsAre(1, 3, 2, 4));
  keep_top_k(candidates, 4);
  EXPECT_EQ(candidates.size(), 4U);
  keep_top_k(candidates, 0);
  EXPECT_EQ(candidates.size(), 4U);
  keep_top_k(candidates, 1);
  EXPECT_THAT(ids(candidates), ElementsAre(1));
}

TEST(KeepTopK, AgreesWithSorting) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    for (const std::size_t k : {1U, 2U, 40U, 1024U, 1025U, 4999U, 5000U}) {
      Candidates candidates = random_candidates(5000, seed, 50.0);
      Candidates expected = candidates;
      if (k < expected.size()) std::sort(expected.begin(), expected.end(), is_better);
      expected.resize(k);
      keep_top_k(candidates, k);
      EXPECT_EQ(ids(candidates), ids(expected)) << "seed " << seed << ", k " << k;
    }
  }
}

TEST(KeepTopP, KeepsTheFewestThatReachTheShare) {
  const std::vector<double> probabilities = {0.125, 0.5, 0.0625, 0.25, 0.0625};
  const auto kept = [&](float p) {
    Candidates candidates = of_probabilities(probabilities);
    keep_top_p(candidates, p);
    return ids(candidates);
  };
  EXPECT_THAT(kept(0.0F), ElementsAre(1));
  EXPECT_THAT(kept(0.49F), ElementsAre(1));
  EXPECT_THAT(kept(0.51F), ElementsAre(1, 3));
  EXPECT_THAT(kept(0.74F), ElementsAre(1, 3));
  EXPECT_THAT(kept(0.76F), ElementsAre(1, 3, 0));
  EXPECT_THAT(kept(0.9F), ElementsAre(1, 3, 0, 2));
  EXPECT_THAT(kept(0.95F), ElementsAre(1, 3, 0, 2, 4));
  EXPECT_THAT(kept(1.0F), ElementsAre(0, 1, 2, 3, 4));  // off: the order stays
}

TEST(KeepTopP, AgreesWithSortingAll) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    for (const float p : {0.1F, 0.5F, 0.9F, 0.99F, 0.999999F}) {
      Candidates candidates = random_candidates(3000, seed, 1.0 + static_cast<double>(seed));
      Candidates expected = candidates;
      std::sort(expected.begin(), expected.end(), is_better);
      double total = 0.0;
      for (const Candidate& c : candidates) total += std::exp(static_cast<double>(c.logit));
      double sum = 0.0;
      std::size_t count = 0;
      // Scores are multiples of 1/8 with ties, so the share is never so near to p that rounding decides.
      while (count < expected.size() && sum < static_cast<double>(p) * total) {
        sum += std::exp(static_cast<double>(expected[count++].logit));
      }
      expected.resize(count);
      keep_top_p(candidates, p);
      EXPECT_EQ(ids(candidates), ids(expected)) << "seed " << seed << ", p " << p;
    }
  }
}

TEST(KeepTopP, IsSafeWhenNothingIsPossible) {
  Candidates none;
  keep_top_p(none, 0.5F);
  EXPECT_TRUE(none.empty());
  Candidates impossible = gathered({-kInfinity, kNan, -kInfinity, -kInfinity});  // equal, then
  keep_top_p(impossible, 0.5F);
  EXPECT_THAT(ids(impossible), ElementsAre(0, 1));
}

TEST(KeepMinP, ComparesWithTheBest) {
  const auto kept = [](float p) {
    Candidates candidates = of_probabilities({0.1, 0.4, 0.01, 0.2, 0.039});
    keep_min_p(candidates, p);
    return ids(candidates);
  };
  EXPECT_THAT(kept(0.0F), ElementsAre(0, 1, 2, 3, 4));
  EXPECT_THAT(kept(0.09F), ElementsAre(0, 1, 3, 4));
  EXPECT_THAT(kept(0.1F), ElementsAre(0, 1, 3));
  EXPECT_THAT(kept(0.26F), ElementsAre(1, 3));
  EXPECT_THAT(kept(0.6F), ElementsAre(1));
  EXPECT_THAT(kept(1.0F), ElementsAre(1));
}

TEST(KeepMinP, IsSafeWhenNothingIsPossible) {
  Candidates impossible = gathered({-kInfinity, kNan});
  keep_min_p(impossible, 1.0F);
  EXPECT_THAT(ids(impossible), ElementsAre(0, 1));
  Candidates one = gathered({-kInfinity, 3.0F});
  keep_min_p(one, 0.0001F);
  EXPECT_THAT(ids(one), ElementsAre(1));
}

TEST(ApplyTemperature, DividesTheDistanceToTheBest) {
  Candidates candidates = gathered({1.0F, 3.0F, -1.0F, -kInfinity});
  apply_temperature(candidates, 2.0F);
  EXPECT_THAT(scores(candidates), ElementsAre(-1.0F, 0.0F, -2.0F, -kInfinity));
}

TEST(ApplyTemperature, NothingOverflowsUpwards) {
  Candidates candidates = gathered({kInfinity, -3e38F, kInfinity});
  apply_temperature(candidates, std::numeric_limits<float>::denorm_min());
  EXPECT_THAT(scores(candidates), ElementsAre(0.0F, -kInfinity, 0.0F));
  Candidates impossible = gathered({-kInfinity, kNan});
  apply_temperature(impossible, 0.5F);
  EXPECT_THAT(scores(impossible), ElementsAre(0.0F, 0.0F));
}

}  // namespace
}  // namespace trine
