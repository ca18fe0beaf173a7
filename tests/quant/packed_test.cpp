// SPDX-License-Identifier: Apache-2.0
#include <trine/quant/packed.hpp>

#include <cmath>
#include <cstddef>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

#include <gtest/gtest.h>

#include <trine/quant/weight_formats.hpp>

namespace trine {
namespace {

std::vector<float> normal_numbers(std::size_t count, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> values(count);
  for (float& value : values) value = normal(random);
  return values;
}

constexpr DType kPackedTypes[] = {kQ8, kQ4, kBf16Panels, kQ3a, kQ4a, kQ5a, kQ6a};

std::vector<std::byte> packed(DType dtype, const std::vector<float>& w, std::size_t rows, std::size_t columns) {
  std::vector<std::byte> bytes(static_cast<std::size_t>(packed_bytes(dtype, rows, columns).value()), std::byte{0xee});
  pack(dtype, w.data(), columns, rows, columns, bytes.data());
  return bytes;
}

// Relative root mean square of the difference to what was packed.
double error_of(DType dtype, const std::vector<float>& w, std::size_t rows, std::size_t columns) {
  const std::vector<std::byte> bytes = packed(dtype, w, rows, columns);
  double difference = 0;
  double size = 0;
  for (std::size_t r = 0; r < rows; ++r) {
    for (std::size_t c = 0; c < columns; ++c) {
      const double exact = w[r * columns + c];
      const double found = packed_value(dtype, bytes.data(), panel_bytes(dtype, columns), r, c);
      difference += (found - exact) * (found - exact);
      size += exact * exact;
    }
  }
  return std::sqrt(difference / size);
}

TEST(Packed, TakesTheBitsAWeightThatTheFormatPromises) {
  EXPECT_EQ(packed_bytes(kQ8, 1408, 2048), 1408U * 2048 * 33 / 32);      // 8.25 bits
  EXPECT_EQ(packed_bytes(kQ4, 1408, 2048), 1408U * 2048 * 9 / 8 / 2);    // 4.5 bits
  EXPECT_EQ(packed_bytes(kQ8, 1, 1), 64U + 32 * 16);                     // one panel of one sub_block
  EXPECT_EQ(packed_bytes(kQ4, 17, 129), 2U * (128 + 1024 + 128 + 256));  // two panels of a group and a bit
  EXPECT_EQ(packed_bytes(kBf16Panels, 1408, 2048), 1408U * 2048 * 2);
  EXPECT_EQ(packed_bytes(kBf16Panels, 17, 129), 2U * 160 * 16 * 2);
  EXPECT_EQ(packed_bytes(kQ3a, 1408, 2048), 1408U * 2048 * 7 / 16);  // 3.5 bits
  EXPECT_EQ(packed_bytes(kQ4a, 1408, 2048), 1408U * 2048 * 9 / 16);
  EXPECT_EQ(packed_bytes(kQ5a, 1408, 2048), 1408U * 2048 * 11 / 16);
  EXPECT_EQ(packed_bytes(kQ6a, 1408, 2048), 1408U * 2048 * 13 / 16);
  EXPECT_EQ(packed_bytes(kQ5a, 17, 129), 2U * (128 + 128 * 16 * 5 / 8 + 128 + 32 * 16 * 5 / 8));
  EXPECT_EQ(packed_bytes(kQ8, 0, 128), 0U);
  EXPECT_EQ(packed_bytes(kQ8, std::uint64_t{1} << 60U, 1U << 20U), std::nullopt);
  EXPECT_EQ(packed_bytes(kQ8, 1, std::uint64_t{1} << 56U), std::nullopt);
}

TEST(Packed, Bf16PanelsHoldTheNearestNumbersAndZerosBesideThem) {
  const auto w = normal_numbers(17 * 129, 3);
  const std::vector<std::byte> bytes = packed(kBf16Panels, w, 17, 129);
  for (std::size_t r = 0; r < 32; ++r) {
    for (std::size_t c = 0; c < 160; ++c) {
      const float expected = r < 17 && c < 129 ? static_cast<float>(bfloat16(w[r * 129 + c])) : 0.0F;
      ASSERT_EQ(packed_value(kBf16Panels, bytes.data(), panel_bytes(kBf16Panels, 129), r, c), expected);
      // [columns / 2][16][2] of each panel
      bfloat16 stored;
      std::memcpy(&stored, bytes.data() + (r / 16 * 160 * 16 + c / 2 * 32 + r % 16 * 2 + c % 2) * 2, 2);
      ASSERT_EQ(static_cast<float>(stored), expected) << r << ", " << c;
    }
  }
}

// q8: a step is largest / 127, an error at most half of it; of 128 normal numbers the largest is about 2.7, so the
// relative root mean square is about 2.7 / 127 / sqrt(12) = 0.0061. q4: sixteen steps over the range of 32 numbers.
TEST(Packed, StaysCloseToWhatWasPacked) {
  const auto w = normal_numbers(64 * 512, 1);
  EXPECT_LT(error_of(kQ8, w, 64, 512), 0.0068);
  EXPECT_LT(error_of(kQ4, w, 64, 512), 0.0830);
  EXPECT_LT(error_of(kQ3a, w, 64, 512), 0.170);
  EXPECT_LT(error_of(kQ4a, w, 64, 512), 0.0800);
  EXPECT_LT(error_of(kQ5a, w, 64, 512), 0.0420);
  EXPECT_LT(error_of(kQ6a, w, 64, 512), 0.0230);
}

// Plain rounding at the same size: 2^bits levels, the largest magnitude of every 32 values at the end of the longer
// side.
TEST(Packed, IsBetterThanPlainRounding) {
  for (const DType dtype : {kQ3a, kQ4a, kQ5a, kQ6a}) {
    const auto half = static_cast<float>(1 << (code_bits(dtype) - 1));
    for (const int kind : {0, 1, 2}) {
      auto w = normal_numbers(16 * 1024, 2);
      for (float& value : w) value = kind == 1 ? value * value * value : value + static_cast<float>(kind);
      double difference = 0;
      double size = 0;
      for (std::size_t i = 0; i < w.size(); i += 32) {
        float largest = 0.0F;
        for (std::size_t j = i; j < i + 32; ++j)
          if (std::abs(w[j]) > std::abs(largest)) largest = w[j];
        const float step = largest / -half;
        for (std::size_t j = i; j < i + 32; ++j) {
          const double found = step * std::min(std::nearbyint(w[j] / step), half - 1.0F);
          difference += (found - w[j]) * (found - w[j]);
          size += static_cast<double>(w[j]) * w[j];
        }
      }
      EXPECT_LT(error_of(dtype, w, 16, 1024), std::sqrt(difference / size)) << to_string(dtype) << ", " << kind;
    }
  }
}

TEST(Packed, CountsErrorsByTheImportanceOfTheirColumn) {
  const auto w = normal_numbers(64 * 512, 9);
  std::vector<float> importance(512, 1.0F);
  for (std::size_t c = 0; c < 512; c += 16) importance[c] = 1000.0F;
  for (const DType dtype : {kQ3a, kQ4a, kQ5a, kQ6a}) {
    const auto plain = packed(dtype, w, 64, 512);
    std::vector<std::byte> weighted(plain.size());
    pack(dtype, w.data(), 512, 64, 512, weighted.data(), importance.data());
    const auto error = [&](const std::vector<std::byte>& bytes) {
      double sum = 0;
      for (std::size_t i = 0; i < w.size(); ++i) {
        const double rest = packed_value(dtype, bytes.data(), panel_bytes(dtype, 512), i / 512, i % 512) - w[i];
        sum += rest * rest * importance[i % 512];
      }
      return sum;
    };
    EXPECT_LT(error(weighted), 0.6 * error(plain)) << to_string(dtype);
  }
}

TEST(Packed, SearchesForBetterStepsThanTheLargestMagnitudeGives) {
  const auto w = normal_numbers(16 * 1024, 2);
  double difference = 0;
  double size = 0;
  for (std::size_t i = 0; i < w.size(); i += 32) {  // w = step * [-8, 7], step = largest / -8
    float largest = 0.0F;
    for (std::size_t j = i; j < i + 32; ++j)
      if (std::abs(w[j]) > std::abs(largest)) largest = w[j];
    const float step = largest / -8.0F;
    for (std::size_t j = i; j < i + 32; ++j) {
      const double found = step * std::min(std::nearbyint(w[j] / step), 7.0F);
      difference += (found - w[j]) * (found - w[j]);
      size += static_cast<double>(w[j]) * w[j];
    }
  }
  EXPECT_LT(error_of(kQ4, w, 16, 1024), 0.97 * std::sqrt(difference / size));
}

TEST(Packed, KeepsWhatItCanHoldExactly) {
  std::vector<float> w(16 * 128);
  for (std::size_t i = 0; i < w.size(); ++i) w[i] = 0.25F * (static_cast<float>(i * 7 % 16) - 8.0F);  // sixteen levels
  EXPECT_LT(error_of(kQ4, w, 16, 128), 1e-6);
  for (std::size_t i = 0; i < w.size(); ++i) w[i] = 0.5F * (static_cast<float>(i * 37 % 255) - 127.0F);
  EXPECT_LT(error_of(kQ8, w, 16, 128), 1e-6);
}

TEST(Packed, HoldsZerosAndRaggedEdges) {
  for (const DType dtype : kPackedTypes) {
    const std::size_t rows = 19;
    const std::size_t columns = 167;
    auto w = normal_numbers(rows * columns, 3);
    for (std::size_t c = 0; c < columns; ++c) w[5 * columns + c] = 0.0F;
    const auto bytes = packed(dtype, w, rows, columns);
    const std::size_t panel = panel_bytes(dtype, columns);
    for (std::size_t r = 0; r < 32; ++r) {
      for (std::size_t c = 0; c < 192; ++c) {  // also where the matrix has no element
        const float value = packed_value(dtype, bytes.data(), panel, r, c);
        if (c >= columns && is_grid(dtype)) continue;  // any value: activations end with zeros
        if (r == 5 || r >= rows || c >= columns) {
          ASSERT_EQ(value, 0.0F) << to_string(dtype) << ", " << r << ", " << c;
        } else {
          ASSERT_NEAR(value, w[r * columns + c], code_bits(dtype) >= 8 ? 0.02 : 3.0 / (1 << (code_bits(dtype) - 1)))
              << r << ", " << c;
        }
      }
    }
  }
}

// Sixteen rows at a time give the same bytes as all at once: what a tool that streams relies on.
TEST(Packed, PanelsAreIndependent) {
  const auto w = normal_numbers(40 * 96, 4);
  for (const DType dtype : kPackedTypes) {
    const auto whole = packed(dtype, w, 40, 96);
    std::vector<std::byte> pieces(whole.size());
    for (std::size_t r = 0; r < 40; r += 16)
      pack(dtype, w.data() + r * 96, 96, std::min<std::size_t>(16, 40 - r), 96,
           pieces.data() + r / 16 * panel_bytes(dtype, 96));
    EXPECT_EQ(pieces, whole) << to_string(dtype);
  }
}

TEST(Packed, SurvivesExtremeNumbers) {
  for (const DType dtype : kPackedTypes) {
    for (const float size : {1e-44F, 1e-38F, 1e-20F, 1e20F, 1e37F}) {
      auto w = normal_numbers(16 * 128, 5);
      for (float& value : w) value *= size;
      const auto bytes = packed(dtype, w, 16, 128);
      for (std::size_t i = 0; i < w.size(); ++i) {
        const float value = packed_value(dtype, bytes.data(), panel_bytes(dtype, 128), i / 128, i % 128);
        ASSERT_TRUE(std::isfinite(value)) << to_string(dtype) << ", " << size;
        ASSERT_LE(std::abs(value), 5.0F * size) << to_string(dtype) << ", " << size;
      }
    }
  }
}

// Beside numbers of size 1 those of 1e-42, whose reciprocals are no numbers.
TEST(Packed, SurvivesTinyNumbersBesideLargeOnes) {
  auto w = normal_numbers(16 * 128, 6);
  for (std::size_t i = 0; i < w.size(); ++i)
    if (i / 32 % 2 == 1) w[i] *= 1e-42F;
  const auto bytes = packed(kQ4, w, 16, 128);
  for (std::size_t i = 0; i < w.size(); ++i)
    ASSERT_NEAR(packed_value(kQ4, bytes.data(), panel_bytes(kQ4, 128), i / 128, i % 128), w[i], 0.35) << i;
}

}  // namespace
}  // namespace trine
