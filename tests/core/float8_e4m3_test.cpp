// SPDX-License-Identifier: Apache-2.0
#include <trine/core/float8_e4m3.hpp>

#include <cmath>
#include <cstdint>

#include <gtest/gtest.h>

namespace trine {
namespace {

float value(unsigned code) { return static_cast<float>(float8_e4m3{static_cast<std::uint8_t>(code)}); }

TEST(Float8E4M3, KnownCodes) {
  EXPECT_EQ(value(0x00), 0.0F);
  EXPECT_EQ(value(0x01), 0.001953125F);  // the smallest subnormal, 2^-9
  EXPECT_EQ(value(0x07), 0.013671875F);  // the largest subnormal, 7/512
  EXPECT_EQ(value(0x08), 0.015625F);     // the smallest normal, 2^-6
  EXPECT_EQ(value(0x38), 1.0F);
  EXPECT_EQ(value(0x3c), 1.5F);
  EXPECT_EQ(value(0x7e), 448.0F);
  EXPECT_EQ(value(0xb8), -1.0F);
  EXPECT_TRUE(std::signbit(value(0x80)));
  EXPECT_TRUE(std::isnan(value(0x7f)));
  EXPECT_TRUE(std::isnan(value(0xff)));
}

// sign (1 + fraction / 8) 2^(exponent - 7), or sign fraction / 8 2^-6 for exponent 0.
TEST(Float8E4M3, EveryCodeIsItsFormula) {
  for (unsigned code = 0; code < 256; ++code) {
    if ((code & 0x7fU) == 0x7fU) continue;
    const double sign = code < 128 ? 1 : -1;
    const int exponent = static_cast<int>(code >> 3U & 15U);
    const double fraction = static_cast<double>(code & 7U) / 8;
    const double expected =
        exponent == 0 ? std::ldexp(sign * fraction, -6) : std::ldexp(sign * (1 + fraction), exponent - 7);
    EXPECT_EQ(static_cast<double>(value(code)), expected) << code;
    EXPECT_EQ(kFloat8E4M3Values[code], value(code)) << code;
  }
}

}  // namespace
}  // namespace trine
