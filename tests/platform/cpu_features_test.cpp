// SPDX-License-Identifier: Apache-2.0
#include <trine/platform/cpu_features.hpp>

#include <cstdlib>
#include <optional>
#include <string>

#include <gtest/gtest.h>

#include "support/expect_error.hpp"

namespace trine {
namespace {

/// Sets TRINE_ISA for one test, or removes it, and puts back what was there.
class IsaVariable {
 public:
  explicit IsaVariable(const char* value) {
    if (const char* old = std::getenv("TRINE_ISA")) old_ = old;
    set(value);
  }
  ~IsaVariable() { set(old_ ? old_->c_str() : nullptr); }
  IsaVariable(const IsaVariable&) = delete;
  IsaVariable& operator=(const IsaVariable&) = delete;

 private:
  static void set(const char* value) {
    if (value == nullptr) {
      ::unsetenv("TRINE_ISA");
    } else {
      ::setenv("TRINE_ISA", value, 1);
    }
  }
  std::optional<std::string> old_;
};

TEST(CpuFeatures, PortableRunsEverywhere) { EXPECT_TRUE(is_available(Isa::portable)); }

TEST(CpuFeatures, AWiderSetHasAllTheNarrowerOnes) {
  EXPECT_TRUE(is_available(Isa::avx2) || !is_available(Isa::avx512));
  EXPECT_TRUE(is_available(Isa::neon) || !is_available(Isa::neon_dotprod));
}

TEST(CpuFeatures, WhatRunsHereIsCompiled) {
  for (const auto& [isa, name] : kIsaNames) EXPECT_TRUE(is_compiled(isa) || !is_available(isa)) << name;
  EXPECT_FALSE(is_compiled(Isa::avx2) && is_compiled(Isa::neon));
}

TEST(CpuFeatures, TheBestIsAvailableAndNoneAboveItIs) {
  EXPECT_TRUE(is_available(best_isa()));
  for (const auto& [isa, name] : kIsaNames) EXPECT_TRUE(isa <= best_isa() || !is_available(isa)) << name;
}

TEST(CpuFeatures, NamesReadBackAsThemselvesWhereTheyCanRun) {
  for (const auto& [isa, name] : kIsaNames) {
    EXPECT_EQ(to_string(isa), name);
    if (is_available(isa)) {
      EXPECT_EQ(isa_named(name), isa);
    } else {
      EXPECT_ERROR(isa_named(name), DeviceError, "this CPU does not have it");
    }
  }
}

TEST(CpuFeatures, RefusesAnUnknownNameAndSaysWhichThereAre) {
#if defined(__x86_64__)
  const std::string choices = "portable, avx2, avx512, avx512_vnni, avx512_bf16, amx";
#elif defined(__aarch64__)
  const std::string choices = "portable, neon, neon_dotprod";
#else
  const std::string choices = "portable";
#endif
  EXPECT_ERROR(isa_named("sse9"), DeviceError, "instruction set: expected one of " + choices + ", found 'sse9'");
  EXPECT_ERROR(isa_named(""), DeviceError, "found ''");
  EXPECT_ERROR(isa_named("AVX2\n"), DeviceError, "found 'AVX2\\x0a'");
}

TEST(CpuFeatures, TheEnvironmentChoosesTheDefault) {
  const IsaVariable variable("portable");
  EXPECT_EQ(default_isa(), Isa::portable);
}

TEST(CpuFeatures, TheDefaultIsTheBestWithoutTheVariableOrWithAnEmptyOne) {
  for (const char* value : {static_cast<const char*>(nullptr), ""}) {
    const IsaVariable variable(value);
    EXPECT_EQ(default_isa(), best_isa());
  }
}

TEST(CpuFeatures, AWrongEnvironmentIsAnErrorAndNotIgnored) {
  const IsaVariable variable("fast");
  EXPECT_ERROR(default_isa(), DeviceError, "found 'fast'");
}

}  // namespace
}  // namespace trine
