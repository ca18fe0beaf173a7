// SPDX-License-Identifier: Apache-2.0
// Products with bf16 weights in panels: generic/gemm_panels.inl.
#include <trine/kernels/weight_kernels.hpp>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include <gtest/gtest.h>

#include <trine/quant/weight_formats.hpp>

#include "kernels/page_end.hpp"
#include "support/random_tensor.hpp"

namespace trine {
namespace {

using kernels::RowsOf;
using test::PageEnd;
using test::random_tensor;

constexpr double kRoundOff = 0x1p-24;
constexpr float kGuard = -12345.0F;

// Panels whose memory ends at a page, so that a step too far is a fault.
class Panels {
 public:
  explicit Panels(View<const float, 2> w)
      : bytes_(static_cast<std::size_t>(*packed_bytes(kBf16Panels, w.extent(0), w.extent(1)))),
        matrix_(stored_matrix(bytes_.data(), kBf16Panels, w.extent(0), w.extent(1))) {
    pack(kBf16Panels, w.data(), w.extent(1), w.extent(0), w.extent(1), bytes_.data());
  }
  [[nodiscard]] const WeightMatrix& matrix() const { return matrix_; }

 private:
  PageEnd<std::byte> bytes_;
  WeightMatrix matrix_;
};

void product(Isa isa, const RowsOf<float>& x, std::size_t rows, const WeightMatrix& w, float* y, std::size_t ldy) {
  kernels::gemm(isa, x, rows, w, y, ldy);
}
void product(Isa isa, const RowsOf<bfloat16>& x, std::size_t rows, const WeightMatrix& w, float* y, std::size_t ldy) {
  kernels::gemm(isa, x, rows, w, y, ldy);
}

// Can activations of this type be multiplied with panels?
template <class X>
bool multiplies(Isa isa) {
  return std::is_same_v<X, float> || kernels::multiplies_bf16(isa);
}

std::vector<std::uint32_t> bits_of(std::span<const float> values) {
  std::vector<std::uint32_t> result;
  for (const float value : values) result.push_back(std::bit_cast<std::uint32_t>(value));
  return result;
}

template <class X>
class GemmPanelsPerIsa : public testing::Test {};
using ActivationPrecision = testing::Types<float, bfloat16>;
TYPED_TEST_SUITE(GemmPanelsPerIsa, ActivationPrecision);

// Against the sum in double precision of bf16 weights, in memory that ends at a page, with nothing written beside y.
TYPED_TEST(GemmPanelsPerIsa, IsTheProductForManySizes) {
  const Isa isa = default_isa();
  if (!multiplies<TypeParam>(isa)) GTEST_SKIP() << "this CPU does not multiply bf16";
  for (const std::size_t rows : {1U, 2U, 3U, 4U, 5U, 6U, 7U, 13U, 32U, 161U}) {
    for (const std::size_t outs : {1U, 16U, 33U, 64U, 70U, 144U}) {
      for (const std::size_t k : {0U, 1U, 2U, 31U, 32U, 100U, 128U, 129U, 300U, 1100U}) {
        if (rows * outs * k > 2000000) continue;
        const auto w = random_tensor({outs, k}, outs + k);
        const Panels panels(w.view());
        const PageEnd<TypeParam> x(rows * k);
        test::fill_random(x.span(), rows + k);
        const std::size_t ldy = outs + 3;
        const PageEnd<float> y((rows - 1) * ldy + outs);
        std::ranges::fill(y.span(), kGuard);
        product(isa, {x.data(), k}, rows, panels.matrix(), y.data(), ldy);
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
            const double term = static_cast<double>(static_cast<float>(x.data()[r * k + c])) *
                                static_cast<double>(static_cast<float>(bfloat16(w.view()(o, c))));
            sum += term;
            magnitude += std::abs(term);
          }
          ASSERT_NEAR(y.span()[i], sum, static_cast<double>(k + 1) * kRoundOff * magnitude)
              << to_string(isa) << ", " << rows << " x " << outs << " x " << k << ", at " << r << ", " << o;
        }
      }
    }
  }
}

TYPED_TEST(GemmPanelsPerIsa, GiveARowTheSameBitsAloneAmongOthersAndByIndex) {
  const Isa isa = default_isa();
  if (!multiplies<TypeParam>(isa)) GTEST_SKIP() << "this CPU does not multiply bf16";
  constexpr std::size_t kRows = 170;
  constexpr std::size_t kOuts = 147;
  constexpr std::size_t kInner = 419;
  const auto x = random_tensor<TypeParam>({kRows, kInner}, 1);
  const auto w = random_tensor({kOuts, kInner}, 2);
  const Panels panels(w.view());
  Tensor<float, 2> all({kRows, kOuts});
  product(isa, {x.data(), kInner}, kRows, panels.matrix(), all.data(), kOuts);
  for (const std::size_t rows : {1U, 2U, 3U, 4U, 5U, 6U, 7U, 19U, 40U, 169U}) {
    Tensor<float, 2> some({rows, kOuts});
    for (std::size_t first = 0; first + rows <= kRows; first += rows) {
      std::vector<std::uint32_t> index;
      for (std::size_t r = rows; r-- > 0;) index.push_back(static_cast<std::uint32_t>(first + r));
      product(isa, {x.data(), kInner, index.data()}, rows, panels.matrix(), some.data(), kOuts);
      for (std::size_t r = 0; r < rows; ++r)
        ASSERT_EQ(bits_of(some.view().row(r)), bits_of(all.view().row(index[r])))
            << to_string(isa) << ", " << rows << " rows, row " << index[r];
    }
  }
  // And with some of the outputs, from the beginning of a panel on.
  Tensor<float, 2> part({kRows, 35});
  product(isa, {x.data(), kInner}, kRows, panels.matrix().row_range(80, 35), part.data(), 35);
  for (std::size_t r = 0; r < kRows; ++r)
    ASSERT_EQ(bits_of(part.view().row(r)), bits_of(all.view().row(r).subspan(80, 35))) << r;
}

