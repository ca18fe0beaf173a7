// SPDX-License-Identifier: Apache-2.0
#include <trine/quantize/quantize_plan.hpp>

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
  void add(const std::string& name, DType dtype, std::vector<std::size_t> shape, const TensorUse& use = {}) {
    record_.add(name, use);
    const auto bytes = static_cast<std::size_t>(stored_bytes(dtype, shape).value());
    const auto& zeros = memory_.emplace(name, std::vector<std::byte>(bytes)).first->second;
    tensors_[name] = {dtype, std::move(shape), zeros};
  }
  [[nodiscard]] std::string source_name() const override { return "model.safetensors"; }
  [[nodiscard]] const TensorRecord& record() const { return record_; }

 private:
  TensorRecord record_;
  std::map<std::string, std::vector<std::byte>> memory_;
};

std::map<std::string, PlannedTensor> plan_of(const Zeros& source, const QuantizeTarget& type,
                                             const std::vector<std::string>& rules = {}) {
  std::vector<QuantizeRule> parsed;
  for (const std::string& rule : rules) parsed.push_back(parse_quantize_rule(rule));
  std::map<std::string, PlannedTensor> result;
  for (PlannedTensor& tensor : plan_quantization(source, source.record(), type, parsed))
    result.emplace(tensor.name, tensor);
  return result;
}

constexpr TensorUse kEmbedding{TensorRole::embedding};
constexpr TensorUse kAttention{TensorRole::attention};
constexpr TensorUse kRouter{TensorRole::router};
constexpr TensorUse kExperts{TensorRole::experts};
constexpr TensorUse kMlp{TensorRole::mlp};
constexpr TensorUse kVector{TensorRole::vector};
// A stack of 4 experts.
TensorUse stack(std::size_t projections, std::size_t rows, std::size_t columns,
                StackLayout layout = StackLayout::stacked) {
  return {TensorRole::experts, {}, StackShape{4, projections, rows, columns, layout}};
}

struct Native : Zeros {
  Native() {
    add("embed_tokens.weight", DType::bf16, {64, 32}, kEmbedding);
    add("layers.0.attention_norm.weight", DType::f32, {32}, kVector);
    add("layers.0.attention.q_proj.weight", DType::bf16, {32, 32}, kAttention);
    add("layers.0.moe.router.weight", DType::f32, {4, 32}, kRouter);
    add("layers.0.moe.experts.0.up_proj.weight", DType::bf16, {48, 32}, kExperts);
    add("layers.0.moe.experts.0.down_proj.weight", DType::bf16, {32, 48}, kExperts);
    add("layers.1.mlp.up_proj.weight", DType::f16, {48, 32}, kMlp);
    add("layers.1.mlp.up_proj.bias", DType::f16, {48}, kVector);
    add("head.weight", DType::f32, {3, 32});
  }
};

TEST(QuantizePlan, TakesTheLargeMatricesAndKeepsAllElse) {
  const auto plan = plan_of(Native(), kQ8);
  EXPECT_EQ(plan.size(), 9U);
  for (const char* name : {"embed_tokens.weight", "layers.0.attention.q_proj.weight",
                           "layers.0.moe.experts.0.up_proj.weight", "layers.1.mlp.up_proj.weight"})
    EXPECT_EQ(plan.at(name).to, kQ8) << name;
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
  const auto packed = plan_of(Native(), kQ4);
  EXPECT_EQ(packed.at("embed_tokens.weight").bytes_after, packed_bytes(kQ4, 64, 32));
}

