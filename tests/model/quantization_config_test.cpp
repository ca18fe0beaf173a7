// SPDX-License-Identifier: Apache-2.0
// "quantization_config" as tools write it.
#include <trine/model/quantization_config.hpp>

#include <ostream>
#include <string>
#include <vector>

#include <gmock/gmock.h>

#include <trine/core/error.hpp>
#include <trine/json/parse.hpp>

#include "support/expect_error.hpp"
#include "support/temporary_directory.hpp"

namespace trine {
namespace {

using Layout = ModuleQuantization::Layout;

QuantizationConfig parse(const Json& quantization, Notes& notes) {
  return parse_quantization_config({{"quantization_config", quantization}}, "config.json", notes);
}
QuantizationConfig parse(const std::string& text) {
  Notes notes;
  const QuantizationConfig config = parse(parse_json(text, SourceName("text")), notes);
  EXPECT_THAT(notes.all(), testing::IsEmpty());
  return config;
}

TEST(QuantizationConfig, OfAnUnquantisedModelIsAbsent) {
  Notes notes;
  for (const Json& config : {Json::object(), Json{{"quantization_config", nullptr}}})
    EXPECT_EQ(parse_quantization_config(config, "config.json", notes).modules.layout, Layout::none);
}

TEST(QuantizationConfig, OfFp8SaysWhichValuesShareAScale) {
  QuantizationConfig config = parse(R"({"activation_scheme": "dynamic", "fmt": "e4m3", "quant_method": "fp8",
    "weight_block_size": [64, 32], "scale_fmt": "ue8m0", "modules_to_not_convert": ["lm_head"]})");
  EXPECT_EQ(config.scale_block.rows, 64U);
  EXPECT_EQ(config.scale_block.columns, 32U);
  config = parse(R"({"activation_scheme": "static", "quant_method": "fp8", "weight_block_size": null})");
  EXPECT_EQ(config.modules.layout, Layout::scales);
  EXPECT_EQ(config.modules.block_rows, 0U) << "one scale for each matrix";
}

// As Kimi K2 Thinking, whose experts alone are quantised.
TEST(QuantizationConfig, OfCompressedTensorsInOneGroupSaysTheBits) {
  const QuantizationConfig config = parse(R"({
    "config_groups": {"group_0": {"input_activations": null, "output_activations": null, "targets": ["Linear"],
      "weights": {"actorder": null, "block_structure": null, "dynamic": false, "group_size": 32, "num_bits": 4,
        "observer": "minmax", "observer_kwargs": {}, "strategy": "group", "symmetric": true, "type": "int"}}},
    "format": "pack-quantized", "ignore": ["lm_head", "re:.*self_attn.*", "re:.*shared_experts.*",
      "re:.*mlp\\.(gate|up|gate_up|down)_proj.*"],
    "kv_cache_scheme": null, "quant_method": "compressed-tensors", "quantization_status": "compressed"})");
  EXPECT_EQ(config.modules.layout, Layout::scales);
  EXPECT_EQ(config.modules.bits, 4U);
  EXPECT_EQ(config.modules.group_size, 32U);
}

TEST(QuantizationConfig, OfCompressedTensorsInSeveralGroupsLeavesItToTheTensors) {
  const QuantizationConfig config = parse(R"({
    "config_groups": {
      "group_0": {"targets": ["re:.*self_attn.*"], "format": "float-quantized", "weights":
        {"num_bits": 8, "type": "float", "strategy": "block", "block_structure": [128, 64]}},
      "group_1": {"targets": ["re:.*experts.*"], "format": "pack-quantized", "weights":
        {"num_bits": 4, "type": "int", "strategy": "channel", "symmetric": false}}},
    "format": "mixed-precision", "quant_method": "compressed-tensors", "quantization_status": "compressed",
    "sparsity_config": {}, "transform_config": {}, "version": "0.12.2", "global_compression_ratio": 1.5})");
  EXPECT_EQ(config.modules.bits, 0U);
  EXPECT_EQ(config.modules.block_rows, 128U);
  EXPECT_EQ(config.modules.block_columns, 64U);
}

