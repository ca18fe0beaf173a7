// SPDX-License-Identifier: Apache-2.0
#include <trine/nn/rms_norm.hpp>

#include <vector>

#include <gmock/gmock.h>

#include "nn/layers_in_memory.hpp"
#include "support/expect_error.hpp"

namespace trine {
namespace {

using test::random_tensor;

TEST(RmsNormPerIsa, EqualsTheTextbookInPlaceToo) {
  Workspace workspace;
  test::MemoryWeights weights;
  WeightReader reader(weights);
  const auto gain = test::add_vector(weights, "norm.weight", 19, 1);
  const RmsNorm norm(WeightScope(reader) / "norm", 19, 1e-5F);
  auto x = random_tensor({4, 19}, 2);
  const auto expected = test::naive::rms_norm(test::naive::Matrix::from(x.view()), gain, static_cast<double>(1e-5F));
  norm.forward({{default_isa(), 1, {}}, workspace}, x.view(), x.view());
  for (std::size_t t = 0; t < 4; ++t)
    for (std::size_t h = 0; h < 19; ++h)  // 19 sums and some: derived in vector_math_test.cpp
      EXPECT_NEAR(static_cast<double>(x.view()(t, h)), expected(t, h), 1e-6);
}

// Then it is LayerNorm without a bias, which ignores what is added to all values.
TEST(RmsNormPerIsa, NormalisesDeviationsFromTheMeanIfAsked) {
  test::MemoryWeights weights;
  WeightReader reader(weights);
  const auto gain = test::add_vector(weights, "norm.weight", 19, 3);
  const RmsNorm norm(WeightScope(reader) / "norm", 19, 1e-5F, RmsNorm::Stored::gain, RmsNorm::Of::deviations);
  auto x = random_tensor({1, 19}, 4);
  for (float& value : x.view().span()) value += 3.0F;
  auto centred = test::naive::Matrix::from(x.view());
  double mean = 0.0;
  for (const double value : centred.values) mean += value / 19.0;
  for (double& value : centred.values) value -= mean;
  const auto expected = test::naive::rms_norm(centred, gain, static_cast<double>(1e-5F));
  norm.row(default_isa(), x.view().row(0), x.view().row(0));
  for (std::size_t h = 0; h < 19; ++h) EXPECT_NEAR(static_cast<double>(x.view()(0, h)), expected(0, h), 2e-6);
}

TEST(RmsNormPerIsa, AddsABiasAfterItsGainIfAsked) {
  test::MemoryWeights weights;
  WeightReader reader(weights);
  weights.add("weight", {4}, {1.0F, 0.5F, 2.0F, 1.0F});
  weights.add("bias", {4}, {0.0F, 1.0F, -1.0F, 3.0F});
  const RmsNorm norm(WeightScope(reader), 4, 0.0F, RmsNorm::Stored::gain, RmsNorm::Of::biased_deviations);
  std::vector<float> x{4.0F, 2.0F, 4.0F, 2.0F};  // one above and one below the mean
  norm.row(default_isa(), x, x);
  EXPECT_THAT(x, testing::ElementsAre(1.0F, 0.5F, 1.0F, 2.0F));
  EXPECT_EQ(norm.parameters(), 8U);
}

TEST(RmsNormPerIsa, IgnoresThePositiveScaleOfItsInput) {
  Workspace workspace;
  test::MemoryWeights weights;
  WeightReader reader(weights);
  weights.add("weight", {4}, {1.0F, 0.5F, 2.0F, 1.0F});
  const RmsNorm norm(WeightScope(reader), 4, 0.0F);
  for (unsigned seed = 0; seed < 100; ++seed) {
    auto x = random_tensor({3, 4}, seed);
    auto eightfold = x;
    for (float& value : eightfold.view().span()) value *= 8.0F;
    norm.forward({{default_isa(), 1, {}}, workspace}, x.view(), x.view());
    norm.forward({{default_isa(), 1, {}}, workspace}, eightfold.view(), eightfold.view());
    for (std::size_t i = 0; i < x.size(); ++i)
      ASSERT_EQ(x.view().span()[i], eightfold.view().span()[i]) << "a power of two changes no bit, seed " << seed;
  }
}

TEST(RmsNorm, NamesTheShapeThatDoesNotFit) {
  Workspace workspace;
  test::MemoryWeights weights;
  WeightReader reader(weights);
  weights.add("weight", {4}, {1, 1, 1, 1});
  const RmsNorm norm(WeightScope(reader), 4, 0.0F);
  auto x = random_tensor({2, 5}, 1);
  auto y = random_tensor({3, 4}, 1);
  EXPECT_ERROR(norm.forward({{}, workspace}, x.view(), x.view()), ShapeError,
               "RmsNorm input: expected shape [2, 4], found [2, 5]");
  EXPECT_ERROR(norm.forward({{}, workspace}, y.view().slice(0, 2), y.view()), ShapeError,
               "RmsNorm output: expected shape [2, 4], found [3, 4]");
  EXPECT_ERROR(RmsNorm(WeightScope(reader) / "layers.3.norm", 4, 0.0F), WeightError,
               "no tensor named 'layers.3.norm.weight'");
}

}  // namespace
}  // namespace trine
