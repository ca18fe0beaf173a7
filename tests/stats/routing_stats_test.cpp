// SPDX-License-Identifier: Apache-2.0
#include <trine/stats/routing_stats.hpp>

#include <cmath>
#include <sstream>
#include <string>

#include <gmock/gmock.h>

#include "stats/routing_events.hpp"
#include "support/expect_error.hpp"
#include "support/values.hpp"

namespace trine::test {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// Layer 0 has no router; layers 1 and 2 have 3 and 2 experts.
RoutingStats two_tokens() {
  RoutingStats stats;
  show(stats, 1, 3, {{{2, 0.7F}, {0, 0.3F}}, {{2, 1.0F}}});
  show(stats, 2, 2, {{{1, 0.5F}}, {{0, 0.5F}}});
  return stats;
}

TEST(RoutingStats, CountsAssignmentsAndTokens) {
  const RoutingStats stats = two_tokens();
  EXPECT_EQ(stats.tokens(), 2U);
  EXPECT_EQ(stats.layers(), 3U);
  EXPECT_THAT(values(stats.load(0)), IsEmpty());
  EXPECT_THAT(values(stats.load(1)), ElementsAre(1, 0, 2));
  EXPECT_THAT(values(stats.load(2)), ElementsAre(1, 1));
}

TEST(RoutingStats, IsEmptyAtFirst) {
  const RoutingStats stats;
  EXPECT_EQ(stats.tokens(), 0U);
  EXPECT_EQ(stats.layers(), 0U);
  EXPECT_EQ(stats.overall().utilization, 0.0);
  EXPECT_EQ(stats.to_json()["layers"].size(), 0U);
  EXPECT_EQ(stats.to_csv(), "layer,expert,assignments,share\n");
}

TEST(RoutingStats, AveragesOverTheLayersWithARouter) {
  const LoadBalance overall = two_tokens().overall();
  const double first = std::exp(std::log(3.0) - 2.0 / 3.0 * std::log(2.0)) / 3.0;  // shares 1/3 and 2/3
  EXPECT_NEAR(overall.utilization, (first + 1.0) / 2.0, 1e-12);
  EXPECT_NEAR(overall.experts_used, (2.0 / 3.0 + 1.0) / 2.0, 1e-12);
  EXPECT_NEAR(overall.max_violation, 1.0, 1e-12);  // the largest: 2 assignments where 1 is the mean
}

TEST(RoutingStats, MergesTheCountsOfTwoRuns) {
  RoutingStats all = two_tokens();
  RoutingStats other;
  show(other, 1, 3, {{{1, 1.0F}}});
  all.merge(other);
  EXPECT_EQ(all.tokens(), 3U);
  EXPECT_THAT(values(all.load(1)), ElementsAre(1, 1, 2));
  EXPECT_THAT(values(all.load(2)), ElementsAre(1, 1));

  RoutingStats from_nothing;
  from_nothing.merge(all);
  EXPECT_EQ(from_nothing.to_json(), all.to_json());
  all.merge(RoutingStats());
  EXPECT_EQ(from_nothing.to_json(), all.to_json());
}

TEST(RoutingStats, RefusesToMergeOtherExperts) {
  RoutingStats stats = two_tokens();
  RoutingStats other;
  show(other, 1, 4, {{{1, 1.0F}}});
  EXPECT_ERROR(stats.merge(other), ShapeError, "layer 1: expected 3 experts, found 4");
}

TEST(RoutingStats, WritesJson) {
  const auto document = two_tokens().to_json();
  EXPECT_EQ(document.dump().substr(0, 22), R"({"tokens":2,"overall":)");
  ASSERT_EQ(document["layers"].size(), 2U);
  EXPECT_EQ(document["layers"][0]["layer"], 1);
  EXPECT_EQ(document["layers"][0]["load"].dump(), "[1,0,2]");
  EXPECT_EQ(document["layers"][1]["utilization"], 1.0);
}

TEST(RoutingStats, WritesCsv) {
  RoutingStats stats;
  show(stats, 0, 2, {{{0, 1.0F}}, {{0, 1.0F}}, {{0, 1.0F}}, {{1, 1.0F}}});
  EXPECT_EQ(stats.to_csv(), "layer,expert,assignments,share\n0,0,3,0.75\n0,1,1,0.25\n");
}

TEST(RoutingStats, CountsTokensWithoutExperts) {
  RoutingStats stats;
  show(stats, 0, 2, {{}, {{1, 1.0F}}});
  EXPECT_EQ(stats.tokens(), 2U);
  EXPECT_THAT(values(stats.load(0)), ElementsAre(0, 1));
}

}  // namespace
}  // namespace trine::test
