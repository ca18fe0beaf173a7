// SPDX-License-Identifier: Apache-2.0
#include <trine/experts/grouped_mlp.hpp>

#include <cmath>
#include <cstdint>
#include <memory>
#include <vector>

#include <gtest/gtest.h>

#include <trine/kernels/convert.hpp>

#include "support/naive.hpp"
#include "support/random_tensor.hpp"
#include "support/test_executor.hpp"

namespace trine {
namespace {

using test::random_tensor;
using test::naive::Matrix;

// A matrix stored as `dtype`, and what it stands for.
struct Stored {
  Stored(DType dtype, std::size_t rows, std::size_t columns, std::uint64_t seed) : values(rows, columns) {
    const auto w = random_tensor({rows, columns}, seed, -0.3F, 0.3F);
    matrix = stored_matrix(nullptr, dtype, rows, columns);
    if (is_packed(dtype)) {
      bytes.resize(static_cast<std::size_t>(*packed_bytes(dtype, rows, columns)));
      pack(dtype, w.data(), columns, rows, columns, bytes.data());
    } else if (dtype == DType::bf16) {
      bytes.resize(rows * columns * 2);
      for (std::size_t i = 0; i < rows * columns; ++i)
        reinterpret_cast<bfloat16*>(bytes.data())[i] = bfloat16(w.data()[i]);
    } else {
      bytes.resize(rows * columns * 4);
      std::copy_n(w.data(), rows * columns, reinterpret_cast<float*>(bytes.data()));
    }
    matrix.data = bytes.data();
    std::vector<float> row(columns);
    for (std::size_t r = 0; r < rows; ++r) {
      kernels::decode_row(matrix, r, row.data());
      for (std::size_t c = 0; c < columns; ++c) values(r, c) = static_cast<double>(row[c]);
    }
  }
  std::vector<std::byte, CacheLineAllocator<std::byte>> bytes;
  WeightMatrix matrix;
  Matrix values;
};

struct Mlp {
  Mlp(DType dtype, std::size_t hidden, std::size_t ffn, std::uint64_t seed)
      : gate(dtype, ffn, hidden, seed),
        up(dtype, ffn, hidden, seed + 1),
        down(dtype, hidden, ffn, seed + 2),
        mlp(Linear(gate.matrix), Linear(up.matrix), Linear(down.matrix)) {}
  [[nodiscard]] Matrix operator()(const Matrix& x) const {
    Matrix inner = test::naive::matmul(x, gate.values);
    const Matrix factor = test::naive::matmul(x, up.values);
    for (std::size_t i = 0; i < inner.values.size(); ++i)
      inner.values[i] = test::naive::silu(inner.values[i]) * factor.values[i];
    return test::naive::matmul(inner, down.values);
  }
  Stored gate, up, down;
  GatedMlp mlp;
};

// Bounds on the relative error of f32 sums, of rounding activations twice to bf16, and twice to bytes per group.
double tolerance(DType dtype, ActivationPrecision activations) {
  if (activations == ActivationPrecision::f32) return 3e-6;
  if (dtype == DType::f32) return 3e-6;
  return dtype == DType::bf16 || dtype == kBf16Panels ? 8e-3 : 2.5e-2;
}

class GatedExecutorPerIsa : public testing::TestWithParam<std::pair<DType, ActivationPrecision>> {
 protected:
  [[nodiscard]] ExecutionContext execution(std::size_t threads) const {
    return {default_isa(), threads, {}, GetParam().second, test::test_executor()};
  }
  Workspace workspace_;
};

INSTANTIATE_TEST_SUITE_P(Types, GatedExecutorPerIsa,
                         testing::Values(std::pair(DType::f32, ActivationPrecision::native),
                                         std::pair(DType::bf16, ActivationPrecision::native),
                                         std::pair(DType::bf16, ActivationPrecision::f32),
                                         std::pair(kBf16Panels, ActivationPrecision::native),
                                         std::pair(kBf16Panels, ActivationPrecision::f32),
                                         std::pair(kQ8, ActivationPrecision::native),
                                         std::pair(kQ8, ActivationPrecision::f32),
                                         std::pair(kQ4, ActivationPrecision::native)),
                         [](const auto& param) {
                           return std::string(to_string(param.param.first)) +
                                  (param.param.second == ActivationPrecision::f32 ? "_f32" : "_native");
                         });

TEST_P(GatedExecutorPerIsa, AddsWeightedRowsPartAfterPart) {
  constexpr std::size_t kHidden = 176;
  constexpr std::size_t kTokens = 9;
  const DType dtype = GetParam().first;
  const Mlp first(dtype, kHidden, 144, 1);
  const Mlp second(dtype, kHidden, 272, 4);  // of another width
  const auto x = random_tensor({kTokens, kHidden}, 9);
  const std::vector<std::uint32_t> rows{7, 0, 3};
  const std::vector<float> weights{0.5F, -2.0F, 1.5F};
  const std::vector<MlpRows> parts{{&first.mlp, 0, 3, rows.data(), weights.data()}, {&second.mlp, 3, kTokens}};
  Tensor<float, 2> y({kTokens, kHidden});
  GroupedMlp({execution(2), workspace_}, x.view(), parts).add(y.view());

  const Matrix a = first(Matrix::from(x.view()));
  Matrix expected = second(Matrix::from(x.view()));
  for (std::size_t i = 0; i < rows.size(); ++i)
    for (std::size_t h = 0; h < kHidden; ++h) expected(rows[i], h) += static_cast<double>(weights[i]) * a(rows[i], h);
  double difference = 0;
  double size = 0;
  for (std::size_t t = 0; t < kTokens; ++t) {
    for (std::size_t h = 0; h < kHidden; ++h) {
      difference += std::pow(static_cast<double>(y.view()(t, h)) - expected(t, h), 2);
      size += std::pow(expected(t, h), 2);
    }
  }
  EXPECT_LT(std::sqrt(difference / size), tolerance(dtype, GetParam().second)) << to_string(default_isa());
}

TEST_P(GatedExecutorPerIsa, GivesARowTheSameBitsAloneAmongOthersAndOnAnyNumberOfThreads) {
  constexpr std::size_t kHidden = 192;  // multiples of 64, so that tiles of AMX take part
  constexpr std::size_t kTokens = 170;
  const Mlp mlp(GetParam().first, kHidden, 320, 1);
  const auto x = random_tensor({kTokens, kHidden}, 9);
  const MlpRows all{&mlp.mlp, 0, kTokens};
  Tensor<float, 2> expected({kTokens, kHidden});
  GroupedMlp({execution(1), workspace_}, x.view(), {&all, 1}).write(expected.view());
  for (const std::size_t threads : {2U, 3U, 8U}) {
    Tensor<float, 2> y({kTokens, kHidden});
    GroupedMlp({execution(threads), workspace_}, x.view(), {&all, 1}).write(y.view());
    for (std::size_t i = 0; i < y.size(); ++i)
      ASSERT_EQ(std::bit_cast<std::uint32_t>(y.data()[i]), std::bit_cast<std::uint32_t>(expected.data()[i])) << threads;
  }
  for (const std::uint32_t t : {0U, 5U, 169U}) {
    const MlpRows one{&mlp.mlp, 0, 1, &t};
    Tensor<float, 2> y({1, kHidden});
    GroupedMlp({execution(2), workspace_}, x.view(), {&one, 1}).write(y.view());
    for (std::size_t h = 0; h < kHidden; ++h)
      ASSERT_EQ(std::bit_cast<std::uint32_t>(y.view()(0, h)), std::bit_cast<std::uint32_t>(expected.view()(t, h))) << t;
  }
}

TEST(GroupedMlp, DoesNothingForNobody) {
  Workspace workspace;
  const auto x = random_tensor({2, 8}, 1);
  Tensor<float, 2> y({2, 8});
  GroupedMlp({{}, workspace}, x.view(), {}).add(y.view());
  for (const float value : y.view().span()) EXPECT_EQ(value, 0.0F);
}

}  // namespace
}  // namespace trine
