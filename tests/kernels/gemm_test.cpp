// SPDX-License-Identifier: Apache-2.0
#include <trine/kernels/matmul.hpp>

#include <bit>
#include <cmath>
#include <limits>
#include <vector>

#include <gmock/gmock.h>

#include "kernels/page_end.hpp"
#include "support/expect_error.hpp"
#include "support/naive.hpp"
#include "support/random_tensor.hpp"
#include "support/test_executor.hpp"

namespace trine {
namespace {

using test::fill_random;
using test::PageEnd;
using test::random_tensor;

constexpr double kRoundOff = 0x1p-24;
constexpr float kGuard = -12345.0F;  // no product of numbers in [-1, 1) comes near it

std::vector<std::uint32_t> bits_of(std::span<const float> values) {
  std::vector<std::uint32_t> result;
  for (const float value : values) result.push_back(std::bit_cast<std::uint32_t>(value));
  return result;
}

// One product in memory that ends at a page, rows further apart than they are long: against the double-precision
// reference, and with every element between and behind the rows of y untouched.
template <class W>
void expect_product(Isa isa, std::size_t rows, std::size_t outs, std::size_t k, std::size_t pad) {
  const std::size_t ldx = k + pad;
  const std::size_t ldw = k + pad + 2;
  const std::size_t ldy = outs + pad;
  const auto extent = [](std::size_t count, std::size_t ld, std::size_t last) {
    return count == 0 ? 0 : (count - 1) * ld + last;
  };
  const PageEnd<float> x(extent(rows, ldx, k));
  const PageEnd<W> w(extent(outs, ldw, k));
  const PageEnd<float> y(extent(rows, ldy, outs));
  fill_random(x.span(), rows * 1000 + k);
  fill_random(w.span(), outs * 1000 + k);
  std::ranges::fill(y.span(), kGuard);
  kernels::gemm(isa, x.data(), ldx, rows, w.data(), ldw, outs, k, y.data(), ldy);

  for (std::size_t i = 0; i < y.span().size(); ++i) {
    const std::size_t r = i / ldy;
    const std::size_t o = i % ldy;
    if (o >= outs) {
      ASSERT_EQ(y.span()[i], kGuard) << "between rows: " << rows << " x " << outs << " x " << k;
      continue;
    }
    double sum = 0;
    double magnitude = 0;
    for (std::size_t j = 0; j < k; ++j) {
      const double product =
          static_cast<double>(x.data()[r * ldx + j]) * static_cast<double>(static_cast<float>(w.data()[o * ldw + j]));
      sum += product;
      magnitude += std::abs(product);
    }
    // k products and k sums rounded once each: Higham, Accuracy and Stability, section 3.1.
    ASSERT_NEAR(static_cast<double>(y.span()[i]), sum, static_cast<double>(k + 1) * kRoundOff * magnitude)
        << to_string(isa) << ", " << rows << " x " << outs << " x " << k << ", row " << r << ", output " << o;
  }
}

template <class W>
class GemmPerIsa : public testing::Test {};
using StoredTypes = testing::Types<float, bfloat16, float16>;
TYPED_TEST_SUITE(GemmPerIsa, StoredTypes);

TYPED_TEST(GemmPerIsa, IsTheProductForEverySmallSize) {
  const Isa isa = default_isa();
  for (std::size_t rows = 0; rows <= 7; ++rows)
    for (std::size_t outs = 0; outs <= 33; ++outs)
      for (std::size_t k = 0; k <= 18; ++k) expect_product<TypeParam>(isa, rows, outs, k, outs % 4);
}

TYPED_TEST(GemmPerIsa, IsTheProductAroundItsTilesPanelsAndBlocks) {
  const Isa isa = default_isa();
  constexpr std::size_t kDepth = kernels::kInnerBlock<float>;
  for (const std::size_t rows : {1U, 2U, 3U, 11U, 12U, 13U, 25U}) {
    for (const std::size_t outs : {1U, 31U, 32U, 63U, 65U}) {
      for (const std::size_t k : {kDepth - 1, kDepth, kDepth + 1, 2 * kDepth + 5})
        expect_product<TypeParam>(isa, rows, outs, k, 1);
    }
  }
  for (const std::size_t rows : {kernels::kRowBlock - 1, kernels::kRowBlock, kernels::kRowBlock + 1, std::size_t{200}})
    expect_product<TypeParam>(isa, rows, 35, kDepth + 3, 3);
}

// The heart of "decode equals prefill": whom a row is computed with does not change a bit of it.
TYPED_TEST(GemmPerIsa, GivesARowTheSameBitsAloneAndAmongOthers) {
  const Isa isa = default_isa();
  constexpr std::size_t kRows = 200;
  constexpr std::size_t kOuts = 77;
  constexpr std::size_t kInner = 2 * kernels::kInnerBlock<float> + 37;
  const auto x = random_tensor({kRows, kInner}, 1);
  const auto w = random_tensor<TypeParam>({kOuts, kInner}, 2);
  Tensor<float, 2> all({kRows, kOuts});
  kernels::gemm(isa, x.data(), kInner, kRows, w.data(), kInner, kOuts, kInner, all.data(), kOuts);
  for (const std::size_t rows : {1U, 2U, 3U, 4U, 5U, 6U, 7U, 12U, 13U, 47U, 96U, 97U, 199U}) {
    Tensor<float, 2> some({rows, kOuts});
    for (std::size_t first = 0; first + rows <= kRows; first += rows) {
      kernels::gemm(isa, x.data() + first * kInner, kInner, rows, w.data(), kInner, kOuts, kInner, some.data(), kOuts);
      ASSERT_EQ(bits_of(some.view().span()), bits_of(all.view().slice(first, rows).span()))
          << to_string(isa) << ", rows " << first << " to " << first + rows;
    }
  }
}

TYPED_TEST(GemmPerIsa, GivesTheSameBitsForAnySplitOfTheOutputs) {
  const Isa isa = default_isa();
  constexpr std::size_t kOuts = 77;
  constexpr std::size_t kInner = kernels::kInnerBlock<float> + 9;
  for (const std::size_t rows : {1U, 2U, 5U, 14U}) {
    const auto x = random_tensor({rows, kInner}, 3);
    const auto w = random_tensor<TypeParam>({kOuts, kInner}, 4);
    Tensor<float, 2> whole({rows, kOuts});
    kernels::gemm(isa, x.data(), kInner, rows, w.data(), kInner, kOuts, kInner, whole.data(), kOuts);
    for (const std::size_t columns : {1U, 3U, 8U, 16U, 33U, 76U}) {
      Tensor<float, 2> pieces({rows, kOuts});
      for (std::size_t first = 0; first < kOuts; first += columns) {
        kernels::gemm(isa, x.data(), kInner, rows, w.data() + first * kInner, kInner, std::min(columns, kOuts - first),
                      kInner, pieces.data() + first, kOuts);
      }
      ASSERT_EQ(bits_of(pieces.view().span()), bits_of(whole.view().span()))
          << to_string(isa) << ", " << rows << " rows, " << columns << " columns";
    }
  }
}

TYPED_TEST(GemmPerIsa, KeepsANaNAndAnInfinityInTheirRowAndTheirOutput) {
  const Isa isa = default_isa();
  constexpr std::size_t kInner = 21;
  constexpr std::size_t kOuts = 19;
  for (const std::size_t rows : {1U, 2U, 4U, 15U}) {
    auto x = random_tensor({rows, kInner}, 5, 0.5F, 1.0F);
    auto w = random_tensor<TypeParam>({kOuts, kInner}, 6, 0.5F, 1.0F);
    w.view()(kOuts - 1, kInner - 1) = TypeParam(std::numeric_limits<float>::quiet_NaN());
    x.view()(rows - 1, 3) = std::numeric_limits<float>::infinity();
    Tensor<float, 2> y({rows, kOuts});
    kernels::gemm(isa, x.data(), kInner, rows, w.data(), kInner, kOuts, kInner, y.data(), kOuts);
    for (std::size_t r = 0; r < rows; ++r) {
      for (std::size_t o = 0; o < kOuts; ++o) {
        EXPECT_EQ(std::isnan(y.view()(r, o)), o == kOuts - 1) << r << ", " << o << ", " << to_string(isa);
        EXPECT_EQ(std::isinf(y.view()(r, o)), o != kOuts - 1 && r == rows - 1) << r << ", " << o;
      }
    }
  }
}

TYPED_TEST(GemmPerIsa, OfMatmulGivesTheSameBitsOnAnyNumberOfThreads) {
  const Isa isa = default_isa();
  constexpr std::size_t kInner = 131;
  DType dtype = DType::f32;
  if constexpr (std::is_same_v<TypeParam, bfloat16>) dtype = DType::bf16;
  if constexpr (std::is_same_v<TypeParam, float16>) dtype = DType::f16;
  for (const std::size_t outs : {611U, 70U}) {  // tasks of columns, and of columns and rows
    const auto w = random_tensor<TypeParam>({outs, kInner}, 8);
    const WeightMatrix stored{reinterpret_cast<const std::byte*>(w.data()), dtype, outs, kInner};
    for (const std::size_t rows : {0U, 1U, 2U, 3U, 50U, 200U}) {
      const auto x = random_tensor({rows, kInner}, 7);
      Tensor<float, 2> expected({rows, outs});
      kernels::gemm(isa, x.data(), kInner, rows, w.data(), kInner, outs, kInner, expected.data(), outs);
      for (const std::size_t threads : {0U, 1U, 2U, 3U, 8U}) {
        const ExecutionContext execution{.isa = isa, .num_threads = threads, .executor = test::test_executor()};
        Tensor<float, 2> y({rows, outs});
        Workspace workspace;
        kernels::matmul(execution, workspace, x.view(), stored, y.view());
        ASSERT_EQ(bits_of(y.view().span()), bits_of(expected.view().span()))
            << outs << " outputs, " << rows << " rows, " << threads << " threads";
      }
    }
  }
}

// Activations in bf16: exact products, sums in f32.
TEST(GemmBf16PerIsa, IsTheProductAndGivesARowTheSameBitsAloneAndAmongOthers) {
  const Isa isa = default_isa();
  for (const std::size_t k : {1U, 31U, 32U, 77U, 2100U}) {
    constexpr std::size_t kRows = 23;
    constexpr std::size_t kOuts = 29;
    const auto x = random_tensor<bfloat16>({kRows, k}, 1);
    const auto w = random_tensor<bfloat16>({kOuts, k}, 2);
    Tensor<float, 2> all({kRows, kOuts});
    const WeightMatrix stored{reinterpret_cast<const std::byte*>(w.data()), DType::bf16, kOuts, k};
    if (!kernels::multiplies_bf16(isa, stored)) GTEST_SKIP() << "these products are of f32";
    kernels::gemm(isa, kernels::RowsOf<bfloat16>{x.data(), k}, kRows, stored, all.data(), kOuts);
    for (std::size_t r = 0; r < kRows; ++r) {
      Tensor<float, 2> one({1, kOuts});
      kernels::gemm(isa, kernels::RowsOf<bfloat16>{x.data() + r * k, k}, 1, stored, one.data(), kOuts);
      ASSERT_EQ(bits_of(one.view().span()), bits_of(all.view().row(r))) << k << ", " << r;
      for (std::size_t o = 0; o < kOuts; ++o) {
        double sum = 0;
        double magnitude = 0;
        for (std::size_t i = 0; i < k; ++i) {
          const double product = static_cast<double>(static_cast<float>(x.data()[r * k + i])) *
                                 static_cast<double>(static_cast<float>(w.data()[o * k + i]));
          sum += product;
          magnitude += std::abs(product);
        }
        ASSERT_NEAR(all.view()(r, o), sum, static_cast<double>(k + 1) * kRoundOff * magnitude)
            << k << ", " << r << ", " << o;
      }
    }
  }
}

TEST(RoundToBf16PerIsa, RoundsToNearestTiesToEven) {
  const auto x = random_tensor({77}, 3, -100.0F, 100.0F);
  std::vector<bfloat16> y(77);
  kernels::round_to_bf16(default_isa(), x.data(), 77, y.data());
  for (std::size_t i = 0; i < 77; ++i) EXPECT_EQ(y[i].bits, bfloat16(x.data()[i]).bits) << i;
}

TEST(Matmul, NamesTheShapeThatDoesNotFit) {
  const auto w = random_tensor({3, 4}, 1);
  const WeightMatrix stored{reinterpret_cast<const std::byte*>(w.data()), DType::f32, 3, 4};
  const auto x = random_tensor({2, 5}, 2);
  Tensor<float, 2> y({2, 3});
  Workspace workspace;
  EXPECT_ERROR(kernels::matmul({}, workspace, x.view(), stored, y.view()), ShapeError,
               "matmul input: expected shape [2, 4], found [2, 5]");
  const auto fitting = random_tensor({2, 4}, 2);
  Tensor<float, 2> narrow({2, 2});
  EXPECT_ERROR(kernels::matmul({}, workspace, fitting.view(), stored, narrow.view()), ShapeError,
               "matmul output: expected shape [2, 3], found [2, 2]");
}

TEST(MatmulTask, IsEverythingForOneThreadAndWholePanelsForMore) {
  const ExecutionContext four{.num_threads = 4, .executor = test::test_executor()};
  EXPECT_EQ(kernels::matmul_task({Isa::portable, 1, {}}, 5, 77, 8, 77).columns, 77U);
  EXPECT_EQ(kernels::matmul_task({Isa::portable, 1, {}}, 5, 0, 8, 0).columns, 1U);
  for (const std::size_t rows : {0U, 1U, 1000U}) {
    for (const std::size_t outs : {0U, 1U, 100U, 50000U}) {
      const kernels::MatmulTask task = kernels::matmul_task(four, rows, outs, 512, outs);
      EXPECT_EQ(task.columns % 64, 0U);
      EXPECT_GE(task.columns, 64U);
      EXPECT_GE(task.rows, 1U);
      EXPECT_LE(task.rows, std::max<std::size_t>(rows, 1));
    }
  }
  // A product of a few multiply-adds is not worth a second task.
  EXPECT_GE(kernels::matmul_task(four, 1, 64, 16, 64).columns, 64U);
  EXPECT_EQ(kernels::matmul_task(four, 40, 64, 16, 64).rows, 40U);
}

TEST(MatmulTask, IsSomeOfTheRowsWhereThereAreTooFewColumnsForAllThreads) {
  const ExecutionContext four{.num_threads = 4, .executor = test::test_executor()};
  EXPECT_EQ(kernels::matmul_task(four, 512, 64, 2048, 64).rows, 32U);
  EXPECT_EQ(kernels::matmul_task(four, 512, 4096, 2048, 4096).rows, 512U) << "columns are enough";
  EXPECT_EQ(kernels::matmul_task(four, 512, 64, 2048, 4096).rows, 512U) << "so are those of the others";
}

}  // namespace
}  // namespace trine
