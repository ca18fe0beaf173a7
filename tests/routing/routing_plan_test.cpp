// SPDX-License-Identifier: Apache-2.0
#include <trine/routing/routing_plan.hpp>

#include <numeric>
#include <vector>

#include <gmock/gmock.h>

#include <trine/core/random.hpp>

#include "support/expect_error.hpp"

namespace trine {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(RoutingPlan, GroupsAssignmentsByExpert) {
  RoutingPlan plan;
  plan.start(3);
  plan.add(2, 0.75F);
  plan.add(0, 0.25F);
  plan.end_token();
  plan.end_token();  // a token without an expert
  plan.add(2, 1.0F);
  plan.end_token();
  EXPECT_EQ(plan.tokens, 3U);
  EXPECT_EQ(plan.assignments(), 3U);
  EXPECT_THAT(plan.experts_of(0), ElementsAre(2, 0));
  EXPECT_THAT(plan.weights_of(0), ElementsAre(0.75F, 0.25F));
  EXPECT_THAT(plan.experts_of(1), IsEmpty());
  EXPECT_THAT(plan.experts_of(2), ElementsAre(2));
  plan.sort_by_expert();
  EXPECT_THAT(plan.expert_begin, ElementsAre(0, 1, 1, 3));
  EXPECT_THAT(plan.slot_token, ElementsAre(0, 0, 2));
  EXPECT_THAT(plan.slot, ElementsAre(1, 0, 2));
}

// Whatever is assigned: every assignment has one slot of its own, in the range of its expert, tokens ascending.
TEST(RoutingPlan, GroupsAnyAssignmentsIntoAPermutation) {
  RoutingPlan plan;  // reused, as a session does
  for (unsigned seed = 0; seed < 100; ++seed) {
    const CounterRandom random{seed};
    std::uint64_t draw = 0;
    const auto below = [&](std::size_t n) {
      return static_cast<std::size_t>(random.uniform(draw++) * static_cast<double>(n));
    };
    const std::size_t experts = 1 + below(9);
    plan.start(experts);
    for (std::size_t t = below(20); t > 0; --t) {
      for (std::size_t k = below(4); k > 0; --k) plan.add(below(experts), 1.0F);
      plan.end_token();
    }
    plan.sort_by_expert();
    ASSERT_EQ(plan.expert_begin.size(), experts + 1);
    ASSERT_EQ(plan.expert_begin.front(), 0U);
    ASSERT_EQ(plan.expert_begin.back(), plan.assignments());
    std::vector<int> used(plan.assignments());
    for (std::size_t t = 0; t < plan.tokens; ++t) {
      for (std::size_t a = plan.token_begin[t]; a < plan.token_begin[t + 1]; ++a) {
        ++used[plan.slot[a]];
        ASSERT_EQ(plan.slot_token[plan.slot[a]], t);
        ASSERT_GE(plan.slot[a], plan.expert_begin[plan.expert[a]]);
        ASSERT_LT(plan.slot[a], plan.expert_begin[plan.expert[a] + 1]);
      }
    }
    ASSERT_THAT(used, testing::Each(1)) << "seed " << seed;
    for (std::size_t e = 0; e < experts; ++e) {
      for (std::size_t s = plan.expert_begin[e] + 1; s < plan.expert_begin[e + 1]; ++s)
        ASSERT_LE(plan.slot_token[s - 1], plan.slot_token[s]);
    }
  }
}

TEST(RoutingPlan, RefusesAnExpertThatDoesNotExist) {
  RoutingPlan plan;
  plan.start(4);
  EXPECT_ERROR(plan.add(4, 1.0F), InputError, "router: expected an expert below 4, found 4");
  EXPECT_ERROR(plan.add(static_cast<std::size_t>(-1), 1.0F), InputError, "expected an expert below 4");
  EXPECT_EQ(plan.assignments(), 0U);
}

}  // namespace
}  // namespace trine
