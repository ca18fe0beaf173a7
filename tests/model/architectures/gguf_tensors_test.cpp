// SPDX-License-Identifier: Apache-2.0
// Names and views of the tensors of GGUF files; that models compute the same with them:
// tests/models/gguf_golden_test.cpp.
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <trine/core/notes.hpp>
#include <trine/kernels/convert.hpp>
#include <trine/model/architectures/gguf/config.hpp>
#include <trine/model/architectures/gguf/tensors.hpp>
#include <trine/quant/weight_formats.hpp>

#include "support/expect_error.hpp"

namespace trine::test {
namespace {

using testing::ElementsAre;

/// Tensors of u8 whose bytes count from 0, so that a view says where it lies.
class Counted : public TensorMap {
 public:
  Counted& add(const std::string& name, std::vector<std::size_t> shape) {
    std::size_t count = 1;
    for (const std::size_t extent : shape) count *= extent;
    auto& bytes = bytes_.emplace_back(std::make_unique<std::vector<std::byte>>(count));
    for (std::size_t i = 0; i < count; ++i) (*bytes)[i] = static_cast<std::byte>(i);
    tensors_[name] = {DType::u8, std::move(shape), *bytes};
    return *this;
  }
  Counted& add(const std::string& name, DType dtype, std::vector<std::size_t> shape, std::size_t bytes) {
    add(name, std::vector<std::size_t>{bytes});
    tensors_[name].dtype = dtype;
    tensors_[name].shape = std::move(shape);
    return *this;
  }
  Counted& add_f32(const std::string& name, const std::vector<float>& values) {
    add(name, DType::f32, {values.size()}, values.size() * sizeof(float));
    std::memcpy(bytes_.back()->data(), values.data(), values.size() * sizeof(float));
    return *this;
  }
  [[nodiscard]] std::string source_name() const override { return "counted.gguf"; }

