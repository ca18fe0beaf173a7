// SPDX-License-Identifier: Apache-2.0
// Products of quantised rows with weights in blocks of ggml, where they lie.
#include <trine/kernels/block_gemm.hpp>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <span>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include <trine/kernels/weight_kernels.hpp>
#include <trine/quant/weight_formats.hpp>

#include "kernels/page_end.hpp"
#include "support/ggml_golden.hpp"
#include "support/random_tensor.hpp"

namespace trine {
namespace {

using kernels::kFineBlocks;
using kernels::QuantizedRows;
using test::PageEnd;
using test::random_tensor;

constexpr float kGuard = -12345.0F;

std::vector<const WeightFormat*> formats() {
  std::vector<const WeightFormat*> all;
  for (const WeightFormat* format : kWeightFormats)
    if (kernels::kernels_of(format->dtype).q8 == kernels::block_gemm) all.push_back(format);
  return all;
}

// Quantised rows in memory that ends at a page, so that a step too far is a fault.
struct Quantized {
  Quantized(Isa isa, View<const float, 2> x)
      : codes(x.extent(0) * QuantizedRows::leading_dimension(x.extent(1))),
        scale(x.extent(0) * QuantizedRows::groups_of(x.extent(1), kFineBlocks)),
        sums(x.extent(0) * QuantizedRows::sub_blocks_of(x.extent(1), kFineBlocks)),
        rows{codes.data(),
             scale.data(),
             sums.data(),
             QuantizedRows::leading_dimension(x.extent(1)),
             QuantizedRows::groups_of(x.extent(1), kFineBlocks),
             QuantizedRows::sub_blocks_of(x.extent(1), kFineBlocks),
             kFineBlocks} {
    for (std::size_t r = 0; r < x.extent(0); ++r) kernels::quantize_row(isa, x.row(r).data(), x.extent(1), rows, r);
  }
  [[nodiscard]] double value(std::size_t r, std::size_t c) const {
    return static_cast<double>(rows.scale[r * rows.groups + c / 32]) * rows.codes[r * rows.ld + c];
  }
  PageEnd<std::int8_t> codes;
  PageEnd<float> scale;
  PageEnd<std::int32_t> sums;
  QuantizedRows rows;
};

// Blocks of the golden, in another order in every row, and what they decode to. They end at a page, too.
class Blocks {
 public:
  Blocks(const WeightFormat& format, std::size_t rows, std::size_t columns)
      : Blocks(format, rows, columns, test::read_ggml_golden(format.name)) {}
  Blocks(const WeightFormat& format, std::size_t rows, std::size_t columns, const test::GgmlGolden& golden)
      : bytes_(rows * format.row_bytes(columns)), values_(rows * columns) {
    for (std::size_t b = 0; b * golden.bytes < bytes_.span().size(); ++b)
      std::memcpy(bytes_.data() + b * golden.bytes,
                  golden.blocks.data() + (b + b / 3) % golden.finite_count * golden.bytes, golden.bytes);
    matrix_ = stored_matrix(bytes_.data(), format.dtype, rows, columns);
    for (std::size_t r = 0; r < rows; ++r) format.decode(matrix_, r, 0, columns, values_.data() + r * columns, 1);
  }
  [[nodiscard]] const WeightMatrix& matrix() const { return matrix_; }
  [[nodiscard]] std::span<const float> row(std::size_t r) const {
    return std::span(values_).subspan(r * matrix_.columns, matrix_.columns);
  }

