// SPDX-License-Identifier: Apache-2.0
// Products with weights that are not rows of plain numbers: FP8 and MXFP4 codes, columns, every other row.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <trine/core/float8_e4m3.hpp>
#include <trine/kernels/convert.hpp>
#include <trine/kernels/matmul.hpp>
#include <trine/quant/weight_formats.hpp>

#include "support/random_tensor.hpp"
#include "support/test_executor.hpp"

namespace trine {
namespace {

// A stored matrix and what it stands for, worked out in double by the formula of its format.
struct Stored {
  std::vector<std::uint8_t> bytes;
  std::vector<std::uint8_t> scale_bytes;
  WeightMatrix matrix;
  std::vector<double> values;  // [rows, columns]
};

template <class T>
std::vector<std::uint8_t> bytes_of(const std::vector<T>& values) {
  const auto* begin = reinterpret_cast<const std::uint8_t*>(values.data());
  return {begin, begin + values.size() * sizeof(T)};
}

void point_to(Stored& stored) {
  stored.matrix.data = reinterpret_cast<const std::byte*>(stored.bytes.data());
  stored.matrix.scales.data = reinterpret_cast<const std::byte*>(stored.scale_bytes.data());
}

template <class T>
Stored plain(DType dtype, std::size_t rows, std::size_t columns, std::mt19937& random) {
  std::vector<T> elements;
  Stored stored;
  for (std::size_t i = 0; i < rows * columns; ++i) {
    elements.emplace_back(std::uniform_real_distribution<float>(-1, 1)(random));
    stored.values.push_back(static_cast<double>(static_cast<float>(elements.back())));
  }
  stored.bytes = bytes_of(elements);
  stored.matrix = {nullptr, dtype, rows, columns};
  return stored;
}

// Blocks of 4 x 6 if not said otherwise, so that small matrices have several and ragged ones.
template <class Scale>
Stored fp8(DType scale_dtype, std::size_t rows, std::size_t columns, std::mt19937& random, std::size_t block_rows = 4,
           std::size_t block_columns = 6) {
  Stored stored;
  const std::size_t across = (columns + block_columns - 1) / block_columns;
  std::vector<Scale> scales;
  for (std::size_t i = 0; i < (rows + block_rows - 1) / block_rows * across; ++i)
    scales.emplace_back(std::uniform_real_distribution<float>(0.001F, 0.02F)(random));
  for (std::size_t r = 0; r < rows; ++r) {
    for (std::size_t c = 0; c < columns; ++c) {
      const auto code = static_cast<std::uint8_t>(random() % 127 + 128 * (random() % 2));  // no NaN
      stored.bytes.push_back(code);
      const int exponent = code >> 3U & 15;
      const double fraction = (code & 7U) / 8.0;
      const double magnitude = exponent == 0 ? std::ldexp(fraction, -6) : std::ldexp(1 + fraction, exponent - 7);
      const float scale = static_cast<float>(scales[r / block_rows * across + c / block_columns]);
      stored.values.push_back((code < 128 ? magnitude : -magnitude) * static_cast<double>(scale));
    }
  }
  stored.scale_bytes = bytes_of(scales);
  stored.matrix = {nullptr, DType::f8_e4m3, rows, columns};
  stored.matrix.scales = {nullptr, scale_dtype, across, block_rows, block_columns};
  return stored;
}

Stored mxfp4(std::size_t rows, std::size_t columns, std::mt19937& random) {
  constexpr std::array<double, 8> kMagnitude = {0, 0.5, 1, 1.5, 2, 3, 4, 6};
  Stored stored;
  for (std::size_t r = 0; r < rows; ++r) {
    for (std::size_t c = 0; c < columns; c += 32) {
      const auto exponent = static_cast<std::uint8_t>(120 + random() % 8);
      stored.scale_bytes.push_back(exponent);
      for (std::size_t pair = 0; pair < 16; ++pair) {
        const auto byte = static_cast<std::uint8_t>(random());
        stored.bytes.push_back(byte);
        for (const unsigned code : {byte & 15U, unsigned{byte} >> 4U}) {  // the low four bits come first
          const double magnitude = std::ldexp(kMagnitude[code & 7U], exponent - 127);
          stored.values.push_back(code < 8 ? magnitude : -magnitude);
        }
      }
    }
  }
  stored.matrix = stored_matrix(nullptr, kMxfp4, rows, columns);
  stored.matrix.scales = {nullptr, DType::u8, columns / 32, 1, 32};
  return stored;
}

// Is x W^T what the values say, and are a row's bits the same alone, among others and in part of the columns?
void check(const WeightMatrix& w, const std::vector<double>& values, const std::string& what) {
  const Isa isa = default_isa();
  const std::size_t k = w.columns;
  for (const std::size_t rows : {1U, 2U, 3U, 13U}) {
    const auto x = test::random_tensor({rows, k}, rows);
    std::vector<float> y(rows * w.rows, NAN);
    kernels::gemm(isa, x.data(), k, rows, w, y.data(), w.rows);
    for (std::size_t r = 0; r < rows; ++r) {
      for (std::size_t o = 0; o < w.rows; ++o) {
        double sum = 0;
        double magnitude = 0;
        for (std::size_t i = 0; i < k; ++i) {
          const double term = static_cast<double>(x.view()(r, i)) * values[o * k + i];
          sum += term;
          magnitude += std::abs(term);
        }
        // k roundings of the sum, one of each weight.
        const double bound = static_cast<double>(k + 1) * 6e-8 * magnitude + 1e-12;
        ASSERT_NEAR(static_cast<double>(y[r * w.rows + o]), sum, bound)
            << what << ", row " << r << " of " << rows << ", output " << o << ", " << to_string(isa);
      }
      std::vector<float> alone(w.rows);
      kernels::gemm(isa, x.view().row(r).data(), k, 1, w, alone.data(), w.rows);
      ASSERT_TRUE(std::equal(alone.begin(), alone.end(), y.begin() + static_cast<std::ptrdiff_t>(r * w.rows))) << what;
    }
    Tensor<float, 2> parallel({rows, w.rows});
    Workspace workspace;
    kernels::matmul(ExecutionContext{.isa = isa, .num_threads = 3, .executor = test::test_executor()}, workspace,
                    x.view(), w, parallel.view());
    ASSERT_TRUE(std::equal(y.begin(), y.end(), parallel.view().span().begin())) << what;
  }
}

// The views that layers use: all of it, some rows, every other row, and the transpose of each.
void check_views(Stored stored, const std::string& what) {
  point_to(stored);
  const std::size_t rows = stored.matrix.rows;
  const std::size_t columns = stored.matrix.columns;
  const auto select = [&](std::size_t first, std::size_t step, bool transposed) {
    std::vector<double> values;
    if (!transposed) {
      for (std::size_t r = first; r < rows; r += step)
        for (std::size_t c = 0; c < columns; ++c) values.push_back(stored.values[r * columns + c]);
    } else {
      for (std::size_t c = 0; c < columns; ++c)
        for (std::size_t r = first; r < rows; r += step) values.push_back(stored.values[r * columns + c]);
    }
    return values;
  };
  const WeightMatrix& all = stored.matrix;
  check(all, stored.values, what);
  check(all.row_range(3, rows - 3), select(3, 1, false), what + ", rows from 3 on");
  check(all.strided_rows(1, 2), select(1, 2, false), what + ", odd rows");
  check(all.transpose(), select(0, 1, true), what + ", transposed");
  check(all.row_range(5, rows - 5).transpose(), select(5, 1, true), what + ", transposed rows from 5 on");
  check(all.strided_rows(0, 2).transpose(), select(0, 2, true), what + ", transposed even rows");
  std::vector<double> odd_columns;
  for (std::size_t c = 1; c < columns; c += 2)
    for (std::size_t r = 0; r < rows; ++r) odd_columns.push_back(stored.values[r * columns + c]);
  check(all.transpose().strided_rows(1, 2), odd_columns, what + ", odd columns");
}

TEST(StoredFormatsPerIsa, PlainNumbersInEveryView) {
  std::mt19937 random(1);
  check_views(plain<float>(DType::f32, 37, 70, random), "f32");
  check_views(plain<bfloat16>(DType::bf16, 70, 37, random), "bf16");
  check_views(plain<float16>(DType::f16, 150, 21, random), "f16");
}

TEST(StoredFormatsPerIsa, Fp8BlocksWithRaggedEdges) {
  std::mt19937 random(2);
  check_views(fp8<float>(DType::f32, 37, 70, random), "fp8");
  check_views(fp8<bfloat16>(DType::bf16, 9, 200, random), "fp8, bf16 scales");
  check_views(fp8<float16>(DType::f16, 41, 13, random), "fp8, f16 scales");
}

// Whole vectors of codes have one scale.
TEST(StoredFormatsPerIsa, Fp8BlocksLongerThanVectors) {
  std::mt19937 random(5);
  check_views(fp8<float>(DType::f32, 37, 200, random, 16, 128), "fp8, blocks of 128 columns");
  check_views(fp8<bfloat16>(DType::bf16, 21, 1100, random, 6, 80), "fp8, blocks that vectors do not fill");
}

TEST(StoredFormatsPerIsa, Mxfp4Groups) {
  std::mt19937 random(3);
  check_views(mxfp4(38, 64, random), "mxfp4");
  check_views(mxfp4(9, 160, random), "mxfp4");
}

TEST(StoredFormats, AnExponentOf255IsNoNumber) {
  EXPECT_TRUE(std::isnan(float8_e8m0_value(255)));
  EXPECT_EQ(float8_e8m0_value(254), std::ldexp(1.0F, 127));
  EXPECT_EQ(float8_e8m0_value(127), 1.0F);
  EXPECT_EQ(float8_e8m0_value(0), std::ldexp(1.0F, -127));
}

// Row c holds code c in one place: its product with that place is the number that the code stands for.
TEST(StoredFormatsPerIsa, Fp8HasTheValueOfEachOfIts256Codes) {
  constexpr std::size_t kColumns = 40;  // a whole vector of any set, and some more
  for (const std::size_t place : {3U, 37U}) {
    std::vector<std::byte> codes(256 * kColumns);
    for (std::size_t c = 0; c < 256; ++c) codes[c * kColumns + place] = static_cast<std::byte>(c);
    const float scale = 1.0F;
    WeightMatrix w{codes.data(), DType::f8_e4m3, 256, kColumns};
    w.scales = {reinterpret_cast<const std::byte*>(&scale), DType::f32, 1, 256, kColumns};
    std::vector<float> x(kColumns);
    x[place] = 1.0F;
    std::vector<float> y(256);
    kernels::gemm(default_isa(), x.data(), kColumns, 1, w, y.data(), 256);
    for (std::size_t c = 0; c < 256; ++c) {
      if ((c & 127U) == 127) {
        EXPECT_TRUE(std::isnan(y[c])) << c;
      } else {
        EXPECT_EQ(y[c], kFloat8E4M3Values[c]) << c << ", " << to_string(default_isa());
      }
    }
  }
}

// Row b holds byte b in one place: its products with the two columns of that place are what its four low and its four
// high bits stand for.
TEST(StoredFormatsPerIsa, Mxfp4HasTheValuesOfEachOfIts256Bytes) {
  constexpr std::array<float, 16> kValues = {0, 0.5, 1, 1.5, 2, 3, 4, 6, 0, -0.5, -1, -1.5, -2, -3, -4, -6};
  constexpr std::size_t kColumns = 64;
  const std::vector<std::uint8_t> scales(256 * kColumns / 32, 128);  // 2
  for (std::size_t column = 0; column < kColumns; ++column) {
    std::vector<std::byte> codes(256 * kColumns / 2);
    for (std::size_t b = 0; b < 256; ++b) codes[(b * kColumns + column) / 2] = static_cast<std::byte>(b);
    WeightMatrix w = stored_matrix(codes.data(), kMxfp4, 256, kColumns);
    w.scales = {reinterpret_cast<const std::byte*>(scales.data()), DType::u8, kColumns / 32, 1, 32};
    std::vector<float> x(kColumns);
    x[column] = 1.0F;
    std::vector<float> y(256);
    kernels::gemm(default_isa(), x.data(), kColumns, 1, w, y.data(), 256);
    for (std::size_t b = 0; b < 256; ++b)
      ASSERT_EQ(y[b], 2 * kValues[column % 2 == 0 ? b % 16 : b / 16])
          << "byte " << b << ", column " << column << ", " << to_string(default_isa());
  }
}

// Columns begin and end anywhere in a block of scales, and scales are anything, with infinite products and NaN.
TEST(StoredFormatsPerIsa, CodesMultiplyLikeTheNumbersThatDecodeMakesOfThem) {
  std::mt19937 random(4);
  constexpr std::size_t kRows = 9;
  constexpr std::size_t kColumns = 160;
  Stored extreme = mxfp4(kRows, kColumns, random);
  for (std::size_t i = 0; i < extreme.scale_bytes.size(); ++i)
    extreme.scale_bytes[i] = std::array<std::uint8_t, 5>{0, 120, 253, 254, 255}[i / 5 % 5];
  Stored extreme_fp8 = fp8<float>(DType::f32, kRows, kColumns, random, 2, 40);
  std::vector<float> scales(5 * 4);
  for (std::size_t i = 0; i < scales.size(); ++i)
    scales[i] = std::array{1e-42F, -0x1p119F, 0x1p121F, -0x1p121F, -INFINITY, NAN, 0.7F}[i % 7];
  extreme_fp8.scale_bytes = bytes_of(scales);
  for (Stored stored : {mxfp4(kRows, kColumns, random), extreme, fp8<float>(DType::f32, kRows, kColumns, random),
                        fp8<float>(DType::f32, kRows, kColumns, random, 4, 64), extreme_fp8}) {
    point_to(stored);
    const WeightMatrix columns = stored.matrix.transpose();
    for (const std::size_t first : {0U, 1U, 2U, 5U, 31U, 33U, 64U}) {
      for (const std::size_t count : {1U, 2U, 7U, 15U, 16U, 17U, 33U, 47U, 65U, 96U}) {
        const WeightMatrix part = columns.row_range(first, count).transpose();
        std::vector<float> numbers(kRows * count);
        kernels::decode(part, 0, kRows, 0, count, numbers.data(), count, 1);
        for (const std::size_t rows : {1U, 3U}) {
          const auto x = test::random_tensor({rows, count}, count);
          std::vector<float> a(rows * kRows);
          std::vector<float> b(rows * kRows);
          kernels::gemm(default_isa(), x.data(), count, rows, part, a.data(), kRows);
          kernels::gemm(default_isa(), x.data(), count, rows, numbers.data(), count, kRows, count, b.data(), kRows);
          for (std::size_t i = 0; i < a.size(); ++i)
            ASSERT_TRUE(a[i] == b[i] || (std::isnan(a[i]) && std::isnan(b[i])))
                << to_string(stored.matrix.dtype) << ", columns " << first << " + " << count << ", output " << i << ": "
                << a[i] << " and " << b[i] << ", " << to_string(default_isa());
        }
      }
    }
  }
}

}  // namespace
}  // namespace trine
