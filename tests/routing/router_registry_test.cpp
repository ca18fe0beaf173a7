// SPDX-License-Identifier: Apache-2.0
#include <trine/core/error.hpp>
#include <trine/json/object_reader.hpp>
#include <trine/json/parse.hpp>
#include <trine/routing/router.hpp>
#include <trine/routing/router_options.hpp>
#include <trine/routing/router_registry.hpp>
#include <trine/routing/routing_plan.hpp>
#include <trine/weights/weight_scope.hpp>

#include <limits>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>

#include "routing/routers_in_memory.hpp"
#include "support/expect_error.hpp"

namespace trine {
namespace {

using test::MemoryWeights;
using test::route_one;
using testing::ElementsAre;
using testing::FloatEq;
using testing::Pointwise;

// Routers over hidden rows of as many numbers as there are experts, with an identity as weight: the row is the logits.
class Registry : public testing::Test {
 protected:
  static std::vector<float> identity(std::size_t n) {
    std::vector<float> result(n * n);
    for (std::size_t i = 0; i < n; ++i) result[i * n + i] = 1.0F;
    return result;
  }

  std::unique_ptr<Router> make(const std::string& text, std::size_t experts, const std::vector<float>& bias = {}) {
    weights_.add("weight", {experts, experts}, identity(experts));
    weights_.add("query.weight", {experts, experts}, identity(experts));
    weights_.add("keys", {experts, experts}, identity(experts));
    if (!bias.empty()) weights_.add("balance_bias", {experts}, bias);
    const Json document = parse_json(text, "config.json");
    return routers_.parse(ObjectReader(document, "config.json", "moe.router"), {experts, experts, 0})(
        WeightScope(reader_), 0);
  }

  MemoryWeights weights_;
  WeightReader reader_{weights_};
  RouterRegistry routers_;
};

constexpr float kLog2 = 0.69314718F;
constexpr float kLog3 = 1.0986123F;

TEST_F(Registry, MakesASoftmaxTopKRouter) {
  const auto router = make(R"({"kind": "softmax_top_k", "choice": {"kind": "top_k", "k": 2}})", 3);
  const auto plan = route_one(*router, {0.0F, kLog3, kLog2});  // p = 1/6, 3/6, 2/6
  EXPECT_THAT(plan.experts_of(0), ElementsAre(1, 2));
  EXPECT_THAT(plan.weights_of(0), Pointwise(FloatEq(), {0.6F, 0.4F}));
}

TEST_F(Registry, LeavesWeightsAsTheyAreUnlessAskedToNormalizeAndScalesThem) {
  const auto router = make(
      R"({"kind": "softmax_top_k", "normalize": false, "routed_scale": 6, "choice": {"kind": "top_k", "k": 2}})", 3);
  const auto plan = route_one(*router, {0.0F, kLog3, kLog2});
  EXPECT_THAT(plan.weights_of(0), Pointwise(FloatEq(), {3.0F, 2.0F}));
}

TEST_F(Registry, LetsTheBiasSteerTheChoiceButNotTheWeight) {
  const auto router =
      make(R"({"kind": "softmax_top_k", "choice": {"kind": "top_k", "k": 2}})", 3, {0.25F, -0.25F, 0.0F});
  const auto plan = route_one(*router, {0.0F, kLog3, kLog2});  // p + b = 5/12, 3/12, 4/12
  EXPECT_THAT(plan.experts_of(0), ElementsAre(0, 2));
  EXPECT_THAT(plan.weights_of(0), Pointwise(FloatEq(), {1.0F / 3.0F, 2.0F / 3.0F}));
}

TEST_F(Registry, TakesFewerExpertsForAnEasyTokenWithTopP) {
  const auto router = make(R"({"kind": "softmax_top_k", "choice": {"kind": "top_p", "p": 0.8, "max_k": 3}})", 4);
  EXPECT_EQ(route_one(*router, {9.0F, 0.0F, 0.0F, 0.0F}).assignments(), 1U);
  EXPECT_EQ(route_one(*router, {0.0F, 9.0F, 9.0F, 0.0F}).assignments(), 2U);
  EXPECT_EQ(route_one(*router, {0.0F, 0.0F, 0.0F, 0.0F}).assignments(), 3U) << "never more than max_k";
}

TEST_F(Registry, MakesASwitchRouter) {
  const auto router = make(R"({"kind": "switch"})", 3);
  const auto plan = route_one(*router, {0.0F, kLog3, kLog2});
  EXPECT_THAT(plan.experts_of(0), ElementsAre(1));
  EXPECT_THAT(plan.weights_of(0), ElementsAre(FloatEq(0.5F)));
  EXPECT_EQ(router->max_experts_per_token(), 1U);
}

TEST_F(Registry, MakesAnAttentionRouterWithScoresDividedByTheRootOfTheKeyLength) {
  const auto router = make(
      R"({"kind": "attention", "key_dim": 4, "score": "sigmoid", "normalize": false,
          "choice": {"kind": "top_k", "k": 2}})",
      4);
  const auto plan = route_one(*router, {0.0F, 2.0F * kLog3, -2.0F * kLog3, -9.0F});  // a = x / 2: 0, ln 3, -ln 3
  EXPECT_THAT(plan.experts_of(0), ElementsAre(1, 0));
  EXPECT_THAT(plan.weights_of(0), Pointwise(FloatEq(), {0.75F, 0.5F}));
  EXPECT_EQ(router->parameters(), 4U * 4 + 4 * 4);
}