 private:
  std::vector<std::unique_ptr<std::vector<std::byte>>> bytes_;
};

GgufTensors tensors(std::string_view architecture,
                    const std::vector<std::pair<std::string, std::vector<std::size_t>>>& all) {
  auto source = std::make_unique<Counted>();
  for (const auto& [name, shape] : all) source->add(name, shape);
  Notes notes;
  return GgufTensors(std::move(source), architecture, notes);
}

int first_byte(const GgufTensors& tensors, std::string_view name) {
  return static_cast<int>(tensors.find(name)->bytes[0]);
}

TEST(GgufTensors, RenamesWhatEveryArchitectureHas) {
  for (const std::string_view architecture : gguf_architectures()) {
    if (architecture == "lfm2moe" || architecture == "bailingmoe2") continue;  // have names of their own for these, too
    const GgufTensors renamed = tensors(architecture, {{"token_embd.weight", {4, 2}},
                                                       {"output_norm.weight", {2}},
                                                       {"output.weight", {4, 2}},
                                                       {"rope_freqs.weight", {1}},
                                                       {"blk.10.attn_norm.weight", {2}},
                                                       {"blk.10.attn_q.weight", {2, 2}},
                                                       {"blk.10.attn_q.bias", {2}},
                                                       {"blk.10.attn_output.weight", {2, 2}}});
    EXPECT_THAT(renamed.names(),
                ElementsAre("lm_head.weight", "model.embed_tokens.weight", "model.layers.10.input_layernorm.weight",
                            "model.layers.10.self_attn.o_proj.weight", "model.layers.10.self_attn.q_proj.bias",
                            "model.layers.10.self_attn.q_proj.weight", "model.norm.weight"))
        << architecture;
  }
}

TEST(GgufTensors, PresentsExpertsOfAStackOneByOne) {
  const GgufTensors renamed = tensors("qwen3moe", {{"blk.0.ffn_gate_exps.weight", {3, 2, 4}}});
  EXPECT_THAT(renamed.names(), ElementsAre("model.layers.0.mlp.experts.0.gate_proj.weight",
                                           "model.layers.0.mlp.experts.1.gate_proj.weight",
                                           "model.layers.0.mlp.experts.2.gate_proj.weight"));
  const StoredTensor& last = *renamed.find("model.layers.0.mlp.experts.2.gate_proj.weight");
  EXPECT_THAT(last.shape, ElementsAre(2, 4));
  EXPECT_EQ(last.bytes.size(), 8U);
  EXPECT_EQ(first_byte(renamed, "model.layers.0.mlp.experts.2.gate_proj.weight"), 16);
  EXPECT_EQ(renamed.source_name_of("model.layers.0.mlp.experts.2.gate_proj.weight"),
            "counted.gguf: blk.0.ffn_gate_exps.weight");
}

TEST(GgufTensors, CutsGateAndUpOfOneStack) {
  const GgufTensors renamed = tensors("deepseek2", {{"blk.0.ffn_gate_up_exps.weight", {2, 6, 1}}});
  EXPECT_THAT(renamed.find("model.layers.0.mlp.experts.1.up_proj.weight")->shape, ElementsAre(3, 1));
  EXPECT_EQ(first_byte(renamed, "model.layers.0.mlp.experts.0.gate_proj.weight"), 0);
  EXPECT_EQ(first_byte(renamed, "model.layers.0.mlp.experts.0.up_proj.weight"), 3);
  EXPECT_EQ(first_byte(renamed, "model.layers.0.mlp.experts.1.gate_proj.weight"), 6);
  EXPECT_EQ(first_byte(renamed, "model.layers.0.mlp.experts.1.up_proj.weight"), 9);
}

TEST(GgufTensors, HasBiasesOfExpertsAndSinks) {
  const GgufTensors renamed = tensors("gpt-oss", {{"blk.0.ffn_down_exps.bias", {2, 3}},
                                                  {"blk.0.attn_sinks.weight", {2}},
                                                  {"blk.0.post_attention_norm.weight", {2}},
                                                  {"blk.0.ffn_gate_inp.bias", {2}}});
  EXPECT_THAT(renamed.names(),
              ElementsAre("model.layers.0.mlp.experts.0.down_proj.bias", "model.layers.0.mlp.experts.1.down_proj.bias",
                          "model.layers.0.mlp.router.bias", "model.layers.0.post_attention_layernorm.weight",
                          "model.layers.0.self_attn.sinks"));
  EXPECT_THAT(renamed.find("model.layers.0.mlp.experts.1.down_proj.bias")->shape, ElementsAre(3));
  EXPECT_EQ(first_byte(renamed, "model.layers.0.mlp.experts.1.down_proj.bias"), 3);
}

TEST(GgufTensors, ReadsMixtralsNamesOldAndNew) {
  EXPECT_THAT(
      tensors("llama", {{"blk.1.ffn_down_exps.weight", {1, 2, 2}}, {"blk.1.ffn_gate_inp.weight", {1, 2}}}).names(),
      ElementsAre("model.layers.1.block_sparse_moe.experts.0.w2.weight",
                  "model.layers.1.block_sparse_moe.gate.weight"));
  EXPECT_THAT(
      tensors("llama", {{"blk.1.ffn_gate.7.weight", {2, 2}}, {"blk.1.ffn_gate.weight", {2, 2}}}).names(),
      ElementsAre("model.layers.1.block_sparse_moe.experts.7.w1.weight", "model.layers.1.mlp.gate_proj.weight"));
}

TEST(GgufTensors, AddsTheExtentThatWritersDrop) {
  EXPECT_THAT(tensors("qwen2moe", {{"blk.0.ffn_gate_inp_shexp.weight", {4}}})
                  .find("model.layers.0.mlp.shared_expert_gate.weight")
                  ->shape,
              ElementsAre(1, 4));
  EXPECT_THAT(tensors("olmoe", {{"blk.0.ffn_up_exps.weight", {2, 4}}})
                  .find("model.layers.0.mlp.experts.0.up_proj.weight")
                  ->shape,
              ElementsAre(2, 4));
}

TEST(GgufTensors, LeavesUnknownNamesForTheModelToRefuse) {
  EXPECT_THAT(tensors("qwen2", {{"blk.0.attn_new.weight", {2}}, {"blk.x.attn_q.weight", {2}}, {"new", {2}}}).names(),
              ElementsAre("blk.0.attn_new.weight", "blk.x.attn_q.weight", "new"));
  EXPECT_EQ(tensors("qwen2", {{"blk.0.ffn_up_exps.weight", {2}}}).find("none"), nullptr);
}

TEST(GgufTensors, RefusesStacksOfAnotherShapeAndTwoOfOneName) {
  EXPECT_ERROR(tensors("olmoe", {{"blk.0.ffn_up_exps.weight", {4}}}), WeightError,
               "blk.0.ffn_up_exps.weight: expected [experts, rows, columns], found [4] (counted.gguf)");
  EXPECT_ERROR(tensors("deepseek2", {{"blk.0.ffn_gate_up_exps.weight", {1, 3, 2}}}), WeightError,
               "expected [experts, rows of two halves, columns], found [1, 3, 2]");
  EXPECT_ERROR(
      tensors("qwen3moe", {{"blk.0.ffn_gate_exps.weight", {1, 2, 2}}, {"blk.0.ffn_gate_up_exps.weight", {1, 2, 2}}}),
      WeightError,
      "expected one tensor for model.layers.0.mlp.experts.0.gate_proj.weight, found "
      "blk.0.ffn_gate_exps.weight, too");
}

// ---- NVFP4

/// A file with a matrix of NVFP4, [1, 64], and stacks of two of them.
class ScaledGgufTensors : public testing::Test {
 protected:
  ScaledGgufTensors() {
    file_->add("blk.0.attn_q.weight", kGgmlNvfp4, {1, 64}, 36);
    file_->add("blk.0.ffn_up_exps.weight", kGgmlNvfp4, {2, 1, 64}, 72);
    file_->add("blk.0.attn_k.weight", DType::bf16, {1, 64}, 128);
  }
  [[nodiscard]] GgufTensors open(std::string_view architecture = "lfm2moe") {
    return GgufTensors(std::move(file_), architecture, notes_);
  }

