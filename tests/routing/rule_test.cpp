// SPDX-License-Identifier: Apache-2.0
// Predicates, rule sets and the router over them: tests of rule.hpp and rule_router.hpp by way of the registry.
#include <trine/core/error.hpp>
#include <trine/core/token_id.hpp>
#include <trine/core/workspace.hpp>
#include <trine/json/object_reader.hpp>
#include <trine/json/parse.hpp>
#include <trine/routing/router.hpp>
#include <trine/routing/router_options.hpp>
#include <trine/routing/router_registry.hpp>
#include <trine/routing/routing_plan.hpp>
#include <trine/routing/rule.hpp>
#include <trine/routing/rule_router.hpp>
#include <trine/weights/weight_scope.hpp>
#include <trine/weights/weight_source.hpp>

#include <limits>
#include <string>
#include <vector>

#include <gmock/gmock.h>

#include "support/expect_error.hpp"

namespace trine {
namespace {

const std::vector<std::string> kFeatures{"amount", "hour"};

Predicate predicate(const std::string& text) {
  const Json document = parse_json(text, "rules.json");
  return parse_predicate(ObjectReader(document, "rules.json"), kFeatures);
}

bool holds(const std::string& text, double amount, double hour = 0.0) {
  const std::vector<double> row{amount, hour};
  return predicate(text).holds(row);
}

TEST(Predicate, ComparesAsItsSignSays) {
  const auto compare = [](const std::string& op, double amount) {
    return holds(R"({"feature": "amount", "op": ")" + op + R"(", "value": 10})", amount);
  };
  const std::vector<std::pair<std::string, std::vector<bool>>> table{// for 9, 10 and 11
                                                                     {"<", {true, false, false}},
                                                                     {"<=", {true, true, false}},
                                                                     {">", {false, false, true}},
                                                                     {">=", {false, true, true}},
                                                                     {"==", {false, true, false}}};
  for (const auto& [op, expected] : table) {
    for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(compare(op, 9.0 + static_cast<double>(i)), expected[i]) << op << i;
    EXPECT_FALSE(compare(op, std::numeric_limits<double>::quiet_NaN())) << op << " NaN";
  }
}

TEST(Predicate, CombinesWithAndOrNot) {
  const std::string large = R"({"feature": "amount", "op": ">", "value": 100})";
  const std::string night = R"({"feature": "hour", "op": "<", "value": 6})";
  for (const double amount : {50.0, 150.0}) {
    for (const double hour : {3.0, 12.0}) {
      const bool a = amount > 100;
      const bool n = hour < 6;
      EXPECT_EQ(holds(R"({"and": [)" + large + "," + night + "]}", amount, hour), a && n);
      EXPECT_EQ(holds(R"({"or": [)" + large + "," + night + "]}", amount, hour), a || n);
      EXPECT_EQ(holds(R"({"not": )" + large + "}", amount, hour), !a);
      EXPECT_EQ(holds(R"({"not": {"or": [)" + large + R"(, {"and": [)" + night + R"(, {"not": )" + night + "}]}]}}",
                      amount, hour),
                !a);
      EXPECT_EQ(holds(R"({"and": [)" + night + "]}", amount, hour), n);
    }
  }
  // A comparison with NaN is false, so its negation holds: as in C++, unlike SQL's NULL.
  EXPECT_TRUE(holds(R"({"not": )" + large + "}", std::numeric_limits<double>::quiet_NaN()));
}

TEST(Predicate, ReadsAsSql) {
  const auto sql = [](const std::string& text) { return to_sql(predicate(text), kFeatures); };
  const std::string large = R"({"feature": "amount", "op": ">", "value": 10000})";
  const std::string night = R"({"feature": "hour", "op": "==", "value": 1.5})";
  EXPECT_EQ(sql(large), "amount > 10000");
  EXPECT_EQ(sql(night), "hour = 1.5");
  EXPECT_EQ(sql(R"({"and": [)" + large + R"(, {"or": [)" + night + R"(, {"not": )" + large + "}]}]}"),
            "amount > 10000 AND (hour = 1.5 OR NOT amount > 10000)");
  EXPECT_EQ(sql(R"({"not": {"and": [)" + large + "," + night + "]}}"), "NOT (amount > 10000 AND hour = 1.5)");
}

struct BadPredicate {
  const char* text;
  const char* expected;
};
void PrintTo(const BadPredicate& bad, std::ostream* out) { *out << bad.text; }

class BadPredicateTest : public testing::TestWithParam<BadPredicate> {};

TEST_P(BadPredicateTest, IsRefusedByTheNameOfTheField) {
  EXPECT_ERROR(predicate(GetParam().text), ConfigError, std::string("rules.json: ") + GetParam().expected);
}

INSTANTIATE_TEST_SUITE_P(
    All, BadPredicateTest,
    testing::Values(BadPredicate{R"({"feature": "amont", "op": ">", "value": 1})",
                                 "feature: no feature named 'amont'; the nearest one is 'amount'"},
                    BadPredicate{R"({"feature": 1, "op": ">", "value": 1})", "feature: expected a string, found 1"},
                    BadPredicate{R"({"feature": "amount", "op": "!=", "value": 1})",
                                 R"(op: expected one of "<", "<=", ">", ">=", "==", found '!=')"},
                    BadPredicate{R"({"feature": "amount", "op": ">", "value": "1"})", "value: expected a number from"},
                    BadPredicate{R"({"feature": "amount", "op": ">"})", "value: expected a value, found none"},
                    BadPredicate{R"({"feature": "amount", "op": ">", "value": 1, "or": []})",
                                 "or: expected a list of at least one predicate, found a list"},
                    BadPredicate{R"({"feature": "amount", "op": ">", "value": 1, "unit": "EUR"})",
                                 "unknown key 'unit'"},
                    BadPredicate{R"({"and": []})", "and: expected a list of at least one predicate"},
                    BadPredicate{R"({"and": [7]})", "and[0]: expected a JSON object, found 7"},
                    BadPredicate{R"({"and": [{"not": {"feature": "hour", "op": "<", "value": true}}]})",
                                 "and[0].not.value: expected a number from"},
                    BadPredicate{R"({"not": []})", "not: expected a JSON object, found a list"},
                    BadPredicate{R"({})", "feature: expected a value, found none"}));

TEST(Predicate, OfAThousandLevelsIsRefusedBeforeItIsBuilt) {
  std::string text = R"({"feature": "hour", "op": "<", "value": 6})";
  for (int level = 0; level < 1000; ++level) text = R"({"not": )" + text + "}";
  EXPECT_ERROR(predicate(text), ConfigError, "expected at most 128 nested levels, found more");
}

// The article's example, as the "router" object of a configuration.
class RuleRouterTest : public testing::Test {
 protected:
  std::unique_ptr<Router> make(const std::string& text, std::size_t num_features) const {
    const Json document = parse_json(text, "config.json");
    WeightReader none(*static_cast<const WeightSource*>(nullptr_source()));
    return RouterRegistry().parse(ObjectReader(document, "config.json"), {8, 4, num_features})(WeightScope(none), 0);
  }