TEST(QuantizationConfig, OfGptqSaysHowZeroPointsAreStored) {
  const char* const without = R"({"bits": 4, "group_size": 128, "desc_act": false, "damp_percent": 0.01,
    "quant_method": "gptq", "static_groups": false, "sym": true, "true_sequential": true, "model_name_or_path": null,
    "model_file_base_name": "model"})";
  EXPECT_EQ(parse(without).modules.layout, Layout::gptq);
  EXPECT_EQ(parse(without).modules.zeros_offset, 1);
  EXPECT_EQ(parse(without).modules.group_size, 128U);
  EXPECT_EQ(parse(R"({"bits": 8, "group_size": -1, "quant_method": "gptq", "checkpoint_format": "gptq"})")
                .modules.zeros_offset,
            1);
  const QuantizationConfig second = parse(R"({"bits": 4, "group_size": -1, "quant_method": "gptq", "format": "gptq",
    "checkpoint_format": "gptq_v2", "dynamic": {"-:.*attn.*": {}}, "pack_dtype": "int32"})");
  EXPECT_EQ(second.modules.zeros_offset, 0);
  EXPECT_EQ(second.modules.group_size, 0U);
}

TEST(QuantizationConfig, OfAwqIsOfOneKind) {
  const QuantizationConfig config = parse(R"({"bits": 4, "group_size": 128, "modules_to_not_convert": null,
    "quant_method": "awq", "version": "gemm", "zero_point": true, "backend": "autoawq"})");
  EXPECT_EQ(config.modules.layout, Layout::awq);
  EXPECT_EQ(config.modules.group_size, 128U);
}

TEST(QuantizationConfig, OfOtherToolsNamesTheirAlgorithm) {
  for (const char* text :
       {R"({"quant_method": "fbgemm_fp8", "activation_scale_ub": 1200.0, "modules_to_not_convert": ["lm_head"]})",
        R"({"quant_method": "modelopt", "quant_algo": "NVFP4", "ignore": ["lm_head"], "group_size": 16,
            "producer": {"name": "modelopt"}, "config_groups": {}})",
        R"({"quant_algo": "FP8", "kv_cache_scheme": "FP8", "producer": {"name": "modelopt"}})",
        R"({"quant_method": "modelopt", "quant_algo": "MIXED_PRECISION", "quantized_layers": {"a": {}}})"})
    EXPECT_EQ(parse(text).modules.layout, Layout::scales) << text;
}

struct Refused {
  const char* config;
  const char* message;
};
void PrintTo(const Refused& refused, std::ostream* out) { *out << refused.config; }
class RefusedQuantization : public testing::TestWithParam<Refused> {};

TEST_P(RefusedQuantization, IsNamed) {
  Notes notes;
  EXPECT_ERROR(parse(parse_json(GetParam().config, SourceName("text")), notes), ConfigError,
               std::string("config.json: quantization_config") + GetParam().message);
}