TEST(QuantizePlan, MixesTypesByRecipes) {
  Zeros source;
  const auto add = [&](const char* name, TensorRole role) { source.add(name, DType::bf16, {32, 32}, {role}); };
  add("model.embed_tokens.weight", TensorRole::embedding);
  add("lm_head.weight", TensorRole::head);
  add("layers.0.self_attn.q_proj.weight", TensorRole::attention);
  add("layers.0.self_attn.v_proj.weight", TensorRole::attention);
  add("layers.0.mlp.experts.0.gate_proj.weight", TensorRole::experts);
  add("layers.0.mlp.experts.0.down_proj.weight", TensorRole::experts);
  add("layers.0.block_sparse_moe.experts.0.w2.weight", TensorRole::experts);
  add("layers.0.mlp.shared_experts.up_proj.weight", TensorRole::shared_experts);
  add("layers.1.mlp.up_proj.weight", TensorRole::mlp);
  add("layers.0.mlp.gate.weight", TensorRole::router);
  struct Expected {
    const char* recipe;
    DType type;
    DType up;
    DType most;
  };
  for (const auto& [recipe, type, up, most] : {Expected{"q3_m", kQ3a, kQ4a, kQ5a}, Expected{"q4_m", kQ4a, kQ5a, kQ6a},
                                               Expected{"q5_m", kQ5a, kQ6a, kQ8}, Expected{"q6", kQ6a, kQ6a, kQ8}}) {
    const auto plan = plan_of(source, parse_quantize_target(recipe));
    EXPECT_EQ(plan.at("model.embed_tokens.weight").to, most) << recipe;
    EXPECT_EQ(plan.at("lm_head.weight").to, most) << recipe;
    EXPECT_EQ(plan.at("layers.0.self_attn.q_proj.weight").to, up) << recipe;
    EXPECT_EQ(plan.at("layers.0.self_attn.v_proj.weight").to, most) << recipe;
    EXPECT_EQ(plan.at("layers.0.mlp.experts.0.gate_proj.weight").to, type) << recipe;
    EXPECT_EQ(plan.at("layers.0.mlp.experts.0.down_proj.weight").to, up) << recipe;
    EXPECT_EQ(plan.at("layers.0.block_sparse_moe.experts.0.w2.weight").to, up) << recipe;
    EXPECT_EQ(plan.at("layers.0.mlp.shared_experts.up_proj.weight").to, up) << recipe;
    EXPECT_EQ(plan.at("layers.1.mlp.up_proj.weight").to, type) << recipe;
    EXPECT_EQ(plan.at("layers.0.mlp.gate.weight").to, DType::bf16) << recipe;
  }
  EXPECT_ERROR(parse_quantize_target("q4_k"), InputError,
               "type: expected q3_m, q4_m, q5_m, q6, q8, q6a, q5a, q4a, q3a, q4, bf16, f16 or f32, found 'q4_k'; the "
               "nearest one is 'q4_m'");
}

TEST(QuantizePlan, GivesPlainTypesToEveryShape) {
  const auto plan = plan_of(Native(), DType::f32);
  EXPECT_EQ(plan.at("layers.0.moe.experts.0.down_proj.weight").to, DType::f32);
  EXPECT_EQ(plan.at("layers.1.mlp.up_proj.bias").to, DType::f16) << "biases keep theirs";
}

TEST(QuantizePlan, MeansPanelsByBf16WhereKernelsReadThem) {
  const auto plan = plan_of(Native(), DType::bf16, {"router=bf16"});
  EXPECT_EQ(plan.at("embed_tokens.weight").to, kBf16Panels);
  EXPECT_EQ(plan.at("layers.0.attention.q_proj.weight").to, kBf16Panels);
  EXPECT_EQ(plan.at("layers.0.moe.experts.0.up_proj.weight").to, kBf16Panels);
  EXPECT_EQ(plan.at("layers.0.moe.experts.0.up_proj.weight").note, "");
  EXPECT_EQ(plan.at("layers.0.moe.experts.0.down_proj.weight").to, DType::bf16) << "columns not in groups of 32";
  EXPECT_EQ(plan.at("layers.0.moe.router.weight").to, DType::bf16) << "read as numbers";
  EXPECT_EQ(plan.at("layers.1.mlp.up_proj.bias").to, DType::f16);
}

