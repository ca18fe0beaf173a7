// SPDX-License-Identifier: Apache-2.0
#include <trine/kernels/vector_math.hpp>

#include <bit>
#include <cmath>
#include <limits>
#include <numbers>
#include <span>
#include <utility>
#include <vector>

#include <gmock/gmock.h>

#include <trine/kernels/simd/exp.hpp>

#include "kernels/page_end.hpp"
#include "support/naive.hpp"
#include "support/random_tensor.hpp"

#define TRINE_KERNEL "kernels/exp_row.inl"
#include <trine/kernels/simd/foreach_target.inl>

namespace trine::inline TRINE_ABI::kernels {
inline void exp_row(Isa isa, std::span<const float> x, std::span<float> y) noexcept {
  TRINE_DISPATCH(isa, exp_row(x.data(), x.size(), y.data()));
}
}  // namespace trine::inline TRINE_ABI::kernels

namespace trine {
namespace {

using test::fill_random;
using test::PageEnd;
using test::random_tensor;

constexpr double kRoundOff = 0x1p-24;
constexpr double kExpError = 2e-7;  // relative; what generic/vector_math.inl promises
constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

// Zero to twice the lanes of the widest instruction set, and some that end in the middle of a vector.
std::vector<std::size_t> sizes() {
  std::vector<std::size_t> result;
  for (std::size_t n = 0; n <= 33; ++n) result.push_back(n);
  for (const std::size_t n : {63U, 64U, 65U, 127U, 1000U, 1031U}) result.push_back(n);
  return result;
}

TEST(ExpPerIsa, HasTheErrorItPromisesOverItsWholeRange) {
  const Isa isa = default_isa();
  constexpr std::size_t kCount = 1 << 20;
  std::vector<float> x(kCount);
  for (std::size_t i = 0; i < kCount; ++i)
    x[i] = static_cast<float>(-87.3 + 175.3 * static_cast<double>(i) / static_cast<double>(kCount - 1));
  std::vector<float> y(kCount);
  kernels::exp_row(isa, x, y);
  double worst = 0;
  float where = 0;
  for (std::size_t i = 0; i < kCount; ++i) {
    const double exact = std::exp(std::clamp(static_cast<double>(x[i]), static_cast<double>(-87.3F), 88.0));
    const double error = std::abs(static_cast<double>(y[i]) - exact) / exact;
    if (error > worst) where = x[i];
    worst = std::max(worst, error);
  }
  EXPECT_LT(worst, kExpError) << "at " << where << ", " << to_string(isa);
}

TEST(ExpPerIsa, ClampsWhatIsTooLargeOrTooSmallAndKeepsNaN) {
  const Isa isa = default_isa();
  std::vector<float> x(16, 0.0F);
  x[0] = -kInfinity;
  x[1] = kInfinity;
  x[2] = kNaN;
  x[3] = -1e30F;
  x[4] = 1e30F;
  x[5] = -0.0F;
  x[6] = std::numeric_limits<float>::denorm_min();
  std::vector<float> y(16);
  kernels::exp_row(isa, x, y);
  EXPECT_NEAR(y[0], std::exp(-87.3F), 1e-44F);
  EXPECT_NEAR(y[1], std::exp(88.0F), 1e32F);
  EXPECT_TRUE(std::isnan(y[2]));
  EXPECT_EQ(y[3], y[0]);
  EXPECT_EQ(y[4], y[1]);
  for (std::size_t i = 5; i < 16; ++i) EXPECT_EQ(y[i], 1.0F) << i;
}

TEST(SiluMultiplyPerIsa, IsTheInsideOfSwiGlu) {
  const Isa isa = default_isa();
  for (const std::size_t n : sizes()) {
    const PageEnd<float> gate(n);
    const PageEnd<float> up(n);
    fill_random(gate.span(), n, -30.0F, 30.0F);
    fill_random(up.span(), n + 1);
    const std::vector<float> x(gate.span().begin(), gate.span().end());
    kernels::silu_multiply(isa, gate.span(), up.span());
    for (std::size_t i = 0; i < n; ++i) {
      const double exact = test::naive::silu(static_cast<double>(x[i])) * static_cast<double>(up.span()[i]);
      // The exponential, then one addition, one division, one product.
      ASSERT_NEAR(static_cast<double>(gate.span()[i]), exact, (kExpError + 4 * kRoundOff) * std::abs(exact))
          << to_string(isa) << ", n " << n << ", x " << x[i];
    }
  }
}

TEST(SiluMultiplyPerIsa, VanishesFarBelowZeroIsTheIdentityFarAboveAndKeepsNaN) {
  const Isa isa = default_isa();
  std::vector<float> gate{-1000.0F, -3e38F, 1000.0F, 3e38F, kNaN, kInfinity, 0.0F};
  const std::vector<float> up(gate.size(), 1.0F);
  kernels::silu_multiply(isa, gate, up);
  EXPECT_NEAR(gate[0], 0.0F, 1e-34F);
  EXPECT_EQ(gate[2], 1000.0F);
  EXPECT_EQ(gate[3], 3e38F);
  EXPECT_TRUE(std::isnan(gate[4]));
  EXPECT_EQ(gate[5], kInfinity);
  EXPECT_EQ(gate[6], 0.0F);
}

TEST(GeluTanhMultiplyPerIsa, IsTheInsideOfGeGlu) {
  const Isa isa = default_isa();
  for (const std::size_t n : sizes()) {
    const PageEnd<float> gate(n);
    const PageEnd<float> up(n);
    fill_random(gate.span(), n, -6.0F, 6.0F);
    fill_random(up.span(), n + 1);
    const std::vector<float> x(gate.span().begin(), gate.span().end());
    kernels::gelu_tanh_multiply(isa, gate.span(), up.span());
    for (std::size_t i = 0; i < n; ++i) {
      const double value = static_cast<double>(x[i]);
      const double u = std::sqrt(2.0 / std::numbers::pi) * (value + 0.044715 * value * value * value);
      const double exact = 0.5 * value * (1.0 + std::tanh(u)) * static_cast<double>(up.span()[i]);
      // The exponential of 2 u, which four round-offs of u change by 8 |u| of them; then as in SwiGLU.
      ASSERT_NEAR(static_cast<double>(gate.span()[i]), exact,
                  (kExpError + (4 + 8 * std::abs(u)) * kRoundOff) * std::abs(exact) + 1e-30)
          << to_string(isa) << ", n " << n << ", x " << x[i];
    }
  }
}

TEST(GeluTanhMultiplyPerIsa, VanishesFarBelowZeroIsTheIdentityFarAboveAndKeepsNaN) {
  const Isa isa = default_isa();
  std::vector<float> gate{-1000.0F, 1000.0F, 3e38F, kNaN, kInfinity, 0.0F};
  const std::vector<float> up(gate.size(), 1.0F);
  kernels::gelu_tanh_multiply(isa, gate, up);
  EXPECT_NEAR(gate[0], 0.0F, 1e-34F);
  EXPECT_EQ(gate[1], 1000.0F);
  EXPECT_EQ(gate[2], 3e38F);
  EXPECT_TRUE(std::isnan(gate[3]));
  EXPECT_EQ(gate[4], kInfinity);
  EXPECT_EQ(gate[5], 0.0F);
}

TEST(LimitedSiluMultiplyPerIsa, ClampsBothFactors) {
  const Isa isa = default_isa();
  constexpr float kLimit = 0.75F;
  for (const std::size_t n : sizes()) {
    const PageEnd<float> gate(n);
    const PageEnd<float> up(n);
    fill_random(gate.span(), n, -6.0F, 6.0F);
    fill_random(up.span(), n + 1, -2.0F, 2.0F);
    const std::vector<float> x(gate.span().begin(), gate.span().end());
    kernels::limited_silu_multiply(isa, gate.span(), up.span(), kLimit);
    for (std::size_t i = 0; i < n; ++i) {
      const double silu = std::min(test::naive::silu(static_cast<double>(x[i])), 0.75);
      const double exact = silu * std::clamp(static_cast<double>(up.span()[i]), -0.75, 0.75);
      ASSERT_NEAR(static_cast<double>(gate.span()[i]), exact, (kExpError + 4 * kRoundOff) * std::abs(exact))
          << to_string(isa) << ", n " << n << ", x " << x[i];
    }
  }
  std::vector<float> special{1000.0F, -1000.0F, kNaN, 2.0F};
  const std::vector<float> up{1000.0F, 1.0F, 1.0F, kNaN};
  kernels::limited_silu_multiply(isa, special, up, kLimit);
  EXPECT_EQ(special[0], kLimit * kLimit);
  EXPECT_NEAR(special[1], 0.0F, 1e-34F);
  EXPECT_TRUE(std::isnan(special[2]));
  EXPECT_TRUE(std::isnan(special[3]));
}

TEST(DecayedDotsPerIsa, AreProductsWithKeysThatDecayRowByRow) {
  const Isa isa = default_isa();
  constexpr std::size_t kRows = 5;
  for (const std::size_t n : sizes()) {
    std::vector<float> x(n);
    std::vector<float> y(n);
    std::vector<float> keys(kRows * n);
    std::vector<float> decays(kRows * n);
    fill_random(std::span(x), n);
    fill_random(std::span(y), n + 1);
    fill_random(std::span(keys), n + 2);
    fill_random(std::span(decays), n + 3, 0.0F, 1.0F);
    if (n > 0) decays[3 * n] = 0.0F;  // forgets
    std::vector<float> on_x(kRows);
    std::vector<float> on_y(kRows);
    std::vector<float> product(n);
    kernels::decayed_dots(isa, x, y, keys.data(), decays.data(), kRows, on_x.data(), on_y.data(), product);
    std::vector<double> d(n, 1.0);
    for (std::size_t j = kRows; j-- > 0;) {
      double dot_x = 0.0;
      double dot_y = 0.0;
      double magnitude = 0.0;
      for (std::size_t i = 0; i < n; ++i) {
        const double key = d[i] * static_cast<double>(keys[j * n + i]);
        dot_x += static_cast<double>(x[i]) * key;
        dot_y += static_cast<double>(y[i]) * key;
        magnitude += std::abs(key);
        d[i] *= static_cast<double>(decays[j * n + i]);
      }
      const double error = static_cast<double>(n + 2 * kRows) * kRoundOff * magnitude;  // elements are below 1
      ASSERT_NEAR(static_cast<double>(on_x[j]), dot_x, error) << to_string(isa) << ", n " << n << ", row " << j;
      ASSERT_NEAR(static_cast<double>(on_y[j]), dot_y, error) << to_string(isa) << ", n " << n << ", row " << j;
    }
    for (std::size_t i = 0; i < n; ++i)
      ASSERT_NEAR(static_cast<double>(product[i]), d[i], 2 * kRows * kRoundOff * d[i] + 2e-30) << i;
  }
}

// A row is the same whatever rows were before it, and what has all but decayed is 0, not a denormal number.
TEST(DecayedDotsPerIsa, DependOnRowsFromTheirOwnOnAndVanish) {
  const Isa isa = default_isa();
  constexpr std::size_t kWidth = 11;
  std::vector<float> x(kWidth, 1.0F);
  std::vector<float> keys(4 * kWidth);
  fill_random(std::span(keys), 1);
  const std::vector<float> decays(4 * kWidth, 1e-12F);
  std::vector<float> on_x(4);
  std::vector<float> on_y(4);
  std::vector<float> product(kWidth);
  kernels::decayed_dots(isa, x, x, keys.data(), decays.data(), 4, on_x.data(), on_y.data(), product);
  EXPECT_EQ(on_x, on_y);
  EXPECT_EQ(on_x[0], 0.0F);
  EXPECT_NE(on_x[1], 0.0F);
  for (const float value : product) EXPECT_EQ(value, 0.0F);
  std::vector<float> last(2);
  kernels::decayed_dots(isa, x, x, keys.data() + 2 * kWidth, decays.data(), 2, last.data(), on_y.data(), product);
  EXPECT_EQ(last[0], on_x[2]);
  EXPECT_EQ(last[1], on_x[3]);
}

TEST(SigmoidMultiplyPerIsa, IsAGate) {
  const Isa isa = default_isa();
  for (const std::size_t n : sizes()) {
    const PageEnd<float> gate(n);
    const PageEnd<float> y(n);
    fill_random(gate.span(), n, -30.0F, 30.0F);
    fill_random(y.span(), n + 1);
    const std::vector<float> x(y.span().begin(), y.span().end());
    kernels::sigmoid_multiply(isa, gate.span(), y.span());
    for (std::size_t i = 0; i < n; ++i) {
      const double exact = static_cast<double>(x[i]) / (1 + std::exp(-static_cast<double>(gate.span()[i])));
      ASSERT_NEAR(static_cast<double>(y.span()[i]), exact, (kExpError + 3 * kRoundOff) * std::abs(exact))
          << to_string(isa) << ", n " << n;
    }
  }
}

TEST(ConvolveSiluRowPerIsa, SumsItsTapsAndMayOverwriteTheLast) {
  const Isa isa = default_isa();
  for (const std::size_t n : sizes()) {
    for (const std::size_t taps : {1U, 3U, 4U}) {
      const std::size_t ld = n + 5;
      std::vector<float> weight(taps * ld);
      fill_random(std::span(weight), n);
      const PageEnd<float> first(n);
      const PageEnd<float> last(n);
      fill_random(first.span(), n + 1);
      fill_random(last.span(), n + 2);
      const std::vector<float> x(last.span().begin(), last.span().end());
      std::vector<const float*> rows(taps, first.span().data());
      rows.back() = last.span().data();
      kernels::convolve_silu_row(isa, rows.data(), taps, weight.data(), ld, last.span());
      for (std::size_t i = 0; i < n; ++i) {
        double sum = 0;
        double size = 0;
        for (std::size_t t = 0; t < taps; ++t) {
          const double term =
              static_cast<double>(weight[t * ld + i]) * static_cast<double>(t + 1 < taps ? first.span()[i] : x[i]);
          sum += term;
          size += std::abs(term);
        }
        // silu has a slope of at most 1.1.
        ASSERT_NEAR(static_cast<double>(last.span()[i]), test::naive::silu(sum),
                    1.1 * static_cast<double>(taps) * kRoundOff * size + (kExpError + 4 * kRoundOff) * std::abs(sum))
            << to_string(isa) << ", n " << n << ", taps " << taps;
      }
    }
  }
}

TEST(ConvolveGateRowPerIsa, SumsItsTapsAndABiasAndMultipliesByTheGate) {
  const Isa isa = default_isa();
  for (const std::size_t n : sizes()) {
    const PageEnd<float> x(n);
    const PageEnd<float> bias(n);
    const PageEnd<float> gate(n);
    const PageEnd<float> y(n);
    std::vector<float> weight(2 * n);
    fill_random(std::span(weight), n);
    for (const auto& [values, seed] : {std::pair(x.span(), n + 1), {bias.span(), n + 2}, {gate.span(), n + 3}})
      fill_random(values, seed);
    const std::vector<const float*> rows(2, x.span().data());
    for (const bool has_bias : {false, true}) {
      kernels::convolve_gate_row(isa, rows.data(), 2, weight.data(), n, has_bias ? bias.span().data() : nullptr,
                                 gate.span().data(), y.span());
      for (std::size_t i = 0; i < n; ++i) {
        const auto at = [&](std::span<const float> values) { return static_cast<double>(values[i]); };
        const double first = static_cast<double>(weight[i]) * at(x.span());
        const double second = static_cast<double>(weight[n + i]) * at(x.span());
        const double start = has_bias ? at(bias.span()) : 0.0;
        ASSERT_NEAR(at(y.span()), at(gate.span()) * (start + first + second),
                    5 * kRoundOff * std::abs(at(gate.span())) * (std::abs(start) + std::abs(first) + std::abs(second)))
            << to_string(isa) << ", n " << n;
      }
    }
    const std::vector<float> before(y.span().begin(), y.span().end());
    kernels::multiply_inplace(isa, x.span(), y.span());
    for (std::size_t i = 0; i < n; ++i)
      ASSERT_EQ(y.span()[i], before[i] * x.span()[i]) << to_string(isa) << ", n " << n;
  }
}

TEST(L2NormalizeRowPerIsa, GivesARowItsLength) {
  const Isa isa = default_isa();
  for (const std::size_t n : sizes()) {
    const PageEnd<float> x(n);
    fill_random(x.span(), n, -3.0F, 3.0F);
    const std::vector<float> before(x.span().begin(), x.span().end());
    kernels::l2_normalize_row(isa, x.span(), 1e-2F, 0.25F);
    double squares = static_cast<double>(1e-2F);
    for (const float value : before) squares += static_cast<double>(value) * static_cast<double>(value);
    for (std::size_t i = 0; i < n; ++i) {
      const double exact = 0.25 * static_cast<double>(before[i]) / std::sqrt(squares);
      ASSERT_NEAR(static_cast<double>(x.span()[i]), exact, static_cast<double>(n + 5) * kRoundOff * std::abs(exact))
          << to_string(isa) << ", n " << n;
    }
  }
}

TEST(RmsNormRowPerIsa, IsTheNormOfTheTextbook) {
  const Isa isa = default_isa();
  for (const std::size_t n : sizes()) {
    const PageEnd<float> x(n);
    const PageEnd<float> gain(n);
    const PageEnd<float> y(n);
    fill_random(x.span(), n, -3.0F, 3.0F);
    fill_random(gain.span(), n + 1);
    kernels::rms_norm_row(isa, x.span(), gain.span(), 1e-6F, y.span());
    double squares = 0;
    for (const float value : x.span()) squares += static_cast<double>(value) * static_cast<double>(value);
    const double root = std::sqrt(squares / static_cast<double>(n) + static_cast<double>(1e-6F));
    for (std::size_t i = 0; i < n; ++i) {
      const double exact = static_cast<double>(x.span()[i]) / root * static_cast<double>(gain.span()[i]);
      // The sum loses n round-offs at most, the root halves them; then a mean, a sum, a root, a quotient, two products.
      ASSERT_NEAR(static_cast<double>(y.span()[i]), exact,
                  (static_cast<double>(n) / 2 + 6) * kRoundOff * std::abs(exact))
          << to_string(isa) << ", n " << n;
    }
    kernels::rms_norm_row(isa, x.span(), gain.span(), 1e-6F, x.span());
    for (std::size_t i = 0; i < n; ++i) ASSERT_EQ(x.span()[i], y.span()[i]) << "in place, n " << n;
  }
}

TEST(SoftmaxRowPerIsa, IsTheSoftmaxOfTheScaledScores) {
  const Isa isa = default_isa();
  for (const std::size_t n : sizes()) {
    for (const float scale : {1.0F, 0.125F}) {
      const PageEnd<float> x(n);
      fill_random(x.span(), n, -20.0F, 20.0F);
      std::vector<double> exact;
      for (const float value : x.span()) exact.push_back(static_cast<double>(value) * static_cast<double>(scale));
      double largest = 0;
      for (const double value : exact) largest = std::max(largest, std::abs(value));
      exact = test::naive::softmax(exact);
      kernels::softmax_row(isa, x.span(), scale);
      // An exponent is rounded twice, to within the largest; the exponential; n sums; a reciprocal and a product.
      const double relative = 3 * largest * kRoundOff + 2 * kExpError + (static_cast<double>(n) + 2) * kRoundOff;
      for (std::size_t i = 0; i < n; ++i)
        ASSERT_NEAR(static_cast<double>(x.span()[i]), exact[i], relative * exact[i]) << to_string(isa) << ", n " << n;
    }
  }
}

TEST(SoftmaxRowPerIsa, StandsScoresThatAreFarApart) {
  const Isa isa = default_isa();
  std::vector<float> x{-3e30F, 1000.0F, -1000.0F, -kInfinity};
  kernels::softmax_row(isa, x);
  EXPECT_EQ(x[1], 1.0F);
  for (const std::size_t i : {0U, 2U, 3U}) EXPECT_NEAR(x[i], 0.0F, 1.3e-38F);
}

TEST(SoftmaxRowPerIsa, SharesEquallyBetweenEqualScores) {
  const Isa isa = default_isa();
  for (const float score : {0.0F, 3.4e38F, -3.4e38F, 1e-40F}) {
    std::vector<float> x(8, score);
    kernels::softmax_row(isa, x);
    for (const float p : x) EXPECT_EQ(p, 0.125F) << score << ", " << to_string(isa);
  }
}

// A NaN anywhere must not hide behind a plausible distribution.
TEST(SoftmaxRowPerIsa, IsNaNAllOverWhenAScoreIs) {
  const Isa isa = default_isa();
  for (const std::size_t n : {1U, 7U, 16U, 37U}) {
    for (std::size_t at = 0; at < n; ++at) {
      std::vector<float> x(n, 0.5F);
      x[at] = kNaN;
      kernels::softmax_row(isa, x);
      for (const float p : x) ASSERT_TRUE(std::isnan(p)) << "NaN at " << at << " of " << n << ", " << to_string(isa);
    }
  }
}

TEST(AddToPerIsa, AddsElementByElement) {
  const Isa isa = default_isa();
  for (const std::size_t n : sizes()) {
    const PageEnd<float> x(n);
    const PageEnd<float> y(n);
    fill_random(x.span(), n);
    fill_random(y.span(), n + 1);
    std::vector<float> expected(n);
    for (std::size_t i = 0; i < n; ++i) expected[i] = y.span()[i] + x.span()[i];
    kernels::add_inplace(isa, x.span(), y.span());
    for (std::size_t i = 0; i < n; ++i) ASSERT_EQ(y.span()[i], expected[i]) << n;
  }
}

TEST(WeightedSumPerIsa, IsTheSumOfTheWeightedRows) {
  const Isa isa = default_isa();
  for (const std::size_t n : sizes()) {
    for (const std::size_t count : {0U, 1U, 2U, 9U}) {
      const std::size_t ld = n + count % 2;
      const auto weight = random_tensor({count}, n);
      const PageEnd<float> rows(count == 0 ? 0 : (count - 1) * ld + n);
      const PageEnd<float> y(n);
      fill_random(rows.span(), n + 1);
      fill_random(y.span(), n + 2);
      std::vector<double> exact(y.span().begin(), y.span().end());
      std::vector<double> magnitude;
      for (const double value : exact) magnitude.push_back(std::abs(value));
      for (std::size_t j = 0; j < count; ++j) {
        for (std::size_t i = 0; i < n; ++i) {
          const double product = static_cast<double>(weight.view()[j]) * static_cast<double>(rows.data()[j * ld + i]);
          exact[i] += product;
          magnitude[i] += std::abs(product);
        }
      }
      kernels::weighted_sum(isa, weight.view().span(), rows.data(), ld, y.span());
      for (std::size_t i = 0; i < n; ++i) {
        ASSERT_NEAR(static_cast<double>(y.span()[i]), exact[i],
                    static_cast<double>(count + 1) * kRoundOff * magnitude[i])
            << to_string(isa) << ", n " << n << ", rows " << count;
      }
    }
  }
}

// Attention adds run after run of cached keys: where the runs end must not show.
TEST(WeightedSumPerIsa, GivesTheSameBitsInPieces) {
  const Isa isa = default_isa();
  constexpr std::size_t kCount = 23;
  for (const std::size_t n : {1U, 8U, 31U, 70U}) {
    const auto weight = random_tensor({kCount}, 1);
    const auto rows = random_tensor({kCount, n}, 2);
    std::vector<float> whole(n, 0.25F);
    kernels::weighted_sum(isa, weight.view().span(), rows.data(), n, whole);
    for (const std::size_t piece : {1U, 4U, 22U}) {
      std::vector<float> pieces(n, 0.25F);
      for (std::size_t j = 0; j < kCount; j += piece) {
        kernels::weighted_sum(isa, weight.view().span().subspan(j, std::min(piece, kCount - j)),
                              rows.view().row(j).data(), n, pieces);
      }
      for (std::size_t i = 0; i < n; ++i)
        ASSERT_EQ(std::bit_cast<std::uint32_t>(pieces[i]), std::bit_cast<std::uint32_t>(whole[i])) << n << ", " << i;
    }
  }
}

}  // namespace
}  // namespace trine
