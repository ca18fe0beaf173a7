// SPDX-License-Identifier: Apache-2.0
#include <trine/stats/load_balance.hpp>

#include <cmath>
#include <cstdint>
#include <vector>

#include <gmock/gmock.h>

#include "support/expect_error.hpp"

namespace trine::test {
namespace {

LoadBalance balance(const std::vector<std::uint64_t>& load) { return load_balance(load); }

TEST(LoadBalance, IsOneForAnEvenLoad) {
  for (const std::size_t experts : {1U, 2U, 7U, 64U}) {
    const LoadBalance even = balance(std::vector<std::uint64_t>(experts, 3));
    EXPECT_NEAR(even.utilization, 1.0, 1e-12) << experts;
    EXPECT_EQ(even.experts_used, 1.0);
    EXPECT_NEAR(even.max_violation, 0.0, 1e-12);
  }
}

TEST(LoadBalance, IsOneOfAllForASingleBusyExpert) {
  const LoadBalance one = balance({0, 0, 12, 0});
  EXPECT_NEAR(one.utilization, 0.25, 1e-12);  // entropy 0: one effective expert of four
  EXPECT_EQ(one.experts_used, 0.25);
  EXPECT_NEAR(one.max_violation, 3.0, 1e-12);  // (12 - 3) / 3
}

TEST(LoadBalance, IsWorkedByHand) {
  const LoadBalance found = balance({2, 1, 1, 0});  // entropy of (1/2, 1/4, 1/4) is 1.5 ln 2
  EXPECT_NEAR(found.utilization, std::pow(2.0, 1.5) / 4.0, 1e-12);
  EXPECT_EQ(found.experts_used, 0.75);
  EXPECT_NEAR(found.max_violation, 1.0, 1e-12);
}

TEST(LoadBalance, IsZeroWithoutAssignments) {
  for (const auto& load : {std::vector<std::uint64_t>{}, std::vector<std::uint64_t>{0, 0, 0}}) {
    const LoadBalance none = balance(load);
    EXPECT_EQ(none.utilization, 0.0);
    EXPECT_EQ(none.experts_used, 0.0);
    EXPECT_EQ(none.max_violation, 0.0);
  }
}

TEST(LoadBalance, DependsNeitherOnTheOrderNorOnTheScale) {
  const LoadBalance a = balance({5, 1, 0, 9, 2});
  const LoadBalance permuted = balance({0, 9, 2, 5, 1});
  const LoadBalance scaled = balance({5'000'000'000, 1'000'000'000, 0, 9'000'000'000, 2'000'000'000});
  for (const LoadBalance& other : {permuted, scaled}) {
    EXPECT_NEAR(other.utilization, a.utilization, 1e-12);
    EXPECT_EQ(other.experts_used, a.experts_used);
    EXPECT_NEAR(other.max_violation, a.max_violation, 1e-12);
  }
}

TEST(ExpertsByLoad, ListsTheBusiestFirst) {
  EXPECT_THAT(experts_by_load(std::vector<std::uint64_t>{2, 5, 0, 5}), ::testing::ElementsAre(1, 3, 0, 2));
  EXPECT_THAT(experts_by_load({}), ::testing::IsEmpty());
}

TEST(TotalVariationDistance, IsWorkedByHand) {
  const auto distance = [](const std::vector<std::uint64_t>& a, const std::vector<std::uint64_t>& b) {
    return total_variation_distance(a, b);
  };
  EXPECT_NEAR(distance({1, 1, 0, 0}, {0, 3, 0, 1}), 0.5, 1e-12);  // (1/2 + 1/4 + 0 + 1/4) / 2
  EXPECT_EQ(distance({1, 2, 3}, {2, 4, 6}), 0.0);
  EXPECT_EQ(distance({7, 0}, {0, 9}), 1.0);
  EXPECT_TRUE(std::isnan(distance({0, 0}, {1, 0})));
  EXPECT_TRUE(std::isnan(distance({}, {})));
  EXPECT_ERROR(distance({1, 2}, {1}), ShapeError, "load: expected 2 experts, found 1");
}

}  // namespace
}  // namespace trine::test