TEST_F(Registry, MakesTheGroupLimitedRouterOfDeepSeekV2) {
  const auto router = make(
      R"({"kind": "softmax_group_limited", "n_group": 3, "topk_group": 1, "choice": {"kind": "top_k", "k": 2}})", 6);
  // Best members: 3, 4, 2. The best single expert's group wins, though group 0 has more in sum.
  const auto plan = route_one(*router, {3.0F, 3.0F, 4.0F, -5.0F, 2.0F, 2.0F});
  EXPECT_THAT(plan.experts_of(0), ElementsAre(2, 3));
}

TEST_F(Registry, MakesTheGroupLimitedRouterOfDeepSeekV3) {
  const std::string text =
      R"({"kind": "sigmoid_group_limited", "n_group": 2, "topk_group": 1, "choice": {"kind": "top_k", "k": 2}})";
  const auto router = make(text, 6);
  // Sums of the two best sigmoids: 0.5 + 0.5 = 1 against 0.95 + 0.007.
  EXPECT_THAT(route_one(*router, {0.0F, 0.0F, -9.0F, 3.0F, -5.0F, -9.0F}).experts_of(0), ElementsAre(0, 1));
}

TEST_F(Registry, KeepsToTheGroupsWhenAllBiasedScoresAreNegative) {
  const std::string text =
      R"({"kind": "sigmoid_group_limited", "n_group": 2, "topk_group": 1, "choice": {"kind": "top_k", "k": 2}})";
  const auto router = make(text, 4, {-3.0F, -3.0F, -2.0F, -2.0F});
  EXPECT_THAT(route_one(*router, {2.0F, 2.0F, -2.0F, 0.0F}).experts_of(0), ElementsAre(3, 2));
}

TEST_F(Registry, ChoosesValidExpertsWhateverTheHiddenRowIs) {
  constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  const std::string limited = R"("n_group": 2, "topk_group": 1, "choice": {"kind": "top_k", "k": 2}})";
  for (const std::string& text :
       {R"({"kind": "sigmoid_group_limited", )" + limited, R"({"kind": "softmax_group_limited", )" + limited,
        std::string(R"({"kind": "softmax_top_k", "choice": {"kind": "top_p", "p": 0.5, "max_k": 4}})"),
        std::string(R"({"kind": "switch"})")}) {
    const auto router = make(text, 4);
    for (const std::vector<float>& row : std::vector<std::vector<float>>{
             {kNaN, 0, 0, 0}, {kNaN, kNaN, kNaN, kNaN}, {kInfinity, 0, 0, 0}, {-kInfinity, -kInfinity, 0, kInfinity}}) {
      const auto plan = route_one(*router, row);
      EXPECT_GE(plan.assignments(), 1U) << text;
      std::set<std::uint32_t> different(plan.expert.begin(), plan.expert.end());
      EXPECT_EQ(different.size(), plan.assignments()) << "no expert twice: " << text;
    }
  }
}

