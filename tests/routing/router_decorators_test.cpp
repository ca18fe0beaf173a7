// SPDX-License-Identifier: Apache-2.0
#include <trine/routing/router_decorators.hpp>

#include <memory>
#include <utility>
#include <vector>

#include <gmock/gmock.h>

#include "routing/routers_in_memory.hpp"
#include "support/expect_error.hpp"

namespace trine {
namespace {

using test::route_one;
using testing::ElementsAre;

// Always the same choice; what the decorators are put around.
class Fixed : public Router {
 public:
  Fixed(std::size_t experts, std::vector<std::pair<std::size_t, float>> choice)
      : experts_(experts), choice_(std::move(choice)) {}
  [[nodiscard]] std::size_t num_experts() const override { return experts_; }
  [[nodiscard]] std::size_t max_experts_per_token() const override { return choice_.size(); }
  [[nodiscard]] std::size_t parameters() const override { return 17; }
  void route(const ForwardContext&, const RouterInput& input, RoutingPlan& plan) const override {
    for (std::size_t t = 0; t < input.positions.size(); ++t) {
      for (const auto& [expert, weight] : choice_) plan.add(expert, weight);
      plan.end_token();
    }
    if (plan.keep_scores) plan.scores.assign(experts_ * input.positions.size(), 0.5F);
  }