TEST(QuantizePlan, FollowsTheLastRuleThatMatches) {
  const auto plan =
      plan_of(Native(), kQ8, {"layers.*=q4", "experts.0.up=f32", "layers.?.attention.=keep", "norm=bf16", "router=q8"});
  EXPECT_EQ(plan.at("embed_tokens.weight").to, kQ8);
  EXPECT_EQ(plan.at("layers.1.mlp.up_proj.weight").to, kQ4);
  EXPECT_EQ(plan.at("layers.0.moe.experts.0.up_proj.weight").to, DType::f32);
  EXPECT_EQ(plan.at("layers.0.attention.q_proj.weight").to, DType::bf16);
  EXPECT_EQ(plan.at("layers.0.attention.q_proj.weight").note, "") << "it was asked to keep its type";
  EXPECT_EQ(plan.at("layers.0.attention_norm.weight").to, DType::bf16);
  EXPECT_EQ(plan.at("layers.0.moe.router.weight").to, kQ8) << "whoever asks for it gets it";
  EXPECT_EQ(plan.at("layers.1.mlp.up_proj.bias").to, DType::f16);
  EXPECT_EQ(plan.at("layers.1.mlp.up_proj.bias").note, "a vector");
}

TEST(QuantizePlan, RefusesARuleThatDecidesNothing) {
  EXPECT_ERROR(plan_of(Native(), kQ8, {"exprts.*=q4"}), InputError,
               "rule 'exprts.*=q4': expected a tensor with the pattern in its name, found none");
  EXPECT_ERROR(plan_of(Native(), kQ8, {"norm=q4"}), InputError,
               "rule 'norm=q4': expected a tensor that can have the type, found none among the 1 with the pattern");
  EXPECT_EQ(plan_of(Native(), kQ8, {"mlp=q4", "mlp=f32"}).at("layers.1.mlp.up_proj.weight").to, DType::f32)
      << "a rule that a later one overrules is no mistake";
}

TEST(QuantizePlan, ReadsRules) {
  EXPECT_EQ(parse_quantize_rule("a=b=q8").pattern, "a=b");
  EXPECT_EQ(parse_quantize_rule("a=q8").type, kQ8);
  EXPECT_EQ(parse_quantize_rule("a=keep").type, std::nullopt);
  for (const char* bad : {"", "a", "=q8", "a=", "experts.*"})
    EXPECT_ERROR(parse_quantize_rule(bad), InputError, "': expected PATTERN=TYPE, such as experts.*=q4");
  EXPECT_ERROR(parse_quantize_rule("a=bf61"), InputError,
               "type: expected q8, q6a, q5a, q4a, q3a, q4, bf16, f16 or f32, found 'bf61'; the nearest one is 'bf16'");
  EXPECT_ERROR(parse_quantize_type("keep"), InputError, "found 'keep'");
  EXPECT_ERROR(parse_quantize_type("i8"), InputError, "the nearest one is 'q8'");
}

TEST(QuantizePlan, JoinsCodesAndTheirScales) {
  Zeros source;
  source.add("model.layers.0.self_attn.o_proj.weight", DType::f8_e4m3, {128, 256}, kAttention);
  source.add("model.layers.0.self_attn.o_proj.weight_scale_inv", DType::f32, {1, 2}, kAttention);
  source.add("model.layers.0.self_attn.kv_b_proj.weight", DType::f8_e4m3, {128, 128},
             {TensorRole::attention, "read by head and transposed"});
  source.add("model.layers.0.self_attn.kv_b_proj.weight_scale_inv", DType::f32, {1, 1},
             {TensorRole::attention, "read by head and transposed"});
  const auto plan = plan_of(source, kQ8);
  EXPECT_EQ(plan.size(), 2U);
  const PlannedTensor& o = plan.at("model.layers.0.self_attn.o_proj.weight");
  EXPECT_EQ(o.to, kQ8);
  EXPECT_EQ(o.bytes_before, 128U * 256U + 8U);
  EXPECT_EQ(o.parameters, 128U * 256U);
  const PlannedTensor& kv = plan.at("model.layers.0.self_attn.kv_b_proj.weight");
  EXPECT_EQ(kv.to, DType::bf16) << "codes have no place in weights.bin";
  EXPECT_EQ(kv.note, "read by head and transposed");
  EXPECT_EQ(plan_of(source, DType::f32).at(kv.name).to, DType::f32);
  EXPECT_EQ(plan_of(source, kQ8, {"o_proj=keep"}).at(o.name).to, DType::bf16);
}

