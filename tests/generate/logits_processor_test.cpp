// SPDX-License-Identifier: Apache-2.0
#include <trine/generate/logits_processor.hpp>

#include <limits>
#include <vector>

#include <gmock/gmock.h>

#include "support/expect_error.hpp"

namespace trine {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

TEST(LogitBias, IsAddedToTheLogitsOfItsTokens) {
  const LogitsProcessor process = logit_bias_processor({{0, 1.5F}, {2, -kInfinity}}, 4);
  std::vector<float> logits{1.0F, 2.0F, 3.0F, 4.0F};
  process(logits, {});
  EXPECT_THAT(logits, testing::ElementsAre(2.5F, 2.0F, -kInfinity, 4.0F));
}

TEST(LogitBias, RefusesTokensThatDoNotExistAndWhatIsNoBias) {
  EXPECT_ERROR(logit_bias_processor({{4, 1.0F}}, 4), InputError, "logit_bias: expected token ids below 4, found 4");
  EXPECT_ERROR(logit_bias_processor({{3, kInfinity}}, 4), InputError,
               "logit_bias: expected a finite number or minus infinity for token 3, found inf");
  EXPECT_ERROR(logit_bias_processor({{3, std::numeric_limits<float>::quiet_NaN()}}, 4), InputError, "found nan");
}

}  // namespace
}  // namespace trine
