// SPDX-License-Identifier: Apache-2.0
#include <trine/core/abi.hpp>

#include <string>
#include <typeinfo>

#include <gtest/gtest.h>

namespace trine::inline TRINE_ABI {
struct AbiProbe {};
}  // namespace trine::inline TRINE_ABI

namespace trine {
namespace {

TEST(Abi, PutsTheConfigurationIntoEverySymbol) {
  const std::string expected = "v" + std::to_string(TRINE_VERSION_MAJOR) + "_" + std::to_string(TRINE_VERSION_MINOR) +
                               "_omp" + std::to_string(TRINE_HAS_OPENMP) + (TRINE_HEADER_ONLY == 1 ? "" : "_lib") +
                               "8AbiProbe";
  const std::string symbol = typeid(AbiProbe).name();
  EXPECT_NE(symbol.find(expected), std::string::npos) << symbol;
}

TEST(Abi, SpellsTheVersionTheSameWayTwice) {
  EXPECT_EQ(TRINE_VERSION_STRING, std::to_string(TRINE_VERSION_MAJOR) + "." + std::to_string(TRINE_VERSION_MINOR) +
                                      "." + std::to_string(TRINE_VERSION_PATCH));
}

}  // namespace
}  // namespace trine
