// SPDX-License-Identifier: Apache-2.0
#include <trine/platform/execution.hpp>

#include <stop_token>

#include <gtest/gtest.h>

#include "support/expect_error.hpp"

namespace trine {
namespace {

TEST(Execution, RunsAnywhereByDefault) {
  const Execution execution;
  EXPECT_EQ(execution.isa, Isa::portable);
  EXPECT_EQ(execution.threads, 1U);
  EXPECT_NO_THROW(execution.check_stop());
}

TEST(Execution, EndsWhenTheCallerAsksForIt) {
  std::stop_source source;
  const Execution execution{.isa = Isa::portable, .threads = 1, .stop = source.get_token()};
  EXPECT_NO_THROW(execution.check_stop());
  source.request_stop();
  EXPECT_ERROR(execution.check_stop(), CancelledError, "cancelled by the caller");
}

}  // namespace
}  // namespace trine
