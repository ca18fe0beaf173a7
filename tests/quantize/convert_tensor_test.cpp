// SPDX-License-Identifier: Apache-2.0
#include <trine/quantize/convert_tensor.hpp>

#include <array>
#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <trine/core/random.hpp>

#include "support/expect_error.hpp"
#include "support/test_executor.hpp"

namespace trine {
namespace {

// [rows, columns] of f32.
class Numbers {
 public:
  Numbers(std::size_t rows, std::size_t columns, std::uint64_t seed) : rows_(rows), columns_(columns) {
    const CounterRandom random{seed};
    for (std::size_t i = 0; i < rows * columns; ++i)
      values.push_back(static_cast<float>(random.uniform(2 * i) - random.uniform(2 * i + 1)));
  }
  [[nodiscard]] WeightMatrix matrix() const {
    return {reinterpret_cast<const std::byte*>(values.data()), DType::f32, rows_, columns_};
  }
  [[nodiscard]] std::size_t rows() const { return rows_; }
  [[nodiscard]] std::size_t columns() const { return columns_; }

  std::vector<float> values;

 private:
  std::size_t rows_;
  std::size_t columns_;
};

struct Converted {
  std::vector<std::byte> bytes;
  QuantizationError error;
};

Converted convert(const WeightMatrix& from, DType to, std::size_t threads = 1) {
  Converted result;
  double last = 0.0;
  result.error = convert_tensor({.num_threads = threads, .executor = test::test_executor()}, "w", from, to,
                                [&](std::span<const std::byte> part, double done) {
                                  result.bytes.insert(result.bytes.end(), part.begin(), part.end());
                                  EXPECT_GT(done, last);
                                  last = done;
                                });
  EXPECT_EQ(last, 1.0);
  return result;
}

TEST(ConvertTensor, RoundsEveryNumberOfTheMatrixInItsOrder) {
  // Several bands, the last of them short; and more columns than a band has elements.
  for (const auto& [rows, columns] : {std::pair(7UL, 5UL), std::pair(1500UL, 700UL), std::pair(3UL, 300000UL)}) {
    const Numbers numbers(rows, columns, 1);
    const Converted half = convert(numbers.matrix(), DType::bf16);
    ASSERT_EQ(half.bytes.size(), 2 * numbers.values.size());
    double squares = 0.0;
    double errors = 0.0;
    for (std::size_t i = 0; i < numbers.values.size(); ++i) {
      bfloat16 stored;
      std::memcpy(&stored, half.bytes.data() + 2 * i, 2);
      ASSERT_EQ(stored.bits, bfloat16(numbers.values[i]).bits) << i;
      const double w = static_cast<double>(numbers.values[i]);
      squares += w * w;
      errors += std::pow(static_cast<double>(static_cast<float>(stored)) - w, 2);
    }
    EXPECT_NEAR(half.error.relative_rms(), std::sqrt(errors / squares), 1e-9);
    EXPECT_GT(half.error.relative_rms(), 1e-4);
  }
}

TEST(ConvertTensor, IsExactWhereTheTypeHoldsTheNumbers) {
  const Numbers numbers(20, 33, 2);
  EXPECT_EQ(convert(numbers.matrix(), DType::f32).error.squared_error, 0.0);
  const Converted half = convert(numbers.matrix(), DType::f16);
  const WeightMatrix stored{half.bytes.data(), DType::f16, 20, 33};
  EXPECT_EQ(convert(stored, DType::f32).error.squared_error, 0.0);
}

// Bands are an inner matter: the bytes are those of the whole matrix packed at once.
TEST(ConvertTensor, PacksBandsAsTheWholeMatrix) {
  for (const DType type : {kQ8, kQ4, kBf16Panels}) {
    const Numbers numbers(1500, 704, 3);
    const Converted packed = convert(numbers.matrix(), type);
    std::vector<std::byte> whole(packed_bytes(type, 1500, 704).value());
    pack(type, numbers.values.data(), 704, 1500, 704, whole.data());
    EXPECT_TRUE(packed.bytes == whole) << to_string(type);
    QuantizationError error;
    for (std::size_t i = 0; i < numbers.values.size(); ++i) {
      const float back = packed_value(type, whole.data(), panel_bytes(type, 704), i / 704, i % 704);
      error.add(&numbers.values[i], &back, 1);
    }
    EXPECT_NEAR(packed.error.relative_rms(), error.relative_rms(), 1e-9);
    EXPECT_LT(packed.error.relative_rms(), type == kQ4 ? 0.2 : 0.02);
    EXPECT_GT(packed.error.relative_rms(), type == kQ4 ? 0.02 : 0.0005);
  }
}

TEST(ConvertTensor, GivesTheSameBitsWithAnyNumberOfThreads) {
  const Numbers numbers(3000, 640, 4);
  for (const DType type : {DType::bf16, kBf16Panels, kQ8, kQ4}) {
    const Converted one = convert(numbers.matrix(), type, 1);
    for (const std::size_t threads : {2U, 3U, 5U}) {
      const Converted other = convert(numbers.matrix(), type, threads);
      EXPECT_TRUE(other.bytes == one.bytes) << to_string(type) << ", " << threads << " threads";
      EXPECT_EQ(other.error.squared_error, one.error.squared_error);
    }
  }
}

TEST(ConvertTensor, DecodesCodesWithTheScalesOfTheirBlocks) {
  std::array<std::byte, 6> codes{};
  for (std::size_t i = 0; i < codes.size(); ++i) codes[i] = static_cast<std::byte>(0x38 + 8 * i);  // 1, 2, 4, ... 32
  const std::array<float, 2> scales = {0.5F, 3.0F};
  WeightMatrix matrix{codes.data(), DType::f8_e4m3, 2, 3};
  matrix.scales = {reinterpret_cast<const std::byte*>(scales.data()), DType::f32, 2, 2, 2};
  const Converted plain = convert(matrix, DType::f32);
  std::array<float, 6> found{};
  ASSERT_EQ(plain.bytes.size(), sizeof found);
  std::memcpy(found.data(), plain.bytes.data(), sizeof found);
  EXPECT_EQ(found, (std::array{0.5F, 1.0F, 12.0F, 4.0F, 8.0F, 96.0F}));
}

TEST(ConvertTensor, RefusesNumbersThatAreNotFinite) {
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), -std::numeric_limits<float>::infinity()}) {
    for (const DType type : {DType::bf16, kBf16Panels, kQ8, kQ4}) {
      Numbers numbers(40, 32, 5);
      numbers.values[777] = bad;
      EXPECT_ERROR(convert(numbers.matrix(), type), WeightError, "w: expected finite numbers, found another");
    }
  }
}

