// SPDX-License-Identifier: Apache-2.0
// How far results of one instruction set may be from those of another (docs/design/determinism.md).
#include <trine/kernels/gemm.hpp>
#include <trine/kernels/quantize_rows.hpp>
#include <trine/kernels/vector_math.hpp>

#include <bit>
#include <cmath>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "support/random_tensor.hpp"

namespace trine {
namespace {

using test::random_tensor;

constexpr double kRoundOff = 0x1p-24;
#if defined(__FMA__) || defined(__ARM_FEATURE_FMA)
constexpr bool kPortableFuses = true;
#else
constexpr bool kPortableFuses = false;
#endif

std::vector<Isa> available() {
  std::vector<Isa> result;
  for (const auto& [isa, name] : kIsaNames)
    if (is_available(isa)) result.push_back(isa);
  return result;
}

// Pairs of the sets of this machine, the first with each other one.
template <class Compare>
void for_each_pair(const std::vector<Isa>& isas, const Compare& compare) {
  for (const Isa isa : isas) {
    SCOPED_TRACE(std::string(to_string(isa)) + " and " + std::string(to_string(isas.front())));
    compare(isas.front(), isa);
  }
}

void expect_same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  for (std::size_t i = 0; i < a.size(); ++i)
    ASSERT_EQ(std::bit_cast<std::uint32_t>(a[i]), std::bit_cast<std::uint32_t>(b[i])) << "element " << i;
}

// Whatever computes each element by itself: the same operations in the same order, fused where the set can.
TEST(InstructionSets, GiveElementsTheSameBits) {
  std::vector<Isa> fused = available();
  if (!kPortableFuses) std::erase(fused, Isa::portable);
  if (fused.empty()) GTEST_SKIP() << "only one that does not fuse";
  constexpr std::size_t kCount = 1003;
  const auto x = random_tensor({kCount}, 1, -40.0F, 40.0F);
  const auto up = random_tensor({kCount}, 2);
  const auto weight = random_tensor({7}, 3);
  const auto rows = random_tensor({7, kCount}, 4);
  const std::vector<float> start(x.view().span().begin(), x.view().span().end());
  for_each_pair(fused, [&](Isa one, Isa other) {
    const auto compare = [&](const auto& kernel) {
      std::vector<float> a = start;
      std::vector<float> b = start;
      kernel(one, a);
      kernel(other, b);
      expect_same_bits(a, b);
    };
    compare([&](Isa isa, std::vector<float>& y) { kernels::silu_multiply(isa, y, up.view().span()); });
    compare([&](Isa isa, std::vector<float>& y) { kernels::gelu_tanh_multiply(isa, y, up.view().span()); });
    compare([&](Isa isa, std::vector<float>& y) {
      kernels::clamped_swiglu_multiply(isa, y, up.view().span(), 1.702F, 7.0F);
    });
    compare([&](Isa isa, std::vector<float>& y) { kernels::limited_silu_multiply(isa, y, up.view().span(), 0.5F); });
    compare([&](Isa isa, std::vector<float>& y) { kernels::add_inplace(isa, up.view().span(), y); });
    compare([&](Isa isa, std::vector<float>& y) {
      kernels::weighted_sum(isa, weight.view().span(), rows.data(), kCount, y);
    });
  });
}

// Sums of n products: each set is within (n + 1) round-offs of the exact one, so two are within twice that.
TEST(InstructionSets, GiveSumsThatDifferByTheirRoundingAtMost) {
  constexpr std::size_t kOuts = 9;
  for (const std::size_t n : {5U, 64U, 1000U, 2500U}) {
    const auto x = random_tensor({1, n}, n);
    const auto w = random_tensor({kOuts, n}, n + 1);
    for_each_pair(available(), [&](Isa one, Isa other) {
      std::vector<float> a(kOuts);
      std::vector<float> b(kOuts);
      kernels::gemm(one, x.data(), n, 1, w.data(), n, kOuts, n, a.data(), kOuts);
      kernels::gemm(other, x.data(), n, 1, w.data(), n, kOuts, n, b.data(), kOuts);
      for (std::size_t o = 0; o < kOuts; ++o) {
        double magnitude = 0;
        for (std::size_t i = 0; i < n; ++i)
          magnitude += std::abs(static_cast<double>(x.data()[i]) * static_cast<double>(w.data()[o * n + i]));
        ASSERT_NEAR(static_cast<double>(a[o]), static_cast<double>(b[o]),
                    2 * static_cast<double>(n + 1) * kRoundOff * magnitude)
            << n << " products, output " << o;
      }
    });
  }
}

// Which of two operands comes back where they do not compare, and which zero: the portable one decides.
TEST(InstructionSets, AgreeAboutNaNInfinitiesAndZeros) {
  const std::vector<float> special{0.0F,       -0.0F, 1e-40F, -1e-40F, 3e38F, -3e38F, HUGE_VALF,
                                   -HUGE_VALF, NAN,   88.5F,  -87.5F,  0.5F,  1.5F,   -2.5F};
  const std::vector<float> ones(special.size(), 1.0F);
  for_each_pair(available(), [&](Isa one, Isa other) {
    std::vector<float> a = special;
    std::vector<float> b = special;
    kernels::clamped_swiglu_multiply(one, a, ones, 1.702F, 7.0F);
    kernels::clamped_swiglu_multiply(other, b, ones, 1.702F, 7.0F);
    for (std::size_t i = 0; i < a.size(); ++i) {
      EXPECT_EQ(std::isnan(a[i]), std::isnan(b[i])) << special[i];
      EXPECT_EQ(std::signbit(a[i]), std::signbit(b[i])) << special[i];
      EXPECT_TRUE(std::isnan(a[i]) || a[i] == b[i] || std::abs(a[i] - b[i]) <= 1e-6F * std::abs(a[i])) << special[i];
    }
  });
}

// What is not finite becomes the same bytes everywhere, and never an undefined conversion.
TEST(InstructionSets, RoundRowsToTheSameBytesWhateverIsInThem) {
  constexpr std::size_t kCount = 256;
  for (const float value : {0.25F, 0.0F, 1e-38F, 3e38F, HUGE_VALF, -HUGE_VALF, NAN}) {
    auto x = random_tensor({kCount}, 1);
    x.view()[0] = 127.0F;  // the scale becomes 1, and what follows are ties
    for (std::size_t i = 1; i < 5; ++i) x.view()[i] = static_cast<float>(i) + 0.5F;
    x.view()[5] = value;
    x.view()[131] = -value;
    const auto rounded = [&](Isa isa) {
      std::vector<std::int8_t> codes(kCount);
      std::vector<float> scale(kernels::QuantizedRows::groups_of(kCount));
      std::vector<std::int32_t> sums(kernels::QuantizedRows::sub_blocks_of(kCount));
      kernels::quantize_row(isa, x.data(), kCount, {codes.data(), scale.data(), sums.data(), kCount, 2, 8}, 0);
      for (float& s : scale) s = std::isnan(s) ? -1.0F : s;  // of either sign
      return std::tuple(codes, scale, sums);
    };
    for_each_pair(available(), [&](Isa one, Isa other) { EXPECT_EQ(rounded(one), rounded(other)) << value; });
  }
}

}  // namespace
}  // namespace trine
