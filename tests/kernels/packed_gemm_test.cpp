// SPDX-License-Identifier: Apache-2.0
// Quantised rows and their products with packed weights: quantize_rows.hpp, packed_gemm.hpp.
#include <trine/kernels/packed_gemm.hpp>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include <trine/quant/weight_formats.hpp>

#include "kernels/page_end.hpp"
#include "support/random_tensor.hpp"

namespace trine {
namespace {

using kernels::QuantizedRows;
using test::PageEnd;
using test::random_tensor;

// Memory of quantised rows that ends at a page, so that a step too far is a fault.
struct Quantized {
  Quantized(std::size_t rows, std::size_t columns)
      : groups(QuantizedRows::groups_of(columns)),
        sub_blocks(QuantizedRows::sub_blocks_of(columns)),
        codes(rows * QuantizedRows::leading_dimension(columns)),
        scale(rows * groups),
        sums(rows * sub_blocks),
        outlier(rows * groups),
        rows_of{codes.data(), scale.data(),           sums.data(),   QuantizedRows::leading_dimension(columns), groups,
                sub_blocks,   kernels::kPackedBlocks, outlier.data()} {}
  Quantized(Isa isa, View<const float, 2> x) : Quantized(x.extent(0), x.extent(1)) {
    for (std::size_t r = 0; r < x.extent(0); ++r) kernels::quantize_row(isa, x.row(r).data(), x.extent(1), rows_of, r);
  }
  std::size_t groups;
  std::size_t sub_blocks;
  PageEnd<std::int8_t> codes;
  PageEnd<float> scale;
  PageEnd<std::int32_t> sums;
  PageEnd<kernels::Outlier> outlier;
  QuantizedRows rows_of;

