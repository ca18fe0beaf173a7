// SPDX-License-Identifier: Apache-2.0
#include <trine/core/error.hpp>
#include <trine/generate/logprobs.hpp>

#include <cmath>
#include <limits>
#include <vector>

#include <gtest/gtest.h>

#include "support/expect_error.hpp"

namespace trine {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

TEST(Logprobs, AreTheLogarithmsOfTheSoftmax) {
  const float ln2 = std::log(2.0F);
  const std::vector<float> logits{0.0F, ln2, 0.0F};  // probabilities 1/4, 1/2, 1/4
  const TokenLogprobs found = token_logprobs(logits, 2, 2);
  EXPECT_EQ(found.id, 2U);
  EXPECT_NEAR(found.logprob, std::log(0.25), 1e-7);
  ASSERT_EQ(found.top_logprobs.size(), 2U);
  EXPECT_EQ(found.top_logprobs[0].id, 1U);
  EXPECT_NEAR(found.top_logprobs[0].logprob, std::log(0.5), 1e-7);
  EXPECT_EQ(found.top_logprobs[1].id, 0U) << "of two equal ones, the lower id";
  EXPECT_EQ(token_logprobs(logits, 0, 9).top_logprobs.size(), 3U) << "there are no more";
}

TEST(Logprobs, DoNotOverflow) {
  const std::vector<float> logits{3e38F, -3e38F, 3e38F};
  EXPECT_NEAR(token_logprobs(logits, 0).logprob, std::log(0.5), 1e-6);
  EXPECT_LT(token_logprobs(logits, 1).logprob, -1e38);
}

TEST(Logprobs, AreMinusInfinityOfWhatIsImpossible) {
  const std::vector<float> logits{0.0F, -kInfinity, std::numeric_limits<float>::quiet_NaN()};
  EXPECT_EQ(token_logprobs(logits, 0).logprob, 0.0);
  EXPECT_EQ(token_logprobs(logits, 1).logprob, -std::numeric_limits<double>::infinity());
  EXPECT_EQ(token_logprobs(logits, 2).logprob, -std::numeric_limits<double>::infinity());
  const std::vector<float> nothing{-kInfinity};
  EXPECT_EQ(token_logprobs(nothing, 0).logprob, -std::numeric_limits<double>::infinity());
}

TEST(Logprobs, RefuseATokenWithoutALogit) {
  const std::vector<float> logits{0.0F};
  EXPECT_ERROR(token_logprobs(logits, 1), InputError, "token_logprobs: expected an id below 1, found 1");
}

}  // namespace
}  // namespace trine
