// SPDX-License-Identifier: Apache-2.0
#include <trine/weights/quantize_plan.hpp>

#include <map>
#include <string>
#include <vector>

#include <gmock/gmock.h>

#include "support/expect_error.hpp"

namespace trine {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

// Tensors of zeros with these types and shapes.
class Zeros : public TensorMap {
 public:
  void add(const std::string& name, DType dtype, std::vector<std::size_t> shape) {
    std::size_t bytes = size_bytes(dtype);
    for (const std::size_t extent : shape) bytes *= extent;
    const auto& zeros = memory_.emplace(name, std::vector<std::byte>(bytes)).first->second;
    tensors_[name] = {dtype, std::move(shape), zeros};
  }
  [[nodiscard]] std::string place() const override { return "model.safetensors"; }

 private:
  std::map<std::string, std::vector<std::byte>> memory_;
};

std::map<std::string, PlannedTensor> plan_of(const Zeros& source, DType type,
                                             const std::vector<std::string>& rules = {}) {
  std::vector<QuantizeRule> parsed;
  for (const std::string& rule : rules) parsed.push_back(parse_quantize_rule(rule));
  std::map<std::string, PlannedTensor> result;
  for (PlannedTensor& tensor : plan_quantization(source, type, parsed)) result.emplace(tensor.name, tensor);
  return result;
}

struct Native : Zeros {
  Native() {
    add("embed_tokens.weight", DType::bf16, {64, 32});
    add("layers.0.attention_norm.weight", DType::f32, {32});
    add("layers.0.attention.q_proj.weight", DType::bf16, {32, 32});
    add("layers.0.moe.router.weight", DType::f32, {4, 32});
    add("layers.0.moe.experts.0.up_proj.weight", DType::bf16, {48, 32});
    add("layers.0.moe.experts.0.down_proj.weight", DType::bf16, {32, 48});
    add("layers.1.mlp.up_proj.weight", DType::f16, {48, 32});
    add("layers.1.mlp.up_proj.bias", DType::f16, {48});
    add("head.weight", DType::f32, {3, 32});
  }
};

TEST(QuantizePlan, TakesTheLargeMatricesAndKeepsAllElse) {
  const auto plan = plan_of(Native(), DType::q8);
  EXPECT_EQ(plan.size(), 9U);
  for (const char* name : {"embed_tokens.weight", "layers.0.attention.q_proj.weight",
                           "layers.0.moe.experts.0.up_proj.weight", "layers.1.mlp.up_proj.weight"})
    EXPECT_EQ(plan.at(name).to, DType::q8) << name;
  for (const char* name :
       {"layers.0.attention_norm.weight", "layers.0.moe.router.weight", "layers.1.mlp.up_proj.bias", "head.weight"}) {
    EXPECT_EQ(plan.at(name).to, plan.at(name).from) << name;
    EXPECT_THAT(plan.at(name).note, IsEmpty()) << name << ": nobody asked for more";
  }
  const PlannedTensor& narrow = plan.at("layers.0.moe.experts.0.down_proj.weight");
  EXPECT_EQ(narrow.to, DType::bf16);
  EXPECT_EQ(narrow.note, "columns not in groups of 32");
}

TEST(QuantizePlan, CountsParametersAndBytes) {
  const auto plan = plan_of(Native(), DType::f32);
  const PlannedTensor& q = plan.at("layers.0.attention.q_proj.weight");
  EXPECT_EQ(q.parameters, 1024U);
  EXPECT_EQ(q.bytes_before, 2048U);
  EXPECT_EQ(q.bytes_after, 4096U);
  const auto packed = plan_of(Native(), DType::q4);
  EXPECT_EQ(packed.at("embed_tokens.weight").bytes_after, packed_bytes(DType::q4, 64, 32));
}

TEST(QuantizePlan, GivesPlainTypesToEveryShape) {
  const auto plan = plan_of(Native(), DType::f32);
  EXPECT_EQ(plan.at("layers.0.moe.experts.0.down_proj.weight").to, DType::f32);
  EXPECT_EQ(plan.at("layers.1.mlp.up_proj.bias").to, DType::f16) << "biases keep theirs";
}

TEST(QuantizePlan, MeansPanelsByBf16WhereKernelsReadThem) {
  const auto plan = plan_of(Native(), DType::bf16, {"router=bf16"});
  EXPECT_EQ(plan.at("embed_tokens.weight").to, DType::bf16_panels);
  EXPECT_EQ(plan.at("layers.0.attention.q_proj.weight").to, DType::bf16_panels);
  EXPECT_EQ(plan.at("layers.0.moe.experts.0.up_proj.weight").to, DType::bf16_panels);
  EXPECT_EQ(plan.at("layers.0.moe.experts.0.up_proj.weight").note, "");
  EXPECT_EQ(plan.at("layers.0.moe.experts.0.down_proj.weight").to, DType::bf16) << "columns not in groups of 32";
  EXPECT_EQ(plan.at("layers.0.moe.router.weight").to, DType::bf16) << "read as numbers";
  EXPECT_EQ(plan.at("layers.1.mlp.up_proj.bias").to, DType::f16);
}

TEST(QuantizePlan, FollowsTheLastRuleThatMatches) {
  const auto plan = plan_of(Native(), DType::q8,
                            {"layers.*=q4", "experts.0.up=f32", "layers.?.attention.=keep", "norm=bf16", "router=q8"});
  EXPECT_EQ(plan.at("embed_tokens.weight").to, DType::q8);
  EXPECT_EQ(plan.at("layers.1.mlp.up_proj.weight").to, DType::q4);
  EXPECT_EQ(plan.at("layers.0.moe.experts.0.up_proj.weight").to, DType::f32);
  EXPECT_EQ(plan.at("layers.0.attention.q_proj.weight").to, DType::bf16);
  EXPECT_EQ(plan.at("layers.0.attention.q_proj.weight").note, "") << "it was asked to keep its type";
  EXPECT_EQ(plan.at("layers.0.attention_norm.weight").to, DType::bf16);
  EXPECT_EQ(plan.at("layers.0.moe.router.weight").to, DType::q8) << "whoever asks for it gets it";
  EXPECT_EQ(plan.at("layers.1.mlp.up_proj.bias").to, DType::f16);
  EXPECT_EQ(plan.at("layers.1.mlp.up_proj.bias").note, "a vector");
}

TEST(QuantizePlan, RefusesARuleThatDecidesNothing) {
  EXPECT_ERROR(plan_of(Native(), DType::q8, {"exprts.*=q4"}), InputError,
               "rule 'exprts.*=q4': expected a tensor with the pattern in its name, found none");
  EXPECT_ERROR(plan_of(Native(), DType::q8, {"norm=q4"}), InputError,
               "rule 'norm=q4': expected a tensor that can have the type, found none among the 1 with the pattern");
  EXPECT_EQ(plan_of(Native(), DType::q8, {"mlp=q4", "mlp=f32"}).at("layers.1.mlp.up_proj.weight").to, DType::f32)
      << "a rule that a later one overrules is no mistake";
}

TEST(QuantizePlan, ReadsRules) {
  EXPECT_EQ(parse_quantize_rule("a=b=q8").pattern, "a=b");
  EXPECT_EQ(parse_quantize_rule("a=q8").type, DType::q8);
  EXPECT_EQ(parse_quantize_rule("a=keep").type, std::nullopt);
  for (const char* bad : {"", "a", "=q8", "a=", "experts.*"})
    EXPECT_ERROR(parse_quantize_rule(bad), InputError, "': expected PATTERN=TYPE, such as experts.*=q4");
  EXPECT_ERROR(parse_quantize_rule("a=bf61"), InputError,
               "type: expected q8, q4, bf16, f16 or f32, found 'bf61'; the nearest one is 'bf16'");
  EXPECT_ERROR(parse_quantize_type("keep"), InputError, "found 'keep'");
  EXPECT_ERROR(parse_quantize_type("i8"), InputError, "the nearest one is 'q8'");
}

TEST(QuantizePlan, JoinsCodesAndTheirScales) {
  Zeros source;
  source.add("model.layers.0.self_attn.o_proj.weight", DType::f8_e4m3, {128, 256});
  source.add("model.layers.0.self_attn.o_proj.weight_scale_inv", DType::f32, {1, 2});
  source.add("model.layers.0.self_attn.kv_b_proj.weight", DType::f8_e4m3, {128, 128});
  source.add("model.layers.0.self_attn.kv_b_proj.weight_scale_inv", DType::f32, {1, 1});
  const auto plan = plan_of(source, DType::q8);
  EXPECT_EQ(plan.size(), 2U);
  const PlannedTensor& o = plan.at("model.layers.0.self_attn.o_proj.weight");
  EXPECT_EQ(o.to, DType::q8);
  EXPECT_EQ(o.bytes_before, 128U * 256U + 8U);
  EXPECT_EQ(o.parameters, 128U * 256U);
  const PlannedTensor& kv = plan.at("model.layers.0.self_attn.kv_b_proj.weight");
  EXPECT_EQ(kv.to, DType::bf16) << "codes have no place in weights.bin";
  EXPECT_EQ(kv.note, "read by head and transposed");
  EXPECT_EQ(plan_of(source, DType::f32).at(kv.name).to, DType::f32);
  EXPECT_EQ(plan_of(source, DType::q8, {"o_proj=keep"}).at(o.name).to, DType::bf16);
}

TEST(QuantizePlan, PacksFusedExpertsWhosePanelsLieWithinAMatrix) {
  Zeros source;
  source.add("model.layers.0.mlp.experts.gate_up_proj", DType::bf16, {4, 64, 32});
  source.add("model.layers.0.mlp.experts.down_proj", DType::bf16, {4, 32, 32});
  source.add("model.layers.1.mlp.experts.gate_up_proj", DType::bf16, {4, 48, 32});
  source.add("model.layers.1.mlp.experts.down_proj", DType::bf16, {4, 24, 32});
  const auto plan = plan_of(source, DType::q4);
  EXPECT_EQ(plan.at("model.layers.0.mlp.experts.gate_up_proj").to, DType::q4);
  EXPECT_EQ(plan.at("model.layers.0.mlp.experts.gate_up_proj").bytes_after, packed_bytes(DType::q4, 4 * 64, 32));
  EXPECT_EQ(plan.at("model.layers.0.mlp.experts.down_proj").to, DType::q4);
  EXPECT_EQ(plan.at("model.layers.1.mlp.experts.gate_up_proj").note, "rows not in panels of 16")
      << "the gate has 24 rows, so the rows of up begin in the middle of a panel";
  EXPECT_EQ(plan.at("model.layers.1.mlp.experts.down_proj").note, "rows not in panels of 16");
}

TEST(QuantizePlan, TurnsTheExpertsOfGptOssWhereTheyArePacked) {
  Zeros source;
  const std::string experts = "model.layers.0.mlp.experts.";
  source.add(experts + "gate_up_proj", DType::bf16, {4, 96, 64});
  source.add(experts + "gate_up_proj_bias", DType::bf16, {4, 64});
  source.add(experts + "down_proj", DType::bf16, {4, 24, 96});  // 24 columns once they are turned
  source.add(experts + "down_proj_bias", DType::bf16, {4, 96});
  const auto plan = plan_of(source, DType::q8);
  EXPECT_EQ(plan.at(experts + "gate_up_proj").to, DType::q8);
  EXPECT_THAT(plan.at(experts + "gate_up_proj").shape, ElementsAre(4, 96, 64));
  EXPECT_EQ(plan.at(experts + "gate_up_proj").bytes_after, packed_bytes(DType::q8, 4 * 64, 96));
  EXPECT_EQ(plan.at(experts + "gate_up_proj_bias").kind, TensorClass::vector);
  EXPECT_EQ(plan.at(experts + "down_proj").to, DType::bf16);
  EXPECT_EQ(plan.at(experts + "down_proj").note, "columns not in groups of 32");
  EXPECT_EQ(plan_of(source, DType::bf16).at(experts + "gate_up_proj").to, DType::bf16_panels);
  EXPECT_EQ(plan_of(source, DType::f32).at(experts + "gate_up_proj").to, DType::f32);

  Zeros narrow;
  narrow.add(experts + "gate_up_proj", DType::bf16, {4, 96, 48});
  narrow.add(experts + "gate_up_proj_bias", DType::bf16, {4, 48});
  EXPECT_EQ(plan_of(narrow, DType::q8).at(experts + "gate_up_proj").note, "rows not in panels of 16");
}

TEST(QuantizePlan, LeavesMxfp4) {
  Zeros source;
  source.add("model.layers.0.mlp.experts.down_proj_blocks", DType::u8, {4, 64, 2, 16});
  source.add("model.layers.0.mlp.experts.down_proj_scales", DType::u8, {4, 64, 2});
  for (const DType type : {DType::q8, DType::bf16}) {
    const auto plan = plan_of(source, type);
    EXPECT_EQ(plan.at("model.layers.0.mlp.experts.down_proj_blocks").to, DType::u8);
    EXPECT_EQ(plan.at("model.layers.0.mlp.experts.down_proj_blocks").note, "MXFP4 already");
    EXPECT_EQ(plan.at("model.layers.0.mlp.experts.down_proj_blocks").parameters, 4U * 64 * 64);
    EXPECT_EQ(plan.at("model.layers.0.mlp.experts.down_proj_scales").to, DType::u8);
    EXPECT_EQ(plan.at("model.layers.0.mlp.experts.down_proj_scales").parameters, 0U);
  }
  EXPECT_EQ(plan_of(source, DType::q8, {"experts=keep"}).at("model.layers.0.mlp.experts.down_proj_blocks").note, "");
  EXPECT_ERROR(plan_of(source, DType::q8, {"experts=q4"}), InputError, "found none among the 2");
}

// Scales of a cache that is not quantised here, as vLLM writes them.
TEST(QuantizePlan, LeavesOutScalars) {
  Zeros source;
  source.add("model.layers.0.self_attn.k_scale", DType::f32, {});
  source.add("model.norm.weight", DType::f32, {4});
  EXPECT_EQ(plan_of(source, DType::q8).size(), 1U);
}

TEST(QuantizePlan, LeavesOutTensorsWithoutElements) {
  Native source;
  source.add("layers.0.mlp.gate_proj.weight", DType::bf16, {0, 32});
  EXPECT_EQ(plan_of(source, DType::q8).count("layers.0.mlp.gate_proj.weight"), 0U);
}

TEST(QuantizePlan, NamesATensorThatCannotBeConverted) {
  const auto refused = [](DType dtype, const std::vector<std::size_t>& shape) {
    Zeros source;
    source.add("model.layers.0.mlp.up_proj.weight", dtype, shape);
    return plan_of(source, DType::q8);
  };
  const std::string expected =
      "model.layers.0.mlp.up_proj.weight: expected f32, bf16, f16, q8, q4, bf16_panels, MXFP4 or a matrix of f8_e4m3, "
      "found ";
  EXPECT_ERROR(refused(DType::i64, {3}), WeightError, expected + "i64 [3] (model.safetensors)");
  EXPECT_ERROR(refused(DType::u8, {3, 4}), WeightError, expected + "u8 [3, 4]");
  EXPECT_ERROR(refused(DType::f8_e5m2, {3, 4}), WeightError, expected + "f8_e5m2 [3, 4]");
  EXPECT_ERROR(refused(DType::f8_e4m3, {2, 3, 4}), WeightError, expected + "f8_e4m3 [2, 3, 4]");
  EXPECT_ERROR(refused(DType::f32, {1, 1, 1, 1, 2}), WeightError, expected + "f32 [1, 1, 1, 1, 2]");
}

TEST(QuantizePlan, KeepsTheOrderOfTheNames) {
  std::vector<std::string_view> names;
  const Native source;
  const auto plan = plan_quantization(source, DType::q8);
  for (const PlannedTensor& tensor : plan) names.emplace_back(tensor.name);
  EXPECT_EQ(names, source.names());
}

}  // namespace
}  // namespace trine
