// SPDX-License-Identifier: Apache-2.0
#include <trine/core/check.hpp>

#include <array>
#include <cstdint>
#include <limits>
#include <optional>
#include <vector>

#include <gtest/gtest.h>

namespace trine {
namespace {

constexpr std::uint64_t kMax = std::numeric_limits<std::uint64_t>::max();

// Numbers at which 64-bit arithmetic changes its mind.
const std::vector<std::uint64_t> kEdges{
    0, 1, 2, 3, (1ULL << 32U) - 1, 1ULL << 32U, (1ULL << 32U) + 1, (1ULL << 63U) - 1, 1ULL << 63U, kMax - 1, kMax};

TEST(CheckedAdd, AgreesWith128BitArithmetic) {
  for (const std::uint64_t a : kEdges) {
    for (const std::uint64_t b : kEdges) {
      std::uint64_t sum = 0;
      const bool overflow = __builtin_add_overflow(a, b, &sum);
      EXPECT_EQ(checked_add(a, b), overflow ? std::nullopt : std::optional(sum)) << a << " + " << b;
    }
  }
}

TEST(CheckedMultiply, AgreesWith128BitArithmetic) {
  for (const std::uint64_t a : kEdges) {
    for (const std::uint64_t b : kEdges) {
      std::uint64_t product = 0;
      const bool overflow = __builtin_mul_overflow(a, b, &product);
      EXPECT_EQ(checked_multiply(a, b), overflow ? std::nullopt : std::optional(product)) << a << " * " << b;
    }
  }
}

TEST(CheckedProduct, OfNothingIsOne) { EXPECT_EQ(checked_product(std::vector<std::uint64_t>{}), 1U); }

TEST(CheckedProduct, MultipliesAll) { EXPECT_EQ(checked_product(std::array<std::uint64_t, 3>{2, 3, 7}), 42U); }

TEST(CheckedProduct, RefusesAProductThatWrapsToTheRightValue) {
  // Shapes whose product modulo 2^64 is small: the trick of several published bugs.
  EXPECT_EQ(checked_product(std::array<std::uint64_t, 2>{1ULL << 33U, 1ULL << 31U}), std::nullopt);  // 0 modulo 2^64
  EXPECT_EQ(checked_product(std::array<std::uint64_t, 2>{(1ULL << 63U) + 8U, 2}), std::nullopt);     // 16 modulo 2^64
}

TEST(CheckedProduct, IsZeroWithAZeroFactor) { EXPECT_EQ(checked_product(std::array<std::uint64_t, 3>{5, 0, 7}), 0U); }

TEST(CheckedProduct, DoesNotLetAZeroHideAnOverflow) {
  EXPECT_EQ(checked_product(std::array<std::uint64_t, 3>{0, kMax, 2}), std::nullopt);
  EXPECT_EQ(checked_product(std::array<std::uint64_t, 3>{kMax, 2, 0}), std::nullopt);
  EXPECT_EQ(checked_product(std::array<std::uint64_t, 3>{kMax, 0, 2}), std::nullopt);
}

TEST(RangeFits, IsTrueUpToTheLastByte) {
  EXPECT_TRUE(range_fits(0, 10, 10));
  EXPECT_TRUE(range_fits(10, 0, 10));
  EXPECT_TRUE(range_fits(4, 6, 10));
  EXPECT_TRUE(range_fits(0, kMax, kMax));
}

TEST(RangeFits, IsFalseBeyondItEvenWhenTheSumWraps) {
  EXPECT_FALSE(range_fits(4, 7, 10));
  EXPECT_FALSE(range_fits(11, 0, 10));
  EXPECT_FALSE(range_fits(kMax, 2, 10));
  EXPECT_FALSE(range_fits(2, kMax, 10));
}

}  // namespace
}  // namespace trine
