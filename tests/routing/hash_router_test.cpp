// SPDX-License-Identifier: Apache-2.0
#include <trine/routing/hash_router.hpp>

#include <vector>

#include <gmock/gmock.h>

namespace trine {
namespace {

using testing::ElementsAre;

RoutingPlan route(const HashRouter& router, const std::vector<TokenId>& ids,
                  const std::vector<std::uint8_t>& allowed = {}) {
  Workspace workspace;
  RoutingPlan plan;
  plan.start(router.num_experts());
  const std::vector<std::size_t> positions(ids.size());
  router.route({{}, workspace}, {{}, positions, ids, {}, allowed}, plan);
  return plan;
}

std::vector<std::uint32_t> experts_of(const RoutingPlan& plan, std::size_t token) {
  return {plan.experts_of(token).begin(), plan.experts_of(token).end()};
}

// Computed by the definition in Python (integers of any size, reduced modulo 2^64).
TEST(HashRouter, ChoosesWhatItsDefinitionSays) {
  {
    const RoutingPlan plan = route(HashRouter(8, 2, 0, 0), {0, 1, 2, 63});
    EXPECT_THAT(experts_of(plan, 0), ElementsAre(7, 5));
    EXPECT_THAT(experts_of(plan, 1), ElementsAre(7, 3));
    EXPECT_THAT(experts_of(plan, 2), ElementsAre(4, 0));
    EXPECT_THAT(experts_of(plan, 3), ElementsAre(3, 7));
  }
  {
    const RoutingPlan plan = route(HashRouter(8, 2, 0, 3), {0, 1, 2, 63});
    EXPECT_THAT(experts_of(plan, 0), ElementsAre(7, 5));
    EXPECT_THAT(experts_of(plan, 1), ElementsAre(5, 6));
    EXPECT_THAT(experts_of(plan, 2), ElementsAre(2, 7));
    EXPECT_THAT(experts_of(plan, 3), ElementsAre(2, 5));
  }
  {
    const RoutingPlan plan = route(HashRouter(5, 3, 42, 1), {7, 4294967295U});
    EXPECT_THAT(experts_of(plan, 0), ElementsAre(0, 2, 4));
    EXPECT_THAT(experts_of(plan, 1), ElementsAre(2, 1, 0));
  }
  {
    const RoutingPlan plan = route(HashRouter(64, 1, 18446744073709551615U, 5), {100, 101});
    EXPECT_THAT(experts_of(plan, 0), ElementsAre(56));
    EXPECT_THAT(experts_of(plan, 1), ElementsAre(5));
  }
}

TEST(HashRouter, ChoosesEachExpertOnceWhenItChoosesAll) {
  const RoutingPlan plan = route(HashRouter(6, 6, 3, 1), {17});
  EXPECT_THAT(experts_of(plan, 0), testing::UnorderedElementsAre(0, 1, 2, 3, 4, 5));
  EXPECT_THAT(plan.weights_of(0), testing::Each(1.0F / 6.0F));
}

TEST(HashRouter, SpreadsTokensEvenly) {
  std::vector<TokenId> ids;
  for (TokenId id = 0; id < 8000; ++id) ids.push_back(id);
  const RoutingPlan plan = route(HashRouter(8, 1, 0, 0), ids);
  std::vector<int> load(8);
  for (const std::uint32_t e : plan.expert) ++load[e];
  for (const int tokens : load) EXPECT_NEAR(tokens, 1000, 150);  // five standard deviations of a fair draw
}

TEST(HashRouter, ChoosesAmongTheAllowedOnly) {
  const std::vector<std::uint8_t> allowed{0, 1, 0, 1, 0};
  for (TokenId id = 0; id < 50; ++id) {
    const RoutingPlan plan = route(HashRouter(5, 3, 0, 0), {id}, allowed);
    EXPECT_THAT(experts_of(plan, 0), testing::UnorderedElementsAre(1, 3));
    EXPECT_THAT(plan.weights_of(0), ElementsAre(0.5F, 0.5F));
  }
}

}  // namespace
}  // namespace trine
