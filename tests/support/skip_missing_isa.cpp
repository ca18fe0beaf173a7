// SPDX-License-Identifier: Apache-2.0
// Part of every test program: skips all its tests when TRINE_ISA names an instruction set that this machine lacks.
#include <cstdlib>
#include <iostream>

#include <gtest/gtest.h>

#include <trine/platform/cpu_features.hpp>

namespace {

class SkipMissingIsa : public testing::Environment {
 public:
  void SetUp() override {
    const char* wanted = std::getenv("TRINE_ISA");
    if (wanted == nullptr) return;
    for (const auto& [isa, name] : trine::kIsaNames) {
      if (name != wanted || trine::is_available(isa)) continue;
      std::cout << "[  SKIPPED ] every test\n";  // what CTest looks for; GoogleTest prints it for single tests only
      GTEST_SKIP() << "this CPU does not have " << wanted;
    }
  }
};

const testing::Environment* const kRegistered = testing::AddGlobalTestEnvironment(new SkipMissingIsa);

}  // namespace