 private:
  // A rule router has no weights.
  static const WeightSource* nullptr_source() {
    struct Empty : WeightSource {
      [[nodiscard]] const StoredTensor* find(std::string_view) const override { return nullptr; }
      [[nodiscard]] std::vector<std::string_view> names() const override { return {}; }
      [[nodiscard]] std::string place() const override { return "nothing"; }
    };
    static const Empty empty;
    return &empty;
  }
};

constexpr const char* kFraud = R"({"kind": "rules", "features": ["amount", "hour"], "otherwise": 1, "rules": [
  {"when": {"feature": "amount", "op": ">", "value": 10000}, "expert": 3},
  {"when": {"and": [{"feature": "amount", "op": ">", "value": 100}, {"feature": "hour", "op": "<", "value": 6}]},
   "expert": 2},
  {"when": {"feature": "hour", "op": "<", "value": 6}, "expert": 0}]})";

TEST_F(RuleRouterTest, TakesTheFirstRuleThatHoldsAndOtherwiseTheRest) {
  const std::unique_ptr<Router> router = make(kFraud, 2);
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const std::vector<float> rows{20000, 3, 200, 3, 50, 3, 50, 12, 10000, 12, nan, nan};
  const std::vector<std::size_t> positions(6);
  Workspace workspace;
  RoutingPlan plan;
  plan.start(router->num_experts());
  router->route({{}, workspace}, {{}, positions, {}, View<const float, 2>(rows.data(), {6, 2}), {}}, plan);
  EXPECT_THAT(plan.expert, testing::ElementsAre(3, 2, 0, 1, 1, 1));
  EXPECT_THAT(plan.weight, testing::Each(1.0F));
  EXPECT_EQ(plan.tokens, 6U);
  EXPECT_EQ(router->max_experts_per_token(), 1U);
}

