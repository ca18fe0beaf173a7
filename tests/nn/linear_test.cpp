// SPDX-License-Identifier: Apache-2.0
// Linear maps and what is made of them: linear.hpp, gated_mlp.hpp, embedding.hpp, output_head.hpp.
#include <trine/nn/linear.hpp>

#include <vector>

#include <gmock/gmock.h>

#include <trine/nn/embedding.hpp>
#include <trine/nn/gated_mlp.hpp>
#include <trine/nn/output_head.hpp>

#include "nn/layers_in_memory.hpp"
#include "support/expect_error.hpp"
#include "support/test_executor.hpp"

namespace trine {
namespace {

using test::add_matrix;
using test::add_vector;
using test::random_tensor;
using test::naive::Matrix;

// A dozen round-offs of sums of a dozen numbers below 1 are below 1e-5.
void expect_near(View<const float, 2> found, const Matrix& expected) {
  ASSERT_EQ(found.shape(), (std::array<std::size_t, 2>{expected.rows, expected.columns}));
  for (std::size_t r = 0; r < expected.rows; ++r)
    for (std::size_t c = 0; c < expected.columns; ++c)
      ASSERT_NEAR(static_cast<double>(found(r, c)), expected(r, c), 1e-5) << r << ", " << c;
}

class LayersPerIsa : public testing::Test {
 protected:
  const ExecutionContext execution_{.isa = default_isa(), .num_threads = 2, .executor = test::test_executor()};
  Workspace workspace_;
  test::MemoryWeights weights_;
  WeightReader reader_{weights_};
  const WeightScope scope_{reader_};
};

TEST_F(LayersPerIsa, LinearMultipliesAndAddsItsBias) {
  const Matrix w = add_matrix(weights_, "weight", 7, 12, 1);
  const std::vector<double> b = add_vector(weights_, "bias", 7, 2);
  const auto x = random_tensor({5, 12}, 3);
  Matrix expected = test::naive::matmul(Matrix::from(x.view()), w);
  Tensor<float, 2> y({5, 7});
  const Linear plain(scope_, 12, 7);
  plain.forward({execution_, workspace_}, x.view(), y.view());
  expect_near(y.view(), expected);
  EXPECT_EQ(plain.parameters(), 84U);
  const Linear biased(scope_, 12, 7, Linear::Bias::yes);
  biased.forward({execution_, workspace_}, x.view(), y.view());
  for (std::size_t r = 0; r < 5; ++r)
    for (std::size_t o = 0; o < 7; ++o) expected(r, o) += b[o];
  expect_near(y.view(), expected);
  EXPECT_EQ(biased.parameters(), 91U);
  EXPECT_ERROR(Linear(scope_, 7, 12), WeightError, "weight: expected shape [12, 7], found [7, 12]");
}

TEST_F(LayersPerIsa, TokenEmbeddingLooksRowsUp) {
  const Matrix table = add_matrix(weights_, "weight", 5, 3, 1);
  const std::vector<TokenId> ids{4, 0, 4};
  Tensor<float, 2> y({3, 3});
  TokenEmbedding(scope_, 5, 3)
      .forward({.execution = execution_, .workspace = workspace_, .batch = {{}, {}, ids}}, y.view());
  for (std::size_t t = 0; t < 3; ++t)
    for (std::size_t h = 0; h < 3; ++h) EXPECT_EQ(static_cast<double>(y.view()(t, h)), table(ids[t], h));
}

TEST_F(LayersPerIsa, FeatureEmbeddingAddsThePlaceInTheFrame) {
  const Matrix w = add_matrix(weights_, "embed_features.weight", 4, 3, 1);
  const std::vector<double> b = add_vector(weights_, "embed_features.bias", 4, 2);
  const Matrix site = add_matrix(weights_, "embed_sites.weight", 2, 4, 3);
  const auto x = random_tensor({6, 3}, 4);
  Matrix expected = test::naive::matmul(Matrix::from(x.view()), w);
  for (std::size_t n = 0; n < 6; ++n)
    for (std::size_t h = 0; h < 4; ++h) expected(n, h) += b[h] + site(n % 2, h);
  Tensor<float, 2> y({6, 4});
  const std::vector<std::size_t> positions{0, 1, 2, 3, 4, 5};
  FeatureEmbedding(scope_, 3, 2, 4)
      .forward(
          {.execution = execution_, .workspace = workspace_, .batch = {.positions = positions, .features = x.view()}},
          y.view());
  expect_near(y.view(), expected);
}

// A site table of a terabyte is asked for by a configuration of a kilobyte: the file must have it first.
TEST_F(LayersPerIsa, FeatureEmbeddingAllocatesNothingThatTheFileDoesNotHave) {
  add_matrix(weights_, "embed_features.weight", 4, 3, 1);
  add_vector(weights_, "embed_features.bias", 4, 2);
  add_matrix(weights_, "embed_sites.weight", 2, 4, 3);
  EXPECT_ERROR(FeatureEmbedding(scope_, 3, std::size_t{1} << 46U, 4), WeightError,
               "embed_sites.weight: expected shape [70368744177664, 4], found [2, 4]");
}

TEST_F(LayersPerIsa, OutputHeadAveragesTheSitesOfAFrame) {
  const std::vector<double> gain = add_vector(weights_, "norm.weight", 6, 1);
  const Matrix w = add_matrix(weights_, "head.weight", 2, 6, 2);
  const std::vector<double> b = add_vector(weights_, "head.bias", 2, 3);
  const auto h = random_tensor({6, 6}, 4);
  const Matrix normed = test::naive::rms_norm(Matrix::from(h.view()), gain, static_cast<double>(1e-6F));
  for (const std::size_t pool : {1U, 2U, 3U, 6U}) {
    Matrix mean(6 / pool, 6);
    for (std::size_t n = 0; n < 6; ++n)
      for (std::size_t i = 0; i < 6; ++i) mean(n / pool, i) += normed(n, i) / static_cast<double>(pool);
    Matrix expected = test::naive::matmul(mean, w);
    for (std::size_t f = 0; f < 6 / pool; ++f)
      for (std::size_t o = 0; o < 2; ++o) expected(f, o) += b[o];
    const OutputHead head(RmsNorm(scope_ / "norm", 6, 1e-6F), Linear(scope_ / "head", 6, 2, Linear::Bias::yes), pool);
    Tensor<float, 2> out({6 / pool, 2});
    head.forward({execution_, workspace_}, h.view(), out.view());
    expect_near(out.view(), expected);
    EXPECT_EQ(head.pool(), pool);
    EXPECT_EQ(head.num_outputs(), 2U);
  }
}

}  // namespace
}  // namespace trine