TYPED_TEST(GemmPanelsPerIsa, KeepANaNAndAnInfinityInTheirRowAndTheirOutput) {
  const Isa isa = default_isa();
  if (!multiplies<TypeParam>(isa)) GTEST_SKIP() << "this CPU does not multiply bf16";
  constexpr std::size_t kInner = 21;
  constexpr std::size_t kOuts = 19;
  for (const std::size_t rows : {1U, 2U, 4U, 15U}) {
    auto x = random_tensor<TypeParam>({rows, kInner}, 5, 0.5F, 1.0F);
    auto w = random_tensor({kOuts, kInner}, 6, 0.5F, 1.0F);
    w.view()(kOuts - 1, kInner - 1) = std::numeric_limits<float>::quiet_NaN();
    x.view()(rows - 1, 3) = TypeParam(std::numeric_limits<float>::infinity());
    const Panels panels(w.view());
    Tensor<float, 2> y({rows, kOuts});
    product(isa, {x.data(), kInner}, rows, panels.matrix(), y.data(), kOuts);
    for (std::size_t r = 0; r < rows; ++r) {
      for (std::size_t o = 0; o < kOuts; ++o) {
        EXPECT_EQ(std::isnan(y.view()(r, o)), o == kOuts - 1) << r << ", " << o << ", " << to_string(isa);
        EXPECT_EQ(std::isinf(y.view()(r, o)), o != kOuts - 1 && r == rows - 1) << r << ", " << o;
      }
    }
  }
}

// Relative root mean square of the errors with activations in f32, beside those of plain rows, whose sums are short:
// one chain of all columns would have several times as much.
TEST(GemmPanelsPerIsa, RoundLittleMoreThanPlainRows) {
  const Isa isa = default_isa();
  constexpr std::size_t kInner = 8192;
  constexpr std::size_t kOuts = 64;
  constexpr std::size_t kRows = 4;
  const auto x = random_tensor({kRows, kInner}, 1);
  const auto w = random_tensor({kOuts, kInner}, 2);
  Tensor<bfloat16, 2> plain({kOuts, kInner});
  for (std::size_t i = 0; i < w.size(); ++i) plain.data()[i] = bfloat16(w.data()[i]);
  const WeightMatrix rows{reinterpret_cast<const std::byte*>(plain.data()), DType::bf16, kOuts, kInner};
  const auto error = [&](const WeightMatrix& weights) {
    Tensor<float, 2> y({kRows, kOuts});
    kernels::gemm(isa, x.data(), kInner, kRows, weights, y.data(), kOuts);
    double squares = 0;
    double errors = 0;
    for (std::size_t r = 0; r < kRows; ++r) {
      for (std::size_t o = 0; o < kOuts; ++o) {
        double sum = 0;
        for (std::size_t c = 0; c < kInner; ++c)
          sum += static_cast<double>(x.view()(r, c)) * static_cast<double>(static_cast<float>(plain.view()(o, c)));
        squares += sum * sum;
        errors += (y.view()(r, o) - sum) * (y.view()(r, o) - sum);
      }
    }
    return std::sqrt(errors / squares);
  };
  const Panels panels(w.view());
  EXPECT_LT(error(panels.matrix()), 3.0 * error(rows)) << to_string(isa);
  EXPECT_LT(error(panels.matrix()), 8e-7) << to_string(isa);
}

// A view that no kernel reads in panels: a transpose, and rows from within a panel on.
TEST(GemmPanelsPerIsa, AreDecodedWhereAViewIsNotMadeOfPanels) {
  const Isa isa = default_isa();
  const auto w = random_tensor({40, 64}, 1);
  const Panels panels(w.view());
  const auto x = random_tensor({2, 64}, 2);
  const auto expect = [&](const WeightMatrix& view, const auto& weight) {
    Tensor<float, 2> y({2, view.rows});
    kernels::gemm(isa, x.data(), 64, 2, view, y.data(), view.rows);
    for (std::size_t r = 0; r < 2; ++r) {
      for (std::size_t o = 0; o < view.rows; ++o) {
        double sum = 0;
        for (std::size_t c = 0; c < view.columns; ++c)
          sum += static_cast<double>(x.view()(r, c)) * static_cast<float>(bfloat16(weight(o, c)));
        ASSERT_NEAR(y.view()(r, o), sum, 1e-5) << r << ", " << o;
      }
    }
  };
  expect(panels.matrix().transpose(), [&](std::size_t o, std::size_t c) { return w.view()(c, o); });
  expect(panels.matrix().row_range(5, 20), [&](std::size_t o, std::size_t c) { return w.view()(o + 5, c); });
}

}  // namespace
}  // namespace trine
