// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include <gtest/gtest.h>

#include <trine/generate/session.hpp>

#include "program/random_weights.hpp"
#include "program/shapes.hpp"
#include "program/touched_bytes.hpp"

namespace trine::bench {
namespace {

constexpr DType kTypes[] = {DType::f32, DType::bf16, kBf16Panels, kQ8, kQ4};

std::unique_ptr<RandomWeights> weights_of(const Json& config, DType type) {
  return std::make_unique<RandomWeights>(tensors_of(config), type, 2, [](std::size_t) {});
}

Model tiny_model(const NamedShape& shape, DType type) {
  const Json config = config_of(shape, 2, true);
  return Model::build(config, "config", weights_of(config, type));
}

// What the checkpoints on Hugging Face are said to have.
TEST(Shapes, HaveTheParametersOfThePublishedCheckpoints) {
  const std::map<std::string_view, std::uint64_t> published = {
      {"deepseek-v2-lite", 15'706'484'224},
      {"deepseek-v3", 671'026'404'352},  // without its balance biases, which are not drawn
      {"qwen3-30b-a3b", 30'532'122'624},
      {"mixtral-8x7b", 46'702'792'704}};
  for (const auto& [name, count] : published) {
    const NamedShape& shape = *std::ranges::find(kShapes, name, &NamedShape::name);
    std::uint64_t parameters = 0;
    for (const TensorSpec& tensor : tensors_of(config_of(shape, 0, false)))
      parameters += checked_product(tensor.shape).value();
    EXPECT_EQ(parameters, count) << name;
  }
}

TEST(RandomWeights, AreAllThatTheRecipesAskForAndGiveFiniteLogits) {
  const std::vector<TokenId> tokens = {1, 300, 7, 511, 42};
  for (const NamedShape& shape : kShapes) {
    for (const DType type : kTypes) {
      SCOPED_TRACE(std::string(shape.name) + " " + std::string(to_string(type)));
      const Model model = tiny_model(shape, type);
      EXPECT_EQ(WeightBytes(model).dtype(), type);
      Session session(model, {.context_length = tokens.size(), .num_threads = 1});
      double squares = 0.0;
      for (const float logit : session.forward(tokens).row(0)) squares += static_cast<double>(logit * logit);
      const double mean = squares / static_cast<double>(model.info().vocab_size);
      EXPECT_GT(mean, 0.1);  // of unit variance, were rows independent
      EXPECT_LT(mean, 10.0);
    }
  }
}

TEST(RandomWeights, KeepInBf16WhatTheQuantizerKeeps) {
  const Json config = config_of(kShapes[0], 2, true);
  const auto weights = weights_of(config, kQ4);
  const auto dtype = [&](const std::string& name) { return weights->find("model.layers.1." + name)->dtype; };
  EXPECT_EQ(dtype("mlp.gate.weight"), DType::bf16);
  EXPECT_EQ(dtype("input_layernorm.weight"), DType::bf16);
  EXPECT_EQ(dtype("self_attn.kv_b_proj.weight"), DType::bf16);
  EXPECT_EQ(dtype("self_attn.q_proj.weight"), kQ4);
  EXPECT_EQ(dtype("mlp.experts.7.down_proj.weight"), kQ4);
  EXPECT_EQ(weights->find("lm_head.weight")->dtype, kQ4);
}

TEST(RandomWeights, TakeTheBytesThatTheySay) {
  const Json config = config_of(kShapes[1], 2, true);
  for (const DType type : kTypes) {
    std::size_t bytes = 0;
    const auto weights = weights_of(config, type);
    for (const std::string_view name : weights->names()) {
      const StoredTensor& tensor = *weights->find(name);
      EXPECT_EQ(tensor.bytes.size(), stored_bytes(tensor.dtype, tensor.shape)) << name;
      EXPECT_EQ(reinterpret_cast<std::uintptr_t>(tensor.bytes.data()) % kCacheLineBytes, 0U) << name;
      bytes += (tensor.bytes.size() + kCacheLineBytes - 1) / kCacheLineBytes * kCacheLineBytes;
    }
    EXPECT_EQ(bytes, RandomWeights::bytes_of(tensors_of(config), type));
  }
}

// Rows of a block as they lie repeat; experts begin at different ones.
TEST(RandomWeights, KeepTheMeanSquareOfAnInputAndDifferFromExpertToExpert) {
  Json config = config_of(kShapes[0], 2, true);
  config["moe_intermediate_size"] = 512;
  config["n_shared_experts"] = 1;
  const auto weights = weights_of(config, DType::f32);
  const auto values = [&](int expert) {
    const StoredTensor& tensor =
        *weights->find("model.layers.1.mlp.experts." + std::to_string(expert) + ".up_proj.weight");
    const auto* begin = reinterpret_cast<const float*>(tensor.bytes.data());
    return std::vector<float>(begin, begin + tensor.bytes.size() / sizeof(float));
  };
  const std::vector<float> first = values(0);
  double squares = 0.0;
  for (const float value : first) squares += static_cast<double>(value * value);
  // 65536 uniform numbers: the relative deviation of their mean square is sqrt(4 / 5 / 65536) = 0.35 %.
  EXPECT_NEAR(squares / static_cast<double>(first.size()) * 128.0, 1.0, 0.02);
  EXPECT_NE(first, values(1));
}

TEST(RandomWeights, ReportTheirProgressUpToAllBytes) {
  const Json config = config_of(kShapes[2], 2, true);
  std::vector<std::size_t> seen;
  const RandomWeights weights(tensors_of(config), DType::bf16, 1, [&](std::size_t done) { seen.push_back(done); });
  EXPECT_TRUE(std::ranges::is_sorted(seen));
  std::size_t bytes = 0;
  for (const std::string_view name : weights.names()) bytes += weights.find(name)->bytes.size();
  EXPECT_EQ(seen.back(), bytes);
}

// deepseek-v2-lite, tiny, two layers in bf16, of which the second has a router: counted by hand.
TEST(TouchedBytes, CountAnExpertOnceAPassAndTheHeadButNotTheEmbedding) {
  const Model model = tiny_model(kShapes[0], DType::bf16);
  const std::size_t attention = 4 * 48 * 128 + 80 * 128 + 64 + 4 * 64 * 64 + 128 * 128;
  const std::size_t always =
      2 * (2 * (attention + 2 * 128) + 3 * 256 * 128 + 8 * 128 + 3 * 128 * 128 + 128 + 512 * 128);
  const std::size_t expert = 2 * 3 * 64 * 128;
  const WeightBytes weights(model);
  EXPECT_EQ(weights.always(), always);
  EXPECT_EQ(weights.expert(0), 0U);
  EXPECT_EQ(weights.expert(1), expert);

  TouchedBytes touched(weights);
  Session session(model, {.context_length = 100, .num_threads = 1, .observer = borrow(touched)});
  std::vector<TokenId> tokens(64);
  for (std::size_t i = 0; i < tokens.size(); ++i) tokens[i] = static_cast<TokenId>(7 * i);
  touched.start();
  session.forward(std::span(tokens).first(1));
  session.forward(std::span(tokens).first(1));
  EXPECT_EQ(touched.stop(2), 2 * (always + 3 * expert));
  session.reset();
  touched.start();
  session.forward(tokens);
  EXPECT_EQ(touched.stop(1), always + 8 * expert) << "64 rows choose all of 8 experts, each once";
  session.forward(std::span(tokens).first(1));
  EXPECT_EQ(touched.stop(0), 8 * expert) << "what comes after does not count";
}

TEST(WeightBytes, CountATiedEmbeddingAsTheHead) {
  Json config = config_of(kShapes[2], 2, true);
  const auto always = [&] {
    std::vector<TensorSpec> specs = tensors_of(config);
    if (config["tie_word_embeddings"] == true) specs.pop_back();
    auto source = std::make_unique<RandomWeights>(specs, DType::bf16, 1, [](std::size_t) {});
    return WeightBytes(Model::build(config, "config", std::move(source))).always();
  };
  const std::size_t with_head = always();
  config["tie_word_embeddings"] = true;
  EXPECT_EQ(always(), with_head);
}

}  // namespace
}  // namespace trine::bench
