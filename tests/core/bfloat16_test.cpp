// SPDX-License-Identifier: Apache-2.0
#include <trine/core/bfloat16.hpp>

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

#include <gtest/gtest.h>

#include <trine/core/random.hpp>

namespace trine {
namespace {

bfloat16 of_bits(std::uint32_t bits) {
  bfloat16 value;
  value.bits = static_cast<std::uint16_t>(bits);
  return value;
}

/// The nearest pattern of the same sign, the even one of two equally near; by trying the neighbours in double
/// precision.
std::uint16_t nearest_by_search(float value) {
  const auto magnitude = static_cast<double>(std::abs(value));
  const std::uint32_t below = std::bit_cast<std::uint32_t>(std::abs(value)) >> 16U;
  const auto number = [](std::uint32_t bits) {
    // What would come after the largest finite number, where infinity is: 2^128.
    return bits == 0x7f80U ? 0x1p128 : static_cast<double>(static_cast<float>(of_bits(bits)));
  };
  const double down = magnitude - number(below);
  const double up = number(below + 1) - magnitude;
  const bool take_above = up < down || (up == down && (below & 1U) != 0);
  const std::uint32_t sign = std::signbit(value) ? 0x8000U : 0U;
  return static_cast<std::uint16_t>(sign | (below + (take_above ? 1U : 0U)));
}

TEST(Bfloat16, EveryPatternSurvivesTheWayToFloatAndBack) {
  for (std::uint32_t bits = 0; bits < 65536; ++bits) {
    const auto wide = static_cast<float>(of_bits(bits));
    if (std::isnan(wide)) {
      EXPECT_TRUE(std::isnan(static_cast<float>(bfloat16(wide)))) << bits;
    } else {
      EXPECT_EQ(bfloat16(wide).bits, bits);
    }
  }
}

TEST(Bfloat16, RoundsCasesWorkedByHand) {
  EXPECT_EQ(bfloat16(1.0F).bits, 0x3f80U);
  EXPECT_EQ(bfloat16(-2.0F).bits, 0xc000U);
  EXPECT_EQ(bfloat16(0x1.01p0F).bits, 0x3f80U);      // halfway between 0x3f80 and 0x3f81: the even one
  EXPECT_EQ(bfloat16(0x1.03p0F).bits, 0x3f82U);      // halfway between 0x3f81 and 0x3f82: the even one
  EXPECT_EQ(bfloat16(0x1.010002p0F).bits, 0x3f81U);  // just above halfway
  EXPECT_EQ(bfloat16(std::numeric_limits<float>::max()).bits, 0x7f80U);
  EXPECT_EQ(bfloat16(-std::numeric_limits<float>::infinity()).bits, 0xff80U);
  EXPECT_EQ(bfloat16(-0.0F).bits, 0x8000U);
  EXPECT_EQ(bfloat16(std::numeric_limits<float>::denorm_min()).bits, 0x0000U);
}

TEST(Bfloat16, RoundsToTheNearestAndTiesToEven) {
  // Around each pattern: itself, both neighbouring floats, the halfway point above it and its neighbours.
  for (std::uint32_t bits = 0; bits < 0x7f80U; ++bits) {
    for (const std::uint32_t offset : {0U, 1U, 0x7fffU, 0x8000U, 0x8001U, 0xffffU}) {
      const auto value = std::bit_cast<float>((bits << 16U) + offset);
      EXPECT_EQ(bfloat16(value).bits, nearest_by_search(value)) << std::hexfloat << value;
      EXPECT_EQ(bfloat16(-value).bits, nearest_by_search(-value)) << std::hexfloat << -value;
    }
  }
}

TEST(Bfloat16, KeepsEveryKindOfNanANan) {
  for (const std::uint32_t bits : {0x7f800001U, 0x7f80ffffU, 0x7fc00000U, 0x7fffffffU, 0xff800001U, 0xffffffffU}) {
    const bfloat16 stored(std::bit_cast<float>(bits));
    EXPECT_TRUE(std::isnan(static_cast<float>(stored))) << std::hex << bits;
    EXPECT_EQ(stored.bits >> 15U, bits >> 31U) << std::hex << bits;
  }
}

TEST(Bfloat16, ConvertsAtCompileTime) {
  static_assert(bfloat16(1.5F).bits == 0x3fc0U);
  static_assert(static_cast<float>(bfloat16(1.5F)) == 1.5F);
}

}  // namespace
}  // namespace trine
