// SPDX-License-Identifier: Apache-2.0
#include <trine/platform/execution_context.hpp>

#include <stop_token>

#include <gtest/gtest.h>

#include "support/expect_error.hpp"

namespace trine {
namespace {

TEST(ExecutionContext, RunsAnywhereByDefault) {
  const ExecutionContext execution;
  EXPECT_EQ(execution.isa, Isa::portable);
  EXPECT_EQ(execution.num_threads, 1U);
  EXPECT_NO_THROW(execution.check_stop());
}

TEST(ExecutionContext, EndsWhenTheCallerAsksForIt) {
  std::stop_source source;
  const ExecutionContext execution{.isa = Isa::portable, .num_threads = 1, .stop = source.get_token()};
  EXPECT_NO_THROW(execution.check_stop());
  source.request_stop();
  EXPECT_ERROR(execution.check_stop(), CancelledError, "cancelled by the caller");
}

}  // namespace
}  // namespace trine