INSTANTIATE_TEST_SUITE_P(
    All, RefusedQuantization,
    testing::Values(
        Refused{"[]", ": expected a JSON object"}, Refused{"{}", ".quant_method: expected a value, found none"},
        Refused{R"({"quant_method": "hqq"})", ".quant_method: expected one of"},
        Refused{R"({"quant_method": "auto-round"})", ".quant_method: expected one of"},
        Refused{R"({"quant_method": "awq", "bits": 4, "version": "gemv"})",
                ".version: expected one of \"gemm\", \"GEMM\", found 'gemv'"},
        Refused{R"({"quant_method": "awq", "bits": 4, "version": "marlin"})", ".version: expected one of"},
        Refused{R"({"quant_method": "awq", "bits": 4, "backend": "llm-awq"})", ".backend: expected one of"},
        Refused{R"({"quant_method": "awq", "bits": 3})", ".bits: expected an integer from 4 to 4, found 3"},
        Refused{R"({"quant_method": "awq", "bits": 4, "zero_point": false})", ".zero_point: expected true"},
        Refused{R"({"quant_method": "awq", "bits": 4, "colour": 1})", ": unknown key 'colour'"},
        Refused{R"({"quant_method": "gptq", "bits": 3})", ".bits: expected 4 or 8, found 3"},
        Refused{R"({"quant_method": "gptq", "bits": 2})", ".bits: expected 4 or 8, found 2"},
        Refused{R"({"quant_method": "gptq", "bits": 4, "group_size": 0})", ".group_size: expected an integer from 1"},
        Refused{R"({"quant_method": "gptq", "bits": 4, "checkpoint_format": "marlin"})",
                ".checkpoint_format: expected one of \"gptq\", \"gptq_v2\", found 'marlin'"},
        Refused{R"({"quant_method": "gptq", "bits": 4, "pack_dtype": "int16"})", ".pack_dtype: expected one of"},
        Refused{R"({"quant_method": "modelopt", "quant_algo": "W4A8_AWQ"})", ".quant_algo: expected one of \"FP8\", "},
        Refused{R"({"quant_method": "compressed-tensors", "format": "marlin-24"})",
                ".format: expected one of \"dense\", \"float-quantized\""},
        Refused{R"({"quant_method": "compressed-tensors", "sparsity_config": {"format": "sparse-24-bitmask"}})",
                ".sparsity_config.format: expected one of \"dense\""},
        Refused{R"({"quant_method": "compressed-tensors", "transform_config": {"config_groups": {"u": {}}}})",
                ".transform_config: transforms of activations are not supported"},
        Refused{R"({"quant_method": "compressed-tensors", "config_groups": []})",
                ".config_groups: expected a JSON object"},
        Refused{R"({"quant_method": "compressed-tensors",
                    "config_groups": {"g": {"weights": {"num_bits": 3, "type": "int"}}}})",
                ".config_groups.g.weights.num_bits: expected 4 or 8, found 3"},
        Refused{R"({"quant_method": "compressed-tensors",
                    "config_groups": {"g": {"weights": {"num_bits": 8, "type": "ternary"}}}})",
                ".config_groups.g.weights.type: expected one of \"int\", \"float\""},
        Refused{R"({"quant_method": "compressed-tensors",
                    "config_groups": {"g": {"weights": {"num_bits": 8, "type": "int", "strategy": "attn_head"}}}})",
                ".config_groups.g.weights.strategy: expected one of"},
        Refused{R"({"quant_method": "compressed-tensors", "config_groups": {
                    "g": {"weights": {"num_bits": 8, "type": "float", "block_structure": [128, 128]}},
                    "h": {"weights": {"num_bits": 8, "type": "float", "block_structure": [64, 64]}}}})",
                ".config_groups.h.weights.block_structure: expected the same in all groups"}));

// As older releases of ModelOpt have it.
TEST(QuantizationConfig, MayStandInAFileOfItsOwn) {
  const test::TemporaryDirectory directory;
  directory.write("config.json", R"({"model_type": "llama"})");
  EXPECT_EQ(read_model_config(directory.path()), Json({{"model_type", "llama"}}));
  directory.write("hf_quant_config.json", R"({"producer": {"name": "modelopt", "version": "0.23.0"}, "quantization":
    {"quant_algo": "NVFP4", "kv_cache_quant_algo": "FP8", "group_size": 16, "exclude_modules": ["lm_head"]}})");
  Notes notes;
  const Json config = read_model_config(directory.path());
  EXPECT_EQ(parse_quantization_config(config, "config.json", notes).modules.layout, Layout::scales);
  directory.write("hf_quant_config.json", R"({"quantization": {"quant_algo": "W4A8_AWQ"}})");
  EXPECT_ERROR(parse_quantization_config(read_model_config(directory.path()), "config.json", notes), ConfigError,
               "quantization_config.quant_algo: expected one of");
  directory.write("hf_quant_config.json", R"({"quantization": 1})");
  EXPECT_ERROR(read_model_config(directory.path()), ConfigError,
               "hf_quant_config.json: quantization: expected a JSON object, found 1");
  directory.write("config.json", R"({"quantization_config": {"quant_method": "fp8"}})");
  EXPECT_EQ(read_model_config(directory.path())["quantization_config"], Json({{"quant_method", "fp8"}}));
}

TEST(QuantizationConfig, MayHoldKeysThatTheCallerAllows) {
  Notes notes({"quantization_config.colour"});
  EXPECT_EQ(parse({{"quant_method", "awq"}, {"bits", 4U}, {"colour", 1}}, notes).modules.layout, Layout::awq);
  EXPECT_EQ(notes.all().size(), 1U);
}

}  // namespace
}  // namespace trine