 private:
  std::size_t experts_;
  std::vector<std::pair<std::size_t, float>> choice_;
};

std::unique_ptr<Router> fixed(std::size_t experts, std::vector<std::pair<std::size_t, float>> choice) {
  return std::make_unique<Fixed>(experts, std::move(choice));
}

RoutingPlan route_positions(const Router& router, const std::vector<std::size_t>& positions) {
  Workspace workspace;
  RoutingPlan plan;
  plan.start(router.num_experts());
  const std::vector<float> hidden(positions.size());
  router.route({{}, workspace}, {View<const float, 2>(hidden.data(), {positions.size(), 1}), positions, {}, {}, {}},
               plan);
  return plan;
}

TEST(ForcedExperts, SendsEveryTokenToTheSameExperts) {
  const ForcedExperts router(fixed(4, {{0, 1.0F}}), {3, 1});
  EXPECT_EQ(router.num_experts(), 4U);
  EXPECT_EQ(router.max_experts_per_token(), 2U);
  EXPECT_EQ(router.parameters(), 17U);
  const RoutingPlan plan = route_positions(router, {0, 1, 2});
  EXPECT_THAT(plan.expert, ElementsAre(3, 1, 3, 1, 3, 1));
  EXPECT_THAT(plan.weight, testing::Each(0.5F));
}

TEST(ForcedExperts, RefusesExpertsThatDoNotExist) {
  EXPECT_ERROR(ForcedExperts(fixed(4, {}), {}), InputError, "forced experts: expected at least one, found none");
  EXPECT_ERROR(ForcedExperts(fixed(4, {}), std::vector<std::uint32_t>{1, 4}), InputError,
               "forced experts: expected experts below 4, found 4");
}

TEST(MaskedExperts, SharesTheWeightOfADroppedExpertOut) {
  const MaskedExperts router(fixed(4, {{2, 0.5F}, {0, 0.25F}, {1, 0.25F}}), {2});
  const RoutingPlan plan = route_one(router, {0.0F});
  EXPECT_THAT(plan.experts_of(0), ElementsAre(0, 1));
  EXPECT_THAT(plan.weights_of(0), ElementsAre(0.5F, 0.5F));
}

TEST(MaskedExperts, SendsATokenWithoutAnotherExpertToTheLowestThatIsLeft) {
  const MaskedExperts router(fixed(4, {{3, 0.75F}}), {0, 3});
  const RoutingPlan plan = route_one(router, {0.0F});
  EXPECT_THAT(plan.experts_of(0), ElementsAre(1));
  EXPECT_THAT(plan.weights_of(0), ElementsAre(0.75F));
}

TEST(MaskedExperts, TellsTheInnerRouterWhatIsAllowedByAllMasks) {
  class Listening : public Fixed {
   public:
    explicit Listening(std::vector<std::uint8_t>& heard) : Fixed(4, {{1, 1.0F}}), heard_(heard) {}
    void route(const ForwardContext& context, const RouterInput& input, RoutingPlan& plan) const override {
      heard_.assign(input.allowed.begin(), input.allowed.end());
      Fixed::route(context, input, plan);
    }

   private:
    std::vector<std::uint8_t>& heard_;
  };
  std::vector<std::uint8_t> heard;
  const MaskedExperts router(
      std::make_unique<MaskedExperts>(std::make_unique<Listening>(heard), std::vector<std::uint32_t>{0}), {3});
  static_cast<void>(route_one(router, {0.0F}));
  EXPECT_THAT(heard, ElementsAre(0, 1, 1, 0));
}

TEST(MaskedExperts, PassesScoresOn) {
  const MaskedExperts router(fixed(4, {{1, 1.0F}}), {2});
  EXPECT_THAT(route_one(router, {0.0F}, {}, true).scores, ElementsAre(0.5F, 0.5F, 0.5F, 0.5F));
}

TEST(MaskedExperts, RefusesAMaskThatLeavesNothing) {
  EXPECT_ERROR(MaskedExperts(fixed(2, {}), std::vector<std::uint32_t>{0, 1}), InputError,
               "masked experts: expected at least one expert to be left, found none");
  EXPECT_ERROR(MaskedExperts(fixed(2, {}), std::vector<std::uint32_t>{2}), InputError,
               "masked experts: expected experts below 2, found 2");
}

TEST(RecordedRouting, WritesDownTheDecisionsOfEveryPosition) {
  const auto record = std::make_shared<RoutingRecord>();
  const RecordedRouting router(fixed(4, {{2, 0.75F}, {0, 0.25F}}), 5, record);
  const RoutingPlan plan = route_positions(router, {10, 11});
  EXPECT_THAT(plan.expert, ElementsAre(2, 0, 2, 0)) << "and passes them on";
  EXPECT_EQ(record->size(), 2U);
  EXPECT_THAT(record->get(5, 11).experts, ElementsAre(2, 0));
  EXPECT_THAT(record->get(5, 11).weights, ElementsAre(0.75F, 0.25F));
  EXPECT_TRUE(record->get(4, 11).experts.empty());
  EXPECT_TRUE(record->get(5, 12).experts.empty());
}

TEST(ReplayedRouting, RepeatsWhatIsRecordedAndAsksForTheRest) {
  const auto record = std::make_shared<RoutingRecord>();
  const std::vector<std::uint32_t> experts{3, 1, 0};
  const std::vector<float> weights{0.5F, 0.25F, 0.25F};
  record->put(2, 1, experts, weights);
  const ReplayedRouting router(fixed(4, {{2, 1.0F}}), 2, record);
  const RoutingPlan plan = route_positions(router, {0, 1, 2});
  EXPECT_THAT(plan.experts_of(0), ElementsAre(2));
  EXPECT_THAT(plan.experts_of(1), ElementsAre(3, 1, 0));
  EXPECT_THAT(plan.weights_of(1), ElementsAre(0.5F, 0.25F, 0.25F));
  EXPECT_THAT(plan.experts_of(2), ElementsAre(2));
}

TEST(ReplayedRouting, BelowAMaskLosesTheMaskedExpertOnly) {
  const auto record = std::make_shared<RoutingRecord>();
  const std::vector<std::uint32_t> experts{3, 1};
  const std::vector<float> weights{0.5F, 0.5F};
  record->put(0, 0, experts, weights);
  const MaskedExperts router(std::make_unique<ReplayedRouting>(fixed(4, {{2, 1.0F}}), 0, record), {3});
  const RoutingPlan plan = route_positions(router, {0, 1});
  EXPECT_THAT(plan.experts_of(0), ElementsAre(1));
  EXPECT_THAT(plan.weights_of(0), ElementsAre(1.0F));
  EXPECT_THAT(plan.experts_of(1), ElementsAre(2));
}

TEST(ReplayedRouting, RefusesARecordOfALargerModel) {
  const auto record = std::make_shared<RoutingRecord>();
  const std::vector<std::uint32_t> experts{9};
  const std::vector<float> weights{1.0F};
  record->put(0, 0, experts, weights);
  const ReplayedRouting router(fixed(4, {{2, 1.0F}}), 0, record);
  EXPECT_ERROR(route_positions(router, {0}), InputError, "router: expected an expert below 4, found 9");
}

}  // namespace
}  // namespace trine
