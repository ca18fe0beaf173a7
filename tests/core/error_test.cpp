// SPDX-License-Identifier: Apache-2.0
#include <trine/core/error.hpp>

#include <gmock/gmock.h>

namespace {

using namespace trine;

TEST(InQuotes, KeepsPrintableTextAsItIs) { EXPECT_EQ(in_quotes("q_proj.weight"), "'q_proj.weight'"); }

}  // namespace