TEST_F(RuleRouterTest, ReadsAsTheCaseExpressionOfItsRules) {
  const std::unique_ptr<Router> router = make(kFraud, 2);
  EXPECT_EQ(dynamic_cast<const RuleRouter&>(*router).rules().to_sql(),
            "CASE\n"
            "  WHEN amount > 10000 THEN expert_3\n"
            "  WHEN amount > 100 AND hour < 6 THEN expert_2\n"
            "  WHEN hour < 6 THEN expert_0\n"
            "  ELSE expert_1\n"
            "END");
}

TEST_F(RuleRouterTest, KnowsTokenIdAndPositionOfATokenModel) {
  const std::unique_ptr<Router> router = make(
      R"({"kind": "rules", "otherwise": 0, "rules": [
        {"when": {"feature": "token_id", "op": "==", "value": 7}, "expert": 3},
        {"when": {"feature": "position", "op": ">=", "value": 2}, "expert": 1}]})",
      0);
  const std::vector<TokenId> ids{7, 8, 7, 9};
  const std::vector<std::size_t> positions{0, 1, 2, 3};
  Workspace workspace;
  RoutingPlan plan;
  plan.start(router->num_experts());
  router->route({{}, workspace}, {{}, positions, ids, {}, {}}, plan);
  EXPECT_THAT(plan.expert, testing::ElementsAre(3, 0, 3, 1));
}

TEST_F(RuleRouterTest, NamesWhatIsWrongInItsOptions) {
  EXPECT_ERROR(make(R"({"kind": "rules", "features": ["a"], "otherwise": 0, "rules": []})", 2), ConfigError,
               "config.json: features: expected a list of 2 names, found a list");
  EXPECT_ERROR(make(R"({"kind": "rules", "features": ["a", 1], "otherwise": 0, "rules": []})", 2), ConfigError,
               "config.json: features: expected names, found 1");
  EXPECT_ERROR(make(R"({"kind": "rules", "features": ["a", "b"], "otherwise": 4, "rules": []})", 2), ConfigError,
               "config.json: otherwise: expected an integer from 0 to 3, found 4");
  EXPECT_ERROR(make(R"({"kind": "rules", "features": ["a", "b"], "otherwise": 0, "rules": [
    {"when": {"feature": "b", "op": "<", "value": 1}, "expert": 4}]})",
                    2),
               ConfigError, "config.json: rules[0].expert: expected an integer from 0 to 3, found 4");
  EXPECT_ERROR(make(R"({"kind": "rules", "otherwise": 0, "rules": [], "features": ["a"]})", 0), ConfigError,
               "config.json: features: expected none");
  EXPECT_ERROR(make(R"({"kind": "rules", "otherwise": 0, "rules": {}})", 0), ConfigError,
               "config.json: rules: expected a list of rules, found an object");
}

}  // namespace
}  // namespace trine
