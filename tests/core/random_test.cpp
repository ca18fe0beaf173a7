// SPDX-License-Identifier: Apache-2.0
#include <trine/core/random.hpp>

#include <array>
#include <cmath>
#include <cstdint>
#include <set>

#include <gtest/gtest.h>

namespace trine {
namespace {

using Words = std::array<std::uint32_t, 4>;

// From kat_vectors of the authors' Random123, version 1.14, lines "philox4x32 10".
TEST(Philox, AgreesWithThePublishedKnownAnswers) {
  EXPECT_EQ(philox4x32({0, 0, 0, 0}, {0, 0}), (Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(philox4x32({0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}, {0xffffffff, 0xffffffff}),
            (Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

// The first outputs of the reference generator https://prng.di.unimi.it/splitmix64.c, whose state grows by the constant
// before each step: output i of seed s is splitmix64(s + i * constant).
TEST(Splitmix64, AgreesWithTheReferenceImplementation) {
  constexpr std::uint64_t kIncrement = 0x9E3779B97F4A7C15U;
  EXPECT_EQ(splitmix64(0), 0xE220A8397B1DCDAFU);
  EXPECT_EQ(splitmix64(kIncrement), 0x6E789E6AA1B965F4U);
  EXPECT_EQ(splitmix64(1234567), 6457827717110365317U);
  EXPECT_EQ(splitmix64(1234567 + kIncrement), 3203168211198807973U);
}

TEST(CounterRandom, DependsOnSeedAndIndexOnly) {
  const CounterRandom random{7};
  const double third = random.uniform(3);
  static_cast<void>(random.uniform(0));
  EXPECT_EQ(random.uniform(3), third);
  EXPECT_EQ(CounterRandom{7}.uniform(3), third);
  EXPECT_NE(CounterRandom{8}.uniform(3), third);
}

TEST(CounterRandom, UsesAllBitsOfSeedAndIndex) {
  std::set<double> values;
  for (std::uint64_t bit = 0; bit < 64; ++bit) {
    values.insert(CounterRandom{std::uint64_t{1} << bit}.uniform(0));
    values.insert(CounterRandom{0}.uniform(std::uint64_t{1} << bit));
  }
  EXPECT_EQ(values.size(), 128U);
}

TEST(CounterRandom, IsUniformInTheHalfOpenUnitInterval) {
  constexpr int kDraws = 100000;
  double sum = 0;
  double squares = 0;
  std::array<int, 16> bins{};
  for (std::uint64_t i = 0; i < kDraws; ++i) {
    const double value = CounterRandom{1}.uniform(i);
    ASSERT_GE(value, 0.0);
    ASSERT_LT(value, 1.0);
    sum += value;
    squares += value * value;
    ++bins[static_cast<std::size_t>(value * 16)];
  }
  // Five standard errors: sqrt(1/12/n) of the mean, sqrt(4/45/n) of the mean square, sqrt(n p (1-p)) of a bin.
  EXPECT_NEAR(sum / kDraws, 1.0 / 2, 5 * std::sqrt(1.0 / 12 / kDraws));
  EXPECT_NEAR(squares / kDraws, 1.0 / 3, 5 * std::sqrt(4.0 / 45 / kDraws));
  for (const int count : bins) EXPECT_NEAR(count, kDraws / 16.0, 5 * std::sqrt(kDraws * 15.0 / 256));
}

TEST(CounterRandom, ComputesAtCompileTime) { static_assert(CounterRandom{1}.uniform(2) < 1.0); }

}  // namespace
}  // namespace trine
