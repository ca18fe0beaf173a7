// SPDX-License-Identifier: Apache-2.0
#include <trine/experts/expert_attention.hpp>

#include <cmath>
#include <string>
#include <vector>

#include <gmock/gmock.h>

#include "routing/routers_in_memory.hpp"
#include "support/naive.hpp"
#include "support/random_tensor.hpp"
#include "support/test_executor.hpp"

namespace trine {
namespace {

using test::naive::Matrix;

constexpr std::size_t kHidden = 10;
constexpr std::size_t kHeads = 2;
constexpr std::size_t kHeadDim = 3;
constexpr std::size_t kRank = kHeads * kHeadDim;
constexpr float kEpsilon = 1e-6F;

class ExpertAttentionPerIsa : public testing::Test {
 protected:
  ExpertAttentionPerIsa() {
    std::uint64_t seed = 1;
    for (Matrix* matrix : {&q_, &k_, &v_, &o_, &gain_}) {
      const auto values = test::random_tensor({matrix->rows, matrix->columns}, seed++);
      *matrix = Matrix::from(values.view());
    }
    add("q_proj.weight", q_);
    add("k_proj.weight", k_);
    add("v_proj.weight", v_);
    add("o_proj.weight", o_);
    weights_.add("norm.weight", {kHidden}, {gain_.values.begin(), gain_.values.end()});
  }
  void add(const std::string& name, const Matrix& m) {
    weights_.add(name, {m.rows, m.columns}, {m.values.begin(), m.values.end()});
  }

  // Tokens with 2, 0, 1 and 3 experts.
  const std::vector<std::uint32_t> token_begin_{0, 2, 2, 3, 6};
  const std::vector<float> weight_{0.75F, 0.25F, 1.5F, 0.5F, 0.25F, 0.125F};

  Tensor<float, 2> run(const Tensor<float, 2>& outputs, const std::vector<float>& weight) {
    Tensor<float, 2> copy = outputs;  // is overwritten
    Tensor<float, 2> update({4, kHidden});
    Workspace workspace;
    WeightReader reader(weights_);
    ExpertAttention(WeightScope(reader), kHidden, kHeads, kHeadDim, kEpsilon)
        .forward({{.isa = default_isa(), .num_threads = 2, .executor = test::test_executor()}, workspace}, copy.view(),
                 token_begin_, weight, update.view());
    return update;
  }

  Matrix q_{kRank, kHidden}, k_{kRank, kHidden}, v_{kRank, kHidden}, o_{kHidden, kRank}, gain_{1, kHidden};
  test::MemoryWeights weights_;
};

TEST_F(ExpertAttentionPerIsa, EqualsTheTextbook) {
  const auto outputs = test::random_tensor({6, kHidden}, 9);
  const Tensor<float, 2> found = run(outputs, weight_);
  const Matrix u = test::naive::rms_norm(Matrix::from(outputs.view()), gain_.values, static_cast<double>(kEpsilon));
  const Matrix q = test::naive::matmul(u, q_);
  const Matrix k = test::naive::matmul(u, k_);
  const Matrix v = test::naive::matmul(u, v_);
  Matrix mixed(4, kRank);
  for (std::size_t t = 0; t < 4; ++t) {
    for (std::size_t h = 0; h < kHeads; ++h) {
      for (std::size_t i = token_begin_[t]; i < token_begin_[t + 1]; ++i) {
        std::vector<double> scores;
        for (std::size_t j = token_begin_[t]; j < token_begin_[t + 1]; ++j) {
          double score = 0;
          for (std::size_t c = 0; c < kHeadDim; ++c) score += q(i, h * kHeadDim + c) * k(j, h * kHeadDim + c);
          scores.push_back(score / std::sqrt(static_cast<double>(kHeadDim)));
        }
        scores = test::naive::softmax(scores);
        for (std::size_t j = 0; j < scores.size(); ++j)
          for (std::size_t c = 0; c < kHeadDim; ++c)
            mixed(t, h * kHeadDim + c) +=
                static_cast<double>(weight_[i]) * scores[j] * v(token_begin_[t] + j, h * kHeadDim + c);
      }
    }
  }
  const Matrix expected = test::naive::matmul(mixed, o_);
  for (std::size_t t = 0; t < 4; ++t)
    for (std::size_t c = 0; c < kHidden; ++c)
      EXPECT_NEAR(static_cast<double>(found.view()(t, c)), expected(t, c), 1e-5) << t << ", " << c;
}

TEST_F(ExpertAttentionPerIsa, GivesNothingToATokenWithoutExperts) {
  const Tensor<float, 2> found = run(test::random_tensor({6, kHidden}, 9), weight_);
  for (const float value : found.view().row(1)) EXPECT_EQ(value, 0.0F);
}

TEST_F(ExpertAttentionPerIsa, AddsNothingWithAZeroOutputProjection) {
  weights_.add("o_proj.weight", {kHidden, kRank}, std::vector<float>(kHidden * kRank));
  const Tensor<float, 2> found = run(test::random_tensor({6, kHidden}, 9), weight_);
  EXPECT_THAT(found.view().span(), testing::Each(0.0F));
}

TEST_F(ExpertAttentionPerIsa, DoesNotDependOnTheOrderOfTheExperts) {
  const auto outputs = test::random_tensor({6, kHidden}, 9);
  const Tensor<float, 2> found = run(outputs, weight_);
  const std::vector<std::size_t> order{1, 0, 2, 5, 3, 4};  // within each token
  Tensor<float, 2> shuffled({6, kHidden});
  std::vector<float> weight(6);
  for (std::size_t i = 0; i < 6; ++i) {
    std::ranges::copy(outputs.view().row(order[i]), shuffled.view().row(i).begin());
    weight[i] = weight_[order[i]];
  }
  const Tensor<float, 2> again = run(shuffled, weight);
  for (std::size_t i = 0; i < found.size(); ++i)
    EXPECT_NEAR(found.view().span()[i], again.view().span()[i], 2e-6F) << "but for rounding";
}

}  // namespace
}  // namespace trine
