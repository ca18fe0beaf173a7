// SPDX-License-Identifier: Apache-2.0
#include <trine/stats/routing_trace.hpp>

#include <stdexcept>

#include <gmock/gmock.h>

#include "stats/routing_events.hpp"
#include "support/values.hpp"

namespace trine::test {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// Two calls, as a prompt in two chunks: 2 tokens, then 1. Layer 0 has no router.
RoutingTrace three_tokens() {
  RoutingTrace trace;
  show(trace, 1, 4, {{{3, 0.75F}, {0, 0.25F}}, {}});
  show(trace, 2, 4, {{{1, 1.0F}}, {{2, 1.0F}}});
  show(trace, 1, 4, {{{2, 0.5F}, {1, 0.5F}}});
  show(trace, 2, 4, {{{0, 1.0F}}});
  return trace;
}

TEST(RoutingTrace, KeepsExpertsAndWeightsInTheOrderOfTokens) {
  const RoutingTrace trace = three_tokens();
  EXPECT_EQ(trace.tokens(), 3U);
  EXPECT_EQ(trace.layers(), 3U);
  EXPECT_FALSE(trace.routed(0));
  EXPECT_TRUE(trace.routed(1));
  EXPECT_THAT(values(trace.experts_of(1, 0)), ElementsAre(3, 0));
  EXPECT_THAT(values(trace.weights_of(1, 0)), ElementsAre(0.75F, 0.25F));
  EXPECT_THAT(values(trace.experts_of(1, 1)), IsEmpty());
  EXPECT_THAT(values(trace.experts_of(1, 2)), ElementsAre(2, 1));
  EXPECT_THAT(values(trace.experts_of(2, 2)), ElementsAre(0));
}

TEST(RoutingTrace, RefusesPlacesThatAreNotThere) {
  const RoutingTrace trace = three_tokens();
  EXPECT_THROW(static_cast<void>(trace.experts_of(3, 0)), std::out_of_range);
  EXPECT_THROW(static_cast<void>(trace.experts_of(1, 3)), std::out_of_range);
  EXPECT_THROW(static_cast<void>(trace.weights_of(0, 0)), std::out_of_range);
}

TEST(RoutingTrace, CountsTheLoad) { EXPECT_THAT(values(three_tokens().stats().load(1)), ElementsAre(1, 1, 1, 1)); }

TEST(RoutingTrace, WritesTheExpertsAsJson) {
  EXPECT_EQ(three_tokens().experts_to_json().dump(), R"({"1":[[3,0],[],[2,1]],"2":[[1],[2],[0]]})");
  EXPECT_EQ(RoutingTrace().experts_to_json().dump(), "{}");
}

TEST(RoutingTrace, WritesCsv) {
  EXPECT_EQ(three_tokens().to_csv(),
            "layer,token,rank,expert,weight\n1,0,0,3,0.75\n1,0,1,0,0.25\n1,2,0,2,0.5\n1,2,1,1,0.5\n"
            "2,0,0,1,1.0\n2,1,0,2,1.0\n2,2,0,0,1.0\n");
}

TEST(RoutingTrace, KeepsTheFirstTokensOnlyIfAskedTo) {
  RoutingTrace trace(2);
  show(trace, 1, 4, {{{3, 1.0F}}});
  show(trace, 1, 4, {{{0, 1.0F}}, {{1, 1.0F}}});  // the last of these is counted only
  show(trace, 1, 4, {{{1, 1.0F}}});
  EXPECT_EQ(trace.tokens(), 4U);
  EXPECT_EQ(trace.kept(), 2U);
  EXPECT_THAT(trace.experts_of(1, 1), ElementsAre(0));
  EXPECT_THROW(static_cast<void>(trace.experts_of(1, 2)), std::out_of_range);
  EXPECT_THAT(trace.stats().load(1), ElementsAre(1, 2, 0, 1));
  EXPECT_EQ(trace.to_csv(), "layer,token,rank,expert,weight\n1,0,0,3,1.0\n1,1,0,0,1.0\n");

  RoutingTrace none(0);
  show(none, 0, 2, {{{1, 1.0F}}});
  EXPECT_TRUE(none.routed(0));
  EXPECT_EQ(none.kept(), 0U);
}

}  // namespace
}  // namespace trine::test