TEST_F(Registry, ChoosesAmongTheAllowedExpertsWithinTheGroups) {
  const std::string text =
      R"({"kind": "sigmoid_group_limited", "n_group": 2, "topk_group": 1, "choice": {"kind": "top_k", "k": 2}})";
  const auto router = make(text, 6);
  const std::vector<float> row{1.0F, 1.0F, 1.0F, 3.0F, 3.0F, 3.0F};
  EXPECT_THAT(route_one(*router, row).experts_of(0), ElementsAre(3, 4));
  EXPECT_THAT(route_one(*router, row, {1, 1, 1, 0, 1, 1}).experts_of(0), ElementsAre(4, 5));
  EXPECT_THAT(route_one(*router, row, {1, 1, 1, 0, 0, 0}).experts_of(0), ElementsAre(0, 1));
  // One expert left in the best group (0.95 against 0.7 + 0.7): the other group wins. With low scores there, it does
  // not, and the token gets one expert rather than one from a group that was not kept.
  EXPECT_THAT(route_one(*router, row, {1, 1, 1, 0, 1, 0}).experts_of(0), ElementsAre(0, 1));
  const std::vector<float> low{-5.0F, -5.0F, -5.0F, 3.0F, 3.0F, 3.0F};
  EXPECT_THAT(route_one(*router, low, {1, 1, 1, 0, 1, 0}).experts_of(0), ElementsAre(4));
}

TEST_F(Registry, KeepsScoresOfAllExpertsWhenTheyAreWanted) {
  const auto router = make(R"({"kind": "softmax_top_k", "choice": {"kind": "top_k", "k": 1}})", 3);
  RoutingPlan plan = route_one(*router, {0.0F, kLog3, kLog2}, {}, true);
  EXPECT_THAT(plan.scores, Pointwise(FloatEq(), {1.0F / 6, 0.5F, 1.0F / 3}));
  EXPECT_TRUE(route_one(*router, {0.0F, 0.0F, 0.0F}).scores.empty());
}

TEST_F(Registry, TakesAKindOfTheUsersOwn) {
  // Everything to the expert that the options name, with weight 1.
  class Constant : public Router {
   public:
    Constant(std::size_t experts, std::size_t expert) : experts_(experts), expert_(expert) {}
    [[nodiscard]] std::size_t num_experts() const override { return experts_; }
    [[nodiscard]] std::size_t max_experts_per_token() const override { return 1; }
    void route(const ForwardContext&, const RouterInput& input, RoutingPlan& plan) const override {
      for (std::size_t t = 0; t < input.hidden.extent(0); ++t) {
        plan.add(expert_, 1.0F);
        plan.end_token();
      }
    }

   private:
    std::size_t experts_;
    std::size_t expert_;
  };
  routers_.add("constant", [](ObjectReader& options, const RouterShape& shape) -> RouterBuilder {
    const std::size_t expert = options.integer("expert", 0, shape.num_experts - 1);
    return [=](const WeightScope&, std::size_t) { return std::make_unique<Constant>(shape.num_experts, expert); };
  });
  const auto router = make(R"({"kind": "constant", "expert": 2})", 3);
  EXPECT_THAT(route_one(*router, {0, 0, 0}).experts_of(0), ElementsAre(2));
  EXPECT_ERROR(make(R"({"kind": "constant", "expert": 3})", 3), ConfigError,
               "moe.router.expert: expected an integer from 0 to 2, found 3");
  EXPECT_ERROR(make(R"({"kind": "constnat"})", 3), ConfigError,
               "moe.router.kind: no router named 'constnat'; the nearest one is 'constant'");
  EXPECT_ERROR(make(R"({"kind": "constant", "expert": 1, "k": 2})", 3), ConfigError, "moe.router: unknown key 'k'");
}