  // What row r stands for at column c, in units of the scale.
  [[nodiscard]] std::int32_t code(std::size_t r, std::size_t c) const {
    const kernels::Outlier& apart = rows_of.outlier[r * groups + c / 128];
    return rows_of.codes[r * rows_of.ld + c] + (apart.column == c % 128 ? apart.extra : 0);
  }
};

constexpr DType kPackedTypes[] = {kQ8, kQ4, kQ3a, kQ4a, kQ5a, kQ6a};

// Some of whose blocks have an outlier.
auto activations(std::vector<std::size_t> shape, std::uint64_t seed) {
  auto x = random_tensor({shape[0], shape[1]}, seed);
  for (std::size_t r = 0; r < shape[0]; ++r)
    for (std::size_t c = 0; c < shape[1]; ++c)
      if ((r * 31 + c * 7) % 97 == 0) x.view()(r, c) *= static_cast<float>(1 + (r + c) % 40);
  return x;
}

std::vector<std::byte> packed(DType dtype, View<const float, 2> w) {
  std::vector<std::byte> bytes(static_cast<std::size_t>(*packed_bytes(dtype, w.extent(0), w.extent(1))));
  pack(dtype, w.data(), w.extent(1), w.extent(0), w.extent(1), bytes.data());
  return bytes;
}

std::vector<std::pair<DType, std::size_t>> types_and(std::initializer_list<std::size_t> columns) {
  std::vector<std::pair<DType, std::size_t>> pairs;
  for (const DType dtype : kPackedTypes)
    for (const std::size_t count : columns) pairs.emplace_back(dtype, count);
  return pairs;
}

std::vector<std::uint32_t> bits_of(std::span<const float> values) {
  std::vector<std::uint32_t> result;
  for (const float value : values) result.push_back(std::bit_cast<std::uint32_t>(value));
  return result;
}

TEST(QuantizeRowsPerIsa, RoundsToTheNearestCodeOfEachGroup) {
  const Isa isa = default_isa();
  int with_outlier = 0;
  for (const std::size_t columns : {1U, 31U, 32U, 100U, 128U, 129U, 300U}) {
    const auto x = activations({3, columns}, columns);
    const Quantized q(isa, x.view());
    for (std::size_t r = 0; r < 3; ++r) {
      for (std::size_t g = 0; g < q.groups; ++g) {
        float most = 0.0F;
        float second = 0.0F;
        for (std::size_t c = g * 128; c < std::min(columns, g * 128 + 128); ++c) {
          const float size = std::abs(x.view()(r, c));
          second = std::max(second, std::min(most, size));
          most = std::max(most, size);
        }
        const bool apart = most > 1.5F * second;
        with_outlier += apart ? 1 : 0;
        const float scale = q.rows_of.scale[r * q.groups + g];
        ASSERT_FLOAT_EQ(scale, (apart ? std::max(second, most / 16384.0F) : most) / 127.0F);
        ASSERT_EQ(q.rows_of.outlier[r * q.groups + g].extra != 0, apart);
      }
      for (std::size_t j = 0; j < q.sub_blocks; ++j) {
        std::int32_t sum = 0;
        for (std::size_t c = 32 * j; c < 32 * j + 32; ++c) {
          const int code = q.rows_of.codes[r * q.rows_of.ld + c];
          sum += code;
          const float value = c < columns ? x.view()(r, c) : 0.0F;
          const float scale = q.rows_of.scale[r * q.groups + c / 128];
          ASSERT_NEAR(value / scale, q.code(r, c), 0.5001 + 1e-6 * std::abs(q.code(r, c)))
              << to_string(isa) << ", " << r << ", " << c;
          ASSERT_LE(std::abs(code), 127);
        }
        ASSERT_EQ(q.rows_of.sums[r * q.sub_blocks + j], sum);
      }
    }
  }
  EXPECT_GT(with_outlier, 5);
}

TEST(QuantizeRowsPerIsa, GivesZeroForZeroAndTinyAndNaNForWhatIsNotFinite) {
  const Isa isa = default_isa();
  Tensor<float, 2> x({1, 128 * 5});
  x.view()(0, 130) = 1e-42F;
  x.view()(0, 2 * 128 + 7) = std::numeric_limits<float>::infinity();
  x.view()(0, 3 * 128 + 127) = std::numeric_limits<float>::quiet_NaN();
  x.view()(0, 4 * 128) = -3e38F;
  const Quantized q(isa, x.view());
  EXPECT_EQ(q.rows_of.scale[0], 0.0F);
  EXPECT_EQ(q.rows_of.scale[1], 0.0F);
  EXPECT_TRUE(std::isnan(q.rows_of.scale[2]));
  EXPECT_TRUE(std::isnan(q.rows_of.scale[3]));
  EXPECT_EQ(q.rows_of.codes[4 * 128], -127);
}

// Against the sum in double precision of what the codes stand for, with nothing written beside y.
TEST(PackedGemmPerIsa, IsTheProductForManySizes) {
  const Isa isa = default_isa();
  constexpr float kGuard = -12345.0F;
  for (const DType dtype : kPackedTypes) {
    for (const std::size_t outs : {1U, 16U, 33U, 64U, 70U, 144U}) {
      for (const std::size_t k : {1U, 32U, 100U, 128U, 160U, 1024U, 1100U}) {
        const auto w = random_tensor({outs, k}, outs + k);
        const std::vector<std::byte> written = packed(dtype, w.view());
        const PageEnd<std::byte> bytes(written.size());
        std::ranges::copy(written, bytes.data());
        std::vector<double> exact(outs * k);
        for (std::size_t i = 0; i < exact.size(); ++i)
          exact[i] = packed_value(dtype, bytes.data(), panel_bytes(dtype, k), i / k, i % k);
        for (const std::size_t rows : {1U, 2U, 3U, 4U, 5U, 8U, 19U, 20U, 23U, 161U}) {
          if (rows * outs * k > 2000000) continue;
          const auto x = activations({rows, k}, rows + k);
          const Quantized q(isa, x.view());
          const std::size_t ldy = outs + 3;
          const PageEnd<float> y((rows - 1) * ldy + outs);
          std::ranges::fill(y.span(), kGuard);
          kernels::packed_gemm(isa, q.rows_of, nullptr, rows, dtype, bytes.data(), outs, k, y.data(), ldy);
          for (std::size_t i = 0; i < y.span().size(); ++i) {
            const std::size_t r = i / ldy;
            const std::size_t o = i % ldy;
            if (o >= outs) {
              ASSERT_EQ(y.span()[i], kGuard);
              continue;
            }
            double sum = 0;
            double magnitude = 0;
            for (std::size_t c = 0; c < k; ++c) {
              const double product =
                  static_cast<double>(q.rows_of.scale[r * q.groups + c / 128]) * q.code(r, c) * exact[o * k + c];
              sum += product;
              magnitude += std::abs(product);
            }
            // Five roundings per group of 128, and that of packed_value itself.
            ASSERT_NEAR(y.span()[i], sum, (6 + static_cast<double>(k) / 128) * 0x1p-23 * magnitude)
                << to_string(dtype) << " " << to_string(isa) << ", " << rows << " x " << outs << " x " << k << ", at "
                << r << ", " << o;
          }
        }
      }
    }
  }
}

TEST(PackedGemmPerIsa, GivesARowTheSameBitsAloneAmongOthersAndByIndex) {
  const Isa isa = default_isa();
  constexpr std::size_t kRows = 170;
  constexpr std::size_t kOuts = 83;
  for (const auto& [dtype, inner] : types_and({1320, 1344})) {  // multiples of 64, which tiles want, and others
    const auto x = activations({kRows, inner}, 1);
    const auto w = random_tensor({kOuts, inner}, 2);
    const Quantized q(isa, x.view());
    const std::vector<std::byte> bytes = packed(dtype, w.view());
    Tensor<float, 2> all({kRows, kOuts});
    kernels::packed_gemm(isa, q.rows_of, nullptr, kRows, dtype, bytes.data(), kOuts, inner, all.data(), kOuts);
    for (const std::size_t rows : {1U, 2U, 3U, 4U, 7U, 19U, 20U, 21U, 169U}) {
      Tensor<float, 2> some({rows, kOuts});
      for (std::size_t first = 0; first + rows <= kRows; first += rows) {
        std::vector<std::uint32_t> index;
        for (std::size_t r = rows; r-- > 0;) index.push_back(static_cast<std::uint32_t>(first + r));
        kernels::packed_gemm(isa, q.rows_of, index.data(), rows, dtype, bytes.data(), kOuts, inner, some.data(), kOuts);
        for (std::size_t r = 0; r < rows; ++r)
          ASSERT_EQ(bits_of(some.view().row(r)), bits_of(all.view().row(index[r])))
              << to_string(dtype) << " " << to_string(isa) << ", " << rows << " rows, row " << index[r];
      }
    }
  }
}

// All but the portable one round a multiply-add once.
TEST(PackedGemm, GivesTheSameBitsOnEveryInstructionSetThatFuses) {
  const Isa best = best_isa();
  for (const auto& [dtype, k] : types_and({700, 704})) {
    const auto x = activations({23, k}, 1);
    const auto w = random_tensor({48, k}, 2);
    const std::vector<std::byte> bytes = packed(dtype, w.view());
    const auto product = [&, dtype = dtype, k = k](Isa isa) {
      const Quantized rows(isa, x.view());
      Tensor<float, 2> y({23, 48});
      kernels::packed_gemm(isa, rows.rows_of, nullptr, 23, dtype, bytes.data(), 48, k, y.data(), 48);
      return bits_of(y.view().span());
    };
    for (const auto& [isa, name] : kIsaNames) {
      if (is_available(isa) && isa != Isa::portable) {
        EXPECT_EQ(product(isa), product(best)) << to_string(dtype) << " " << name << " and " << to_string(best);
      }
    }
  }
}

// The largest sums that codes can make: nothing wraps or saturates.
TEST(PackedGemmPerIsa, HoldsTheExtremesOfItsIntegers) {
  const Isa isa = default_isa();
  constexpr std::size_t kInner = 256;
  for (const auto& [sign, count] :
       {std::pair(1.0F, 1UL), std::pair(-1.0F, 1UL), std::pair(1.0F, 32UL), std::pair(-1.0F, 32UL)}) {
    Tensor<float, 2> x({count, kInner});
    Tensor<float, 2> w({16, kInner});
    std::ranges::fill(x.view().span(), sign * 127.0F);
    std::ranges::fill(w.view().span(), -127.0F);
    const Quantized q(isa, x.view());
    for (const DType dtype : kPackedTypes) {
      const std::vector<std::byte> bytes = packed(dtype, w.view());
      Tensor<float, 2> y({count, 16});
      kernels::packed_gemm(isa, q.rows_of, nullptr, count, dtype, bytes.data(), 16, kInner, y.data(), 16);
      for (const float value : y.view().span())
        ASSERT_NEAR(value, -sign * 127.0F * 127.0F * kInner, 4.0F) << to_string(dtype) << " " << to_string(isa);
    }
  }
}

}  // namespace
}  // namespace trine