TEST(ConvertTensor, RefusesNumbersThatTheTypeDoesNotHold) {
  Numbers numbers(4, 32, 6);
  numbers.values[100] = 65519.0F;
  EXPECT_EQ(convert(numbers.matrix(), DType::f16).bytes.size(), 256U);
  numbers.values[100] = 65520.0F;
  EXPECT_ERROR(convert(numbers.matrix(), DType::f16), WeightError,
               "w: expected numbers that f16 can hold, found a larger one");
  EXPECT_EQ(convert(numbers.matrix(), DType::bf16).bytes.size(), 256U);
  numbers.values[100] = std::numeric_limits<float>::max();
  EXPECT_ERROR(convert(numbers.matrix(), DType::bf16), WeightError, "w: expected numbers that bf16 can hold");
}

TEST(ConvertTensor, StopsWhenAskedTo) {
  const Numbers numbers(3000, 640, 7);
  std::stop_source source;
  std::size_t calls = 0;
  const auto sink = [&](std::span<const std::byte>, double) {
    ++calls;
    source.request_stop();
  };
  const ExecutionContext execution{.num_threads = 1, .stop = source.get_token()};
  EXPECT_ERROR(convert_tensor(execution, "w", numbers.matrix(), DType::bf16, sink), CancelledError, "cancelled");
  EXPECT_LE(calls, 4U) << "the bands that were under way";
  calls = 0;
  EXPECT_ERROR(copy_tensor(execution, std::as_bytes(std::span(numbers.values)), sink), CancelledError, "cancelled");
  EXPECT_EQ(calls, 0U);
}

// A list of importances for every expert: the bytes of each expert by itself.
TEST(ConvertTensor, UsesTheImportancesOfEachRow) {
  constexpr std::size_t kExperts = 3;
  constexpr std::size_t kRows = 32;
  constexpr std::size_t kColumns = 160;
  const Numbers numbers(kExperts * kRows, kColumns, 5);
  Numbers importance(kExperts, kColumns, 6);
  for (float& value : importance.values) value = value * value * 10.0F;
  const auto convert = [&](const WeightMatrix& from, const RowImportance& rows) {
    std::vector<std::byte> bytes;
    static_cast<void>(convert_tensor(
        {}, "w", from, kQ4a,
        [&](std::span<const std::byte> part, double) { bytes.insert(bytes.end(), part.begin(), part.end()); }, rows));
    return bytes;
  };
  const std::vector<std::byte> all = convert(numbers.matrix(), {importance.values, kRows});
  std::vector<std::byte> parts;
  for (std::size_t e = 0; e < kExperts; ++e) {
    const auto list = std::span<const float>(importance.values).subspan(e * kColumns, kColumns);
    const std::vector<std::byte> part = convert(numbers.matrix().row_range(e * kRows, kRows), {list, kRows});
    parts.insert(parts.end(), part.begin(), part.end());
  }
  EXPECT_EQ(all, parts);
  EXPECT_NE(all, convert(numbers.matrix(), {}));
}

// Of few rows, all of them: the sum by its definition. Of many, close to it.
TEST(SampleOutputErrors, EstimateTheErrorOfTheOutputs) {
  for (const std::size_t rows : {128UL, 1600UL}) {
    constexpr std::size_t kColumns = 160;
    const Numbers numbers(rows, kColumns, 7);
    Numbers squares(2, kColumns, 8);  // a list for each half
    for (float& value : squares.values) value *= value;
    const std::array types = {kQ3a, kQ8, DType::bf16};
    const std::vector<double> found = sample_output_errors({.num_threads = 2, .executor = test::test_executor()}, "w",
                                                           numbers.matrix(), types, {}, {squares.values, rows / 2});
    ASSERT_EQ(found.size(), types.size());
    for (std::size_t t = 0; t < types.size(); ++t) {
      const Converted converted = convert(numbers.matrix(), types[t]);
      std::vector<float> rounded(rows * kColumns);
      kernels::decode(stored_matrix(converted.bytes.data(), types[t], rows, kColumns), 0, rows, 0, kColumns,
                      rounded.data(), kColumns, 1);
      double exact = 0.0;
      for (std::size_t i = 0; i < rounded.size(); ++i)
        exact += static_cast<double>(squares.values[i / kColumns / (rows / 2) * kColumns + i % kColumns]) *
                 std::pow(static_cast<double>(rounded[i]) - static_cast<double>(numbers.values[i]), 2);
      EXPECT_NEAR(found[t], exact, (rows == 128 ? 1e-9 : 0.1) * exact) << rows << ", " << t;
    }
  }
}

}  // namespace
}  // namespace trine
