// SPDX-License-Identifier: Apache-2.0
#include <trine/core/float16.hpp>

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

#include <gtest/gtest.h>

namespace trine {
namespace {

float16 of_bits(std::uint32_t bits) {
  float16 value;
  value.bits = static_cast<std::uint16_t>(bits);
  return value;
}

/// IEEE 754 by its definition: (-1)^s 2^(e-15) (1 + f/1024), or 2^-14 (f/1024) where e is 0.
double by_definition(std::uint32_t bits) {
  const double sign = (bits & 0x8000U) != 0 ? -1.0 : 1.0;
  const auto exponent = static_cast<int>((bits >> 10U) & 31U);
  const double fraction = static_cast<double>(bits & 1023U) / 1024.0;
  if (exponent == 31) return fraction == 0.0 ? sign * HUGE_VAL : std::nan("");
  return exponent == 0 ? sign * std::ldexp(fraction, -14) : sign * std::ldexp(1.0 + fraction, exponent - 15);
}

/// Nearest magnitude by binary search over all patterns; ties to the even pattern. Infinity stands where 2^16 would.
std::uint16_t nearest_by_search(float value) {
  const auto magnitude = static_cast<double>(std::abs(value));
  const auto number = [](std::uint32_t bits) { return bits == 0x7c00U ? 65536.0 : by_definition(bits); };
  std::uint32_t below = 0;  // the largest finite pattern whose number is not above
  for (std::uint32_t step = 0x4000U; step != 0; step /= 2)
    if (below + step < 0x7c00U && number(below + step) <= magnitude) below += step;
  const double down = magnitude - number(below);
  const double up = number(below + 1) - magnitude;
  const bool take_above = up < down || (up == down && (below & 1U) != 0);
  const std::uint32_t sign = std::signbit(value) ? 0x8000U : 0U;
  return static_cast<std::uint16_t>(sign | (below + (take_above ? 1U : 0U)));
}

TEST(Float16, EveryPatternHasTheValueOfItsDefinition) {
  for (std::uint32_t bits = 0; bits < 65536; ++bits) {
    const auto value = static_cast<double>(static_cast<float>(of_bits(bits)));
    if (std::isnan(by_definition(bits))) {
      EXPECT_TRUE(std::isnan(value)) << bits;
    } else {
      EXPECT_EQ(value, by_definition(bits)) << bits;
      EXPECT_EQ(std::signbit(value), (bits & 0x8000U) != 0) << bits;
    }
  }
}

TEST(Float16, EveryPatternSurvivesTheWayToFloatAndBack) {
  for (std::uint32_t bits = 0; bits < 65536; ++bits) {
    const auto wide = static_cast<float>(of_bits(bits));
    if (std::isnan(wide)) {
      EXPECT_TRUE(std::isnan(static_cast<float>(float16(wide)))) << bits;
    } else {
      EXPECT_EQ(float16(wide).bits, bits);
    }
  }
}

TEST(Float16, RoundsCasesWorkedByHand) {
  EXPECT_EQ(float16(1.0F).bits, 0x3c00U);
  EXPECT_EQ(float16(-2.0F).bits, 0xc000U);
  EXPECT_EQ(float16(65504.0F).bits, 0x7bffU);  // the largest finite number
  EXPECT_EQ(float16(65519.0F).bits, 0x7bffU);  // still below halfway to 2^16
  EXPECT_EQ(float16(65520.0F).bits, 0x7c00U);  // halfway: to even, which is infinity
  EXPECT_EQ(float16(-1e30F).bits, 0xfc00U);
  EXPECT_EQ(float16(0x1p-24F).bits, 0x0001U);           // the smallest subnormal
  EXPECT_EQ(float16(0x1p-25F).bits, 0x0000U);           // half of it: to even, which is zero
  EXPECT_EQ(float16(0x1.8p-24F).bits, 0x0002U);         // one and a half of it: to even
  EXPECT_EQ(float16(0x1.ffcp-15F).bits, 0x03ffU + 1U);  // rounds up into the normal numbers
  EXPECT_EQ(float16(-0.0F).bits, 0x8000U);
}

TEST(Float16, RoundsToTheNearestAndTiesToEven) {
  for (std::uint32_t bits = 0; bits < 0x7c00U; ++bits) {
    const auto here = by_definition(bits);
    const double next = bits == 0x7bffU ? 65536.0 : by_definition(bits + 1);
    const auto halfway = static_cast<float>((here + next) / 2);  // exact: one more bit than a float16 has
    for (const float value : {static_cast<float>(here), halfway, std::nextafter(halfway, 0.0F),
                              std::nextafter(halfway, HUGE_VALF), static_cast<float>(here + (next - here) / 4)}) {
      EXPECT_EQ(float16(value).bits, nearest_by_search(value)) << std::hexfloat << value;
      EXPECT_EQ(float16(-value).bits, nearest_by_search(-value)) << std::hexfloat << -value;
    }
  }
}

TEST(Float16, RoundsFloatsOfEveryExponentToTheNearest) {
  for (std::uint32_t bits = 0; bits < 0x7f800000U; bits += 0x1003fU) {
    const auto value = std::bit_cast<float>(bits);
    if (value >= 65536.0F) {
      EXPECT_EQ(float16(value).bits, 0x7c00U) << std::hexfloat << value;
    } else {
      EXPECT_EQ(float16(value).bits, nearest_by_search(value)) << std::hexfloat << value;
    }
  }
}

TEST(Float16, KeepsEveryKindOfNanANan) {
  for (const std::uint32_t bits : {0x7f800001U, 0x7f801fffU, 0x7fc00000U, 0x7fffffffU, 0xff800001U, 0xffffffffU})
    EXPECT_TRUE(std::isnan(static_cast<float>(float16(std::bit_cast<float>(bits))))) << std::hex << bits;
}

TEST(Float16, KeepsInfinityInfinite) {
  EXPECT_EQ(static_cast<float>(float16(HUGE_VALF)), HUGE_VALF);
  EXPECT_EQ(static_cast<float>(float16(-HUGE_VALF)), -HUGE_VALF);
}

TEST(Float16, ConvertsAtCompileTime) {
  static_assert(float16(1.5F).bits == 0x3e00U);
  static_assert(static_cast<float>(float16(1.5F)) == 1.5F);
}

}  // namespace
}  // namespace trine