TEST(QuantizePlan, PacksFusedExpertsWhosePanelsLieWithinAMatrix) {
  Zeros source;
  source.add("model.layers.0.mlp.experts.gate_up_proj", DType::bf16, {4, 64, 32}, stack(2, 32, 32));
  source.add("model.layers.0.mlp.experts.down_proj", DType::bf16, {4, 32, 32}, stack(1, 32, 32));
  source.add("model.layers.1.mlp.experts.gate_up_proj", DType::bf16, {4, 48, 32}, stack(2, 24, 32));
  source.add("model.layers.1.mlp.experts.down_proj", DType::bf16, {4, 24, 32}, stack(1, 24, 32));
  const auto plan = plan_of(source, kQ4);
  EXPECT_EQ(plan.at("model.layers.0.mlp.experts.gate_up_proj").to, kQ4);
  EXPECT_EQ(plan.at("model.layers.0.mlp.experts.gate_up_proj").bytes_after, packed_bytes(kQ4, 4 * 64, 32));
  EXPECT_EQ(plan.at("model.layers.0.mlp.experts.down_proj").to, kQ4);
  EXPECT_EQ(plan.at("model.layers.1.mlp.experts.gate_up_proj").note, "rows not in panels of 16")
      << "the gate has 24 rows, so the rows of up begin in the middle of a panel";
  EXPECT_EQ(plan.at("model.layers.1.mlp.experts.down_proj").note, "rows not in panels of 16");
}

TEST(QuantizePlan, TransposesInterleavedStacksWhereTheyArePacked) {
  Zeros source;
  const std::string experts = "model.layers.0.mlp.experts.";
  source.add(experts + "gate_up_proj", DType::bf16, {4, 96, 64}, stack(2, 32, 96, StackLayout::interleaved));
  source.add(experts + "gate_up_proj_bias", DType::bf16, {4, 64}, kVector);
  source.add(experts + "down_proj", DType::bf16, {4, 24, 96},
             stack(1, 96, 24, StackLayout::interleaved));  // 24 columns once they are transposed
  source.add(experts + "down_proj_bias", DType::bf16, {4, 96}, kVector);
  const auto plan = plan_of(source, kQ8);
  EXPECT_EQ(plan.at(experts + "gate_up_proj").to, kQ8);
  EXPECT_THAT(plan.at(experts + "gate_up_proj").shape, ElementsAre(4, 96, 64));
  EXPECT_EQ(plan.at(experts + "gate_up_proj").bytes_after, packed_bytes(kQ8, 4 * 64, 96));
  EXPECT_EQ(plan.at(experts + "gate_up_proj_bias").role, TensorRole::vector);
  EXPECT_EQ(plan.at(experts + "down_proj").to, DType::bf16);
  EXPECT_EQ(plan.at(experts + "down_proj").note, "columns not in groups of 32");
  EXPECT_EQ(plan_of(source, DType::bf16).at(experts + "gate_up_proj").to, kBf16Panels);
  EXPECT_EQ(plan_of(source, DType::f32).at(experts + "gate_up_proj").to, DType::f32);

  Zeros narrow;
  narrow.add(experts + "gate_up_proj", DType::bf16, {4, 96, 48}, stack(2, 24, 96, StackLayout::interleaved));
  narrow.add(experts + "gate_up_proj_bias", DType::bf16, {4, 48}, kVector);
  EXPECT_EQ(plan_of(narrow, kQ8).at(experts + "gate_up_proj").note, "rows not in panels of 16");
}