TEST_F(Registry, NamesWhatIsWrongInTheOptions) {
  const std::vector<std::pair<std::string, std::string>> table{
      {R"({})", "moe.router.kind: expected a value, found none"},
      {R"({"kind": 3})", "moe.router.kind: expected a string, found 3"},
      {R"({"kind": "softmax"})", "moe.router.kind: no router named 'softmax'; known are attention, "},
      {R"({"kind": "switch", "k": 1})", "moe.router: unknown key 'k'"},
      {R"({"kind": "attention", "score": "relu"})", "moe.router.key_dim: expected a value, found none"},
      {R"({"kind": "attention", "key_dim": 0, "score": "sigmoid"})", "moe.router.key_dim: expected an integer from 1"},
      {R"({"kind": "attention", "key_dim": 4, "score": "relu"})",
       R"(moe.router.score: expected one of "sigmoid", "softmax", found 'relu')"},
      {R"({"kind": "softmax_top_k"})", "moe.router.choice: expected a value, found none"},
      {R"({"kind": "softmax_top_k", "choice": {"kind": "top_k", "k": 5}})",
       "moe.router.choice.k: expected an integer from 1 to 4, found 5"},
      {R"({"kind": "softmax_top_k", "choice": {"kind": "top_k", "k": 0}})", "moe.router.choice.k: expected an integer"},
      {R"({"kind": "softmax_top_k", "choice": {"kind": "top_k", "k": 1.5}})", "moe.router.choice.k: expected"},
      {R"({"kind": "softmax_top_k", "choice": {"kind": "top_k", "k": 1, "p": 0.5}})",
       "moe.router.choice: unknown key 'p'"},
      {R"({"kind": "softmax_top_k", "choice": {"kind": "top_p", "p": 1.5, "max_k": 2}})",
       "moe.router.choice.p: expected a number from 0.0 to 1.0, found 1.5"},
      {R"({"kind": "softmax_top_k", "choice": {"kind": "top_p", "p": 0.5}})",
       "moe.router.choice.max_k: expected a value, found none"},
      {R"({"kind": "softmax_top_k", "choice": {"kind": "top_k", "k": 1}, "routed_scale": -1})",
       "moe.router.routed_scale: expected a number from 0.0"},
      {R"({"kind": "softmax_top_k", "choice": {"kind": "top_k", "k": 1}, "normalize": 1})",
       "moe.router.normalize: expected true or false, found 1"},
      {R"({"kind": "softmax_group_limited", "n_group": 3})",
       "moe.router.n_group: expected a divisor of num_experts = 4, found 3"},
      {R"({"kind": "softmax_group_limited", "n_group": 2, "topk_group": 3})",
       "moe.router.topk_group: expected an integer from 1 to 2, found 3"},
      {R"({"kind": "sigmoid_group_limited", "n_group": 2, "topk_group": 1, "choice": {"kind": "top_k", "k": 3}})",
       "moe.router.choice.k: expected an integer from 1 to 2, found 3"},
      {R"({"kind": "sigmoid_group_limited", "n_group": 2, "topk_group": 1,
           "choice": {"kind": "top_p", "p": 0.5, "max_k": 1}})",
       "moe.router.choice: expected top_k for a group-limited router, found top_p"},
      {R"({"kind": "hash", "k": 5})", "moe.router.k: expected an integer from 1 to 4, found 5"},
      {R"({"kind": "hash", "seed": -1})", "moe.router.seed: expected an integer from 0"}};
  for (const auto& [text, message] : table) EXPECT_ERROR(make(text, 4), ConfigError, "config.json: " + message);
}

}  // namespace
}  // namespace trine