 private:
  PageEnd<std::byte> bytes_;
  std::vector<float> values_;
  WeightMatrix matrix_;
};

std::vector<std::uint32_t> bits_of(std::span<const float> values) {
  std::vector<std::uint32_t> result;
  for (const float value : values) result.push_back(std::bit_cast<std::uint32_t>(value));
  return result;
}

// Formats of 32 values may end after any number of blocks, whole and parts of 256 columns.
std::vector<std::size_t> widths_of(const WeightFormat& format) {
  const std::size_t block = format.block_columns;
  if (block == 256) return {256, 512, 1280};
  return {block, 3 * block, 256, 256 + block, 640};
}

TEST(QuantizeRowsPerIsa, GivesEvery32ColumnsAScaleAndEvery16ASum) {
  const Isa isa = default_isa();
  for (const std::size_t columns : {1U, 16U, 31U, 32U, 100U, 128U, 300U}) {
    const auto x = random_tensor({3, columns}, columns, -4.0F, 4.0F);
    const Quantized q(isa, x.view());
    for (std::size_t r = 0; r < 3; ++r) {
      for (std::size_t begin = 0; begin < columns; begin += 32) {
        float most = 0.0F;
        for (std::size_t c = begin; c < std::min(columns, begin + 32); ++c)
          most = std::max(most, std::abs(x.view()(r, c)));
        ASSERT_FLOAT_EQ(q.rows.scale[r * q.rows.groups + begin / 32], most / 127.0F);
        std::int32_t sum[2] = {0, 0};
        for (std::size_t c = begin; c < begin + 32; ++c) {
          const double value = c < columns ? static_cast<double>(x.view()(r, c)) : 0.0;
          ASSERT_NEAR(q.value(r, c), value, 0.5001 * static_cast<double>(most) / 127.0) << columns << ", " << c;
          sum[(c - begin) / 16] += q.rows.codes[r * q.rows.ld + c];
        }
        for (std::size_t half = 0; half < 2; ++half)
          ASSERT_EQ(q.rows.sums[r * q.rows.sub_blocks + begin / 16 + half], sum[half]);
      }
    }
  }
}

TEST(BlockGemm, IsForThirteenFormats) { EXPECT_EQ(formats().size(), 13U); }

// Against the sum in double precision of the weights that the blocks decode to, with nothing written beside y.
TEST(BlockGemmPerIsa, IsTheProductForManySizes) {
  const Isa isa = default_isa();
  for (const WeightFormat* format : formats()) {
    for (const std::size_t k : widths_of(*format)) {
      for (const std::size_t outs : {1U, 16U, 33U, 70U}) {
        const Blocks w(*format, outs, k);
        for (const std::size_t rows : {1U, 2U, 3U, 4U, 5U, 6U, 13U}) {
          if (rows * outs * k > 400000) continue;
          const auto x = random_tensor({rows, k}, rows + k);
          const Quantized q(isa, x.view());
          const std::size_t ldy = outs + 3;
          const PageEnd<float> y((rows - 1) * ldy + outs);
          std::ranges::fill(y.span(), kGuard);
          kernels::block_gemm(isa, q.rows, nullptr, rows, w.matrix(), y.data(), ldy, nullptr);
          for (std::size_t i = 0; i < y.span().size(); ++i) {
            const std::size_t r = i / ldy;
            const std::size_t o = i % ldy;
            if (o >= outs) {
              ASSERT_EQ(y.span()[i], kGuard);
              continue;
            }
            double sum = 0.0;
            double size = 0.0;
            float largest = 0.0F;  // of weights: a minimum and what is added to it are no larger than twice that
            for (const float value : w.row(o)) largest = std::max(largest, std::abs(value));
            for (std::size_t c = 0; c < k; ++c) {
              sum += q.value(r, c) * static_cast<double>(w.row(o)[c]);
              size += std::abs(q.value(r, c)) * 3.0 * static_cast<double>(largest);
            }
            // Up to four roundings per 16 columns, and that of decoding.
            ASSERT_NEAR(y.span()[i], sum, (4 + static_cast<double>(k) / 8) * 0x1p-24 * size + 1e-30)
                << format->name << " " << to_string(isa) << ", " << rows << " x " << outs << " x " << k << ", at " << r
                << ", " << o;
          }
        }
      }
    }
  }
}

// Blocks whose common scales are 1, so that weights are integers; activations that are their own codes.
void set_scales_to_one(const WeightFormat& format, std::uint8_t* block) {
  const auto one = [&](std::size_t at) { std::memcpy(block + at, "\x00\x3c", 2); };  // 1 in binary16
  const std::string_view name = format.name;
  if (name == "MXFP4") {
    block[0] = 128;  // half of it is 1
  } else if (name == "Q2_K") {
    one(80);
    one(82);
  } else if (name == "Q3_K") {
    one(108);
  } else if (name == "Q6_K") {
    one(208);
  } else {
    one(0);
    if (name == "Q4_1" || name == "Q5_1" || name == "Q4_K" || name == "Q5_K") one(2);
  }
}

TEST(BlockGemmPerIsa, IsExactWhereWeightsAndActivationsAreIntegers) {
  const Isa isa = default_isa();
  constexpr std::size_t kColumns = 256;
  for (const WeightFormat* format : formats()) {
    test::GgmlGolden golden = test::read_ggml_golden(format->name);
    for (std::size_t b = 0; b < golden.finite_count; ++b)
      set_scales_to_one(*format, golden.blocks.data() + b * golden.bytes);
    const Blocks w(*format, 48, kColumns, golden);
    Tensor<float, 2> x({7, kColumns});
    for (std::size_t i = 0; i < x.size(); ++i) x.data()[i] = std::round(static_cast<float>(i * 37 % 11) - 5.0F);
    for (std::size_t i = 5; i < x.size(); i += 32) x.data()[i] = i / 32 % 2 == 0 ? 127.0F : -127.0F;
    const Quantized q(isa, x.view());
    Tensor<float, 2> y({7, 48});
    kernels::block_gemm(isa, q.rows, nullptr, 7, w.matrix(), y.data(), 48, nullptr);
    for (std::size_t r = 0; r < 7; ++r) {
      for (std::size_t o = 0; o < 48; ++o) {
        double sum = 0.0;
        for (std::size_t c = 0; c < kColumns; ++c)
          sum += static_cast<double>(x.view()(r, c)) * static_cast<double>(w.row(o)[c]);
        ASSERT_LT(std::abs(sum), 0x1p24);
        ASSERT_EQ(y.view()(r, o), sum) << format->name << " " << to_string(isa) << ", at " << r << ", " << o;
      }
    }
  }
}

// The largest sums that codes can make: nothing wraps or saturates. All bytes of codes are 0, or all are 255.
TEST(BlockGemmPerIsa, HoldsTheExtremesOfItsIntegers) {
  const Isa isa = default_isa();
  constexpr std::size_t kColumns = 256;
  for (const WeightFormat* format : formats()) {
    for (const std::uint8_t byte : {std::uint8_t{0}, std::uint8_t{0x77}, std::uint8_t{0x80}, std::uint8_t{255}}) {
      test::GgmlGolden golden = test::read_ggml_golden(format->name);
      golden.finite_count = 1;
      std::fill_n(golden.blocks.begin(), golden.bytes, byte);
      set_scales_to_one(*format, golden.blocks.data());
      const Blocks w(*format, 16, kColumns, golden);
      for (const float sign : {1.0F, -1.0F}) {
        Tensor<float, 2> x({3, kColumns});
        std::ranges::fill(x.view().span(), sign * 127.0F);
        const Quantized q(isa, x.view());
        Tensor<float, 2> y({3, 16});
        kernels::block_gemm(isa, q.rows, nullptr, 3, w.matrix(), y.data(), 16, nullptr);
        double sum = 0.0;
        double size = 0.0;
        for (const float value : w.row(0)) {
          sum += static_cast<double>(sign * 127.0F * value);
          size += std::abs(static_cast<double>(127.0F * value));
        }
        for (const float value : y.view().span())
          ASSERT_NEAR(value, sum, 16 * 0x1p-24 * size) << format->name << " " << to_string(isa) << ", " << int{byte};
      }
    }
  }
}

TEST(BlockGemmPerIsa, GivesARowTheSameBitsAloneAmongOthersAndByIndex) {
  const Isa isa = default_isa();
  constexpr std::size_t kRows = 165;  // more than stay in L2
  constexpr std::size_t kOuts = 51;
  for (const WeightFormat* format : formats()) {
    const std::size_t inner = 256 + format->block_columns;
    const auto x = random_tensor({kRows, inner}, 1);
    const Quantized q(isa, x.view());
    const Blocks w(*format, kOuts, inner);
    Tensor<float, 2> all({kRows, kOuts});
    kernels::block_gemm(isa, q.rows, nullptr, kRows, w.matrix(), all.data(), kOuts, w.matrix().data);
    for (const std::size_t rows : {1U, 5U, 19U, 164U}) {
      Tensor<float, 2> some({rows, kOuts});
      for (std::size_t first = 0; first + rows <= kRows; first += rows) {
        std::vector<std::uint32_t> index;
        for (std::size_t r = rows; r-- > 0;) index.push_back(static_cast<std::uint32_t>(first + r));
        kernels::block_gemm(isa, q.rows, index.data(), rows, w.matrix(), some.data(), kOuts, nullptr);
        for (std::size_t r = 0; r < rows; ++r)
          ASSERT_EQ(bits_of(some.view().row(r)), bits_of(all.view().row(index[r])))
              << format->name << " " << to_string(isa) << ", " << rows << " rows, row " << index[r];
      }
    }
    for (const std::size_t o : {1U, 16U, 40U}) {  // some outputs alone
      Tensor<float, 2> part({kRows, kOuts - o});
      kernels::block_gemm(isa, q.rows, nullptr, kRows, w.matrix().row_range(o, kOuts - o), part.data(), kOuts - o,
                          nullptr);
      for (std::size_t r = 0; r < kRows; ++r)
        ASSERT_EQ(bits_of(part.view().row(r)), bits_of(all.view().row(r).subspan(o))) << format->name << ", from " << o;
    }
  }
}

// All but the portable one round a multiply-add once.
TEST(BlockGemm, GivesTheSameBitsOnEveryInstructionSetThatFuses) {
  const Isa best = best_isa();
  for (const WeightFormat* format : formats()) {
    const std::size_t k = widths_of(*format).back();
    const auto x = random_tensor({23, k}, 1);
    const Blocks w(*format, 50, k);
    const auto product = [&](Isa isa) {
      const Quantized q(isa, x.view());
      Tensor<float, 2> y({23, 50});
      kernels::block_gemm(isa, q.rows, nullptr, 23, w.matrix(), y.data(), 50, nullptr);
      return bits_of(y.view().span());
    };
    for (const auto& [isa, name] : kIsaNames) {
      if (is_available(isa) && isa != Isa::portable) {
        EXPECT_EQ(product(isa), product(best)) << format->name << " " << name << " and " << to_string(best);
      }
    }
  }
}

}  // namespace
}  // namespace trine