TEST(QuantizePlan, LeavesMxfp4) {
  Zeros source;
  source.add("model.layers.0.mlp.experts.down_proj_blocks", DType::u8, {4, 64, 2, 16}, kExperts);
  source.add("model.layers.0.mlp.experts.down_proj_scales", DType::u8, {4, 64, 2}, kExperts);
  for (const DType type : {kQ8, DType::bf16}) {
    const auto plan = plan_of(source, type);
    EXPECT_EQ(plan.at("model.layers.0.mlp.experts.down_proj_blocks").to, DType::u8);
    EXPECT_EQ(plan.at("model.layers.0.mlp.experts.down_proj_blocks").note, "mxfp4 already");
    EXPECT_EQ(plan.at("model.layers.0.mlp.experts.down_proj_blocks").parameters, 4U * 64 * 64);
    EXPECT_EQ(plan.at("model.layers.0.mlp.experts.down_proj_scales").to, DType::u8);
    EXPECT_EQ(plan.at("model.layers.0.mlp.experts.down_proj_scales").parameters, 0U);
  }
  EXPECT_EQ(plan_of(source, kQ8, {"experts=keep"}).at("model.layers.0.mlp.experts.down_proj_blocks").note, "");
  EXPECT_ERROR(plan_of(source, kQ8, {"experts=q4"}), InputError, "found none among the 2");
}

// Scales of a cache that is not quantised here, as vLLM writes them.
TEST(QuantizePlan, LeavesOutScalars) {
  Zeros source;
  source.add("model.layers.0.self_attn.k_scale", DType::f32, {});
  source.add("model.norm.weight", DType::f32, {4});
  EXPECT_EQ(plan_of(source, kQ8).size(), 1U);
}

TEST(QuantizePlan, LeavesOutTensorsWithoutElements) {
  Native source;
  source.add("layers.0.mlp.gate_proj.weight", DType::bf16, {0, 32}, kMlp);
  EXPECT_EQ(plan_of(source, kQ8).count("layers.0.mlp.gate_proj.weight"), 0U);
}

TEST(QuantizePlan, NamesATensorThatCannotBeConverted) {
  const auto refused = [](DType dtype, const std::vector<std::size_t>& shape) {
    Zeros source;
    source.add("model.layers.0.mlp.up_proj.weight", dtype, shape);
    return plan_of(source, kQ8);
  };
  const std::string expected =
      "model.layers.0.mlp.up_proj.weight: expected weights in q8, q6a, q5a, q4a, q3a, q4, bf16, f16, f32, bf16_panels, "
      "f8_e4m3 or "
      "mxfp4, or in blocks of GGUF, that can be converted, found ";
  EXPECT_ERROR(refused(DType::i64, {3}), WeightError, expected + "i64 [3] (model.safetensors)");
  EXPECT_ERROR(refused(DType::u8, {3, 4}), WeightError, expected + "u8 [3, 4]");
  EXPECT_ERROR(refused(DType::f8_e5m2, {3, 4}), WeightError, expected + "f8_e5m2 [3, 4]");
  EXPECT_ERROR(refused(DType::f8_e4m3, {2, 3, 4}), WeightError, expected + "f8_e4m3 [2, 3, 4]");
  EXPECT_TRUE(refused(DType::f32, {1, 1, 1, 1, 2}).empty()) << "no layer reads so many extents";
}

TEST(QuantizePlan, KeepsTheOrderOfTheNames) {
  std::vector<std::string_view> names;
  const Native source;
  const auto plan = plan_quantization(source, source.record(), kQ8);
  for (const PlannedTensor& tensor : plan) names.emplace_back(tensor.name);
  EXPECT_EQ(names, source.names());
}

}  // namespace
}  // namespace trine
