// SPDX-License-Identifier: Apache-2.0
#include <trine/core/function_ref.hpp>

#include <string>

#include <gtest/gtest.h>

namespace trine {
namespace {

int apply(FunctionRef<int(int)> function, int value) { return function(value); }

TEST(FunctionRef, CallsWhatItRefersTo) {
  int calls = 0;
  const auto count = [&calls](int value) {
    ++calls;
    return value + 1;
  };
  EXPECT_EQ(apply(count, 41), 42);
  const FunctionRef<int(int)> reference = count;
  const FunctionRef<int(int)> copy = reference;
  EXPECT_EQ(copy(1), 2);
  EXPECT_EQ(calls, 2);
}

TEST(FunctionRef, PassesReferencesOn) {
  std::string text = "a";
  const auto append = [](std::string& to, std::string&& more) { to += std::move(more); };
  const FunctionRef<void(std::string&, std::string &&)> reference = append;
  reference(text, "b");
  EXPECT_EQ(text, "ab");
}

}  // namespace
}  // namespace trine