  std::unique_ptr<Counted> file_ = std::make_unique<Counted>();
  Notes notes_;
};

TEST_F(ScaledGgufTensors, MultipliesByTheScaleOfTheTensorOrOfEachExpert) {
  file_->add_f32("blk.0.attn_q.scale", {2.0F}).add_f32("blk.0.ffn_up_exps.scale", {0.5F, 4.0F});
  file_->add_f32("blk.0.attn_q.input_scale", {9.0F}).add_f32("blk.0.ffn_up_exps.input_scale", {9.0F, 9.0F});
  const GgufTensors tensors = open();
  const auto factor = [&](std::string_view name) { return tensors.find(name)->matrix->scales.factor; };
  EXPECT_EQ(factor("model.layers.0.self_attn.q_proj.weight"), 2.0F);
  EXPECT_EQ(factor("model.layers.0.feed_forward.experts.0.w3.weight"), 0.5F);
  EXPECT_EQ(factor("model.layers.0.feed_forward.experts.1.w3.weight"), 4.0F);
  EXPECT_EQ(tensors.find("model.layers.0.self_attn.k_proj.weight")->matrix, nullptr);
  for (const std::string_view name : tensors.names()) EXPECT_EQ(name.find("scale"), std::string_view::npos) << name;
  ASSERT_EQ(notes_.all().size(), 1U);
  EXPECT_EQ(notes_.all()[0].subject, "*.input_scale");

  // values: those without a scale, times it
  const StoredTensor& expert = *tensors.find("model.layers.0.feed_forward.experts.1.w3.weight");
  std::vector<float> scaled(64);
  std::vector<float> plain(64);
  kernels::decode_row(*expert.matrix, 0, scaled.data());
  kernels::decode_row(stored_matrix(expert.bytes.data(), expert.dtype, 1, 64), 0, plain.data());
  for (float& value : plain) value *= 4.0F;
  EXPECT_EQ(scaled, plain);
}

TEST_F(ScaledGgufTensors, HasNoMatrixWithoutAScale) {
  EXPECT_EQ(open().find("model.layers.0.self_attn.q_proj.weight")->matrix, nullptr);
  EXPECT_TRUE(notes_.all().empty());
}

TEST_F(ScaledGgufTensors, LeavesAScaleThatItDoesNotReadForTheModelToRefuse) {
  file_->add_f32("blk.0.attn_k.scale", {2.0F})
      .add_f32("blk.0.none.scale", {2.0F})
      .add_f32("blk.0.attn_k.input_scale", {2.0F});
  const GgufTensors tensors = open();
  for (const char* name : {"blk.0.attn_k.scale", "blk.0.none.scale", "blk.0.attn_k.input_scale"})
    EXPECT_NE(tensors.find(name), nullptr) << name;
}

TEST_F(ScaledGgufTensors, LeavesAScaleThatAFamilyHasAnyway) {
  file_->add("blk.0.ffn_down_exps.weight", kGgmlNvfp4, {2, 1, 64}, 72)
      .add_f32("blk.0.ffn_down_exps.scale", {2.0F, 3.0F});
  const GgufTensors tensors = open("gemma4");
  EXPECT_NE(tensors.find("model.layers.0.router.per_expert_scale"), nullptr);
  EXPECT_EQ(tensors.find("model.layers.0.experts.1.down_proj.weight")->matrix, nullptr);
}

TEST(GgufTensors, RefusesScalesOfAnotherNumberOrTypeOrBesideAnotherShape) {
  const auto refuses = [](std::vector<std::size_t> shape, std::size_t bytes, const std::vector<float>& scales,
                          std::string_view text, DType dtype = DType::f32) {
    auto file = std::make_unique<Counted>();
    file->add("blk.0.ffn_up_exps.weight", kGgmlNvfp4, std::move(shape), bytes)
        .add_f32("blk.0.ffn_up_exps.scale", scales);
    if (dtype != DType::f32) file->add("blk.0.ffn_up_exps.scale", dtype, {scales.size()}, scales.size() * 2);
    Notes notes;
    EXPECT_ERROR(GgufTensors(std::move(file), "olmoe", notes), WeightError, std::string(text));
  };
  refuses({2, 1, 64}, 72, {2.0F},
          "blk.0.ffn_up_exps.weight: expected one scale for each of 2 experts beside it, found 1 (counted.gguf)");
  refuses({2, 1, 64}, 72, {2.0F, 3.0F}, "blk.0.ffn_up_exps.scale: expected f32, found bf16 (counted.gguf)",
          DType::bf16);
  auto file = std::make_unique<Counted>();
  file->add("blk.0.attn_k_b.weight", kGgmlNvfp4, {2, 1, 64}, 72).add_f32("blk.0.attn_k_b.scale", {2.0F});
  Notes notes;
  EXPECT_ERROR(GgufTensors(std::move(file), "deepseek2", notes), WeightError,
               "blk.0.attn_k_b.weight: expected a matrix beside a scale, found shape [2, 1, 64] (counted.gguf)");
}

}  // namespace
}  // namespace trine::test
