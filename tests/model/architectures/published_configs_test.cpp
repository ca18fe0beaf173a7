// SPDX-License-Identifier: Apache-2.0
// config.json of the published families: a complete one of each is read, and what is wrong, unknown or not implemented
// is one error that names the field, before a tensor is touched.
#include <ostream>
#include <string>
#include <vector>

#include <gmock/gmock.h>

#include <trine/core/error.hpp>
#include <trine/json/parse.hpp>
#include <trine/model/transformer.hpp>

#include "model/architectures/published_config.hpp"
#include "support/expect_error.hpp"

namespace trine {
namespace {

using test::published_config;
using test::read_published_config;

TEST(PublishedConfigs, OfEveryFamilyAreReadWhole) {
  for (const auto& [family, architecture] : all_architectures()) {
    if (family == "trine") continue;
    SCOPED_TRACE(family);
    EXPECT_THAT(read_published_config(published_config(family)),
                testing::Contains(testing::AllOf(testing::Field(&Note::subject, testing::EndsWith("some_new_switch")),
                                                 testing::Field(&Note::text, "unknown, and asks for nothing"))));
  }
}

struct Damage {
  std::string family;
  std::string field;  // JSON pointer
  std::string value;  // JSON, or empty to remove the field
  std::string error;
};
void PrintTo(const Damage& damage, std::ostream* out) {
  *out << damage.family << damage.field << " = " << damage.value;
}

class DamagedPublishedConfig : public testing::TestWithParam<Damage> {};

TEST_P(DamagedPublishedConfig, IsOneErrorThatNamesTheField) {
  Json config = published_config(GetParam().family);
  const Json::json_pointer field(GetParam().field);
  if (GetParam().value.empty()) {
    config[field.parent_pointer()].erase(field.back());
  } else {
    config[field] = Json::parse(GetParam().value);
  }
  EXPECT_ERROR(read_published_config(config), ConfigError, "config.json: " + GetParam().error);
}

INSTANTIATE_TEST_SUITE_P(
    All, DamagedPublishedConfig,
    testing::Values(
        // of all families
        Damage{"mixtral", "/hidden_size", "null", "hidden_size: expected a value, found none"},
        Damage{"mixtral", "/hidden_size", "\"32\"", "hidden_size: expected an integer from 1 to 65536, found '32'"},
        Damage{"llama", "/vocab_size", "0", "vocab_size: expected an integer from 1 to 4194304, found 0"},
        Damage{"llama", "/num_hidden_layers", "1000000000", "num_hidden_layers: expected an integer from 1 to 4096"},
        Damage{"olmoe", "/hidden_act", "\"gelu\"", "hidden_act: expected one of \"silu\", \"swish\", found 'gelu'"},
        Damage{"qwen3", "/num_key_value_heads", "3",
               "num_key_value_heads: expected a divisor of num_attention_heads = 4, found 3"},
        Damage{"qwen2", "/num_attention_heads", "5", "num_key_value_heads: expected a divisor"},
        // what an absent key means does not fit the rest
        Damage{"mixtral", "/num_key_value_heads", "",
               "num_key_value_heads: expected an integer from 1 to 4, found none, which means 8"},
        Damage{"deepseek_v3", "/num_experts_per_tok", "",
               "num_experts_per_tok: expected at most the 4 experts of 2 groups, found none, which means 8"},
        Damage{"deepseek_v2", "/num_experts_per_tok", "", "num_experts_per_tok: expected a value, found none"},
        Damage{"llama", "/is_causal", "false", "is_causal: expected true, false is not supported"},
        Damage{"llama", "/head_dim", "7", "head_dim: expected an even number, found 7"},
        Damage{"llama", "/rms_norm_eps", "-1", "rms_norm_eps: expected a number from 0"},
        Damage{
            "mixtral", "/attn_logit_softcapping", "30.0",
            "unknown key 'attn_logit_softcapping'; allow_unknown (--allow-unknown attn_logit_softcapping) ignores it"},
        Damage{"mixtral", "/num_expert_per_tok", "3",
               "unknown key 'num_expert_per_tok'; the nearest known key is 'num_experts_per_tok'; allow_unknown "
               "(--allow-unknown num_expert_per_tok) ignores it"},
        Damage{"llama", "/rope_scaling", R"({"type": "yarnish", "factor": 2})", "rope_scaling"},
        // mixtures of experts
        Damage{"mixtral", "/num_experts_per_tok", "9", "num_experts_per_tok: expected an integer from 1 to 8, found 9"},
        Damage{"olmoe", "/clip_qkv", "\"1\"", "clip_qkv: expected a number"},
        Damage{"qwen3_moe", "/mlp_only_layers", "[2]", "mlp_only_layers: expected layers below num_hidden_layers = 2"},
        Damage{"qwen2_moe", "/decoder_sparse_step", "0", "decoder_sparse_step: expected an integer from 1"},
        Damage{"qwen2_moe", "/use_sliding_window", "true", "use_sliding_window: expected layer_types beside it"},
        Damage{"qwen2_moe", "/layer_types", R"(["full_attention", "sliding_attention"])",
               "layer_types: expected a sliding_window"},
        Damage{"qwen2", "/layer_types", R"(["full_attention", "sliding_attention"])",
               "layer_types: expected a sliding_window"},
        Damage{"qwen3_moe", "/layer_types", R"(["full_attention", "sliding_attention"])",
               "layer_types: expected full_attention in every layer, as qwen3_moe has it, found another"},
        Damage{"mistral", "/layer_types", R"(["full_attention", "full_attention"])",
               "layer_types: expected sliding_attention in every layer, as mistral has it, found another"},
        Damage{"mistral", "/sliding_window", "0", "sliding_window: expected an integer from 1"},
        Damage{"qwen3_moe", "/use_qk_norm", "false", "use_qk_norm: expected true, false is not supported"},
        Damage{"gpt_oss", "/layer_types", R"(["full_attention"])", "layer_types: expected a list of 2 names"},
        Damage{"gpt_oss", "/layer_types", R"(["full_attention", "linear_attention"])",
               "layer_types: expected full_attention or sliding_attention, found 'linear_attention'"},
        Damage{"gpt_oss", "/experts_per_token", "3", "experts_per_token: expected an integer from 2 to 2, found 3"},
        Damage{"gpt_oss", "/sliding_window", "0", "sliding_window: expected an integer from 1"},
        Damage{"gpt_oss", "/sliding_window", "null", "layer_types: expected a sliding_window"},
        // layer types of their own
        Damage{"gemma4_text", "/hidden_size_per_layer_input", "",
               "hidden_size_per_layer_input: expected an integer from 0 to 0, found none, which means 256"},
        Damage{"gemma4_text", "/num_kv_shared_layers", "2", "num_kv_shared_layers: expected an integer from 0 to 0"},
        Damage{"gemma4_text", "/use_bidirectional_attention", "\"all\"",
               "use_bidirectional_attention: expected one of \"vision\", found 'all'"},
        Damage{"gemma4_text", "/hidden_activation", "\"gelu\"",
               "hidden_activation: expected one of \"gelu_pytorch_tanh\", \"silu\", \"swish\", found 'gelu'"},
        Damage{"gemma4_text", "/num_global_key_value_heads", "3",
               "num_global_key_value_heads: expected a divisor of num_attention_heads = 4, found 3"},
        Damage{"gemma4_text", "/global_head_dim", "7", "global_head_dim: expected an even number, found 7"},
        Damage{"gemma4_text", "/final_logit_softcapping", "0", "final_logit_softcapping: expected a number from"},
        Damage{"gemma4_text", "/per_layer_config", R"({"0": {"head_dim": 4}})",
               "per_layer_config: expected the same for all layers of full attention, and nothing for others, found "
               "{\"head_dim\":4} for layer 0"},
        Damage{"gemma4_text", "/per_layer_config", R"({"1": {"sliding_window": 4}})",
               "per_layer_config.1: unknown key 'sliding_window'"},
        Damage{"gemma4_text", "/sliding_window", "null", "layer_types: expected a sliding_window"},
        Damage{"gemma4_text", "/rope_parameters", R"({"rope_theta": 10000})",
               "rope_parameters: expected an object for each layer type"},
        Damage{"laguna", "/gating", "false", "gating: expected true, \"per-head\" or \"per-element\", found false"},
        Damage{"laguna", "/num_attention_heads_per_layer", "[4, 5]",
               "num_attention_heads_per_layer: expected multiples of num_key_value_heads = 2, found 5"},
        Damage{"laguna", "/num_attention_heads_per_layer", "[4]",
               "num_attention_heads_per_layer: expected a list of 2 integers"},
        Damage{"laguna", "/mlp_layer_types", R"(["dense", "moe"])",
               "mlp_layer_types: expected dense or sparse, found 'moe'"},
        Damage{"laguna", "/moe_apply_router_weight_on_input", "true",
               "moe_apply_router_weight_on_input: expected false, true is not supported"},
        Damage{"mellum", "/layer_types", R"(["full_attention"])", "layer_types: expected a list of 2 names"},
        Damage{"afmoe", "/n_group", "2", "n_group: expected an integer from 1 to 1, found 2"},
        Damage{"afmoe", "/route_norm", "false", "route_norm: expected true, false is not supported"},
        Damage{"afmoe", "/score_func", "\"softmax\"", "score_func: expected one of \"sigmoid\""},
        Damage{"granitemoe", "/logits_scaling", "0", "logits_scaling: expected a number from"},
        Damage{"llama4_text", "/attention_chunk_size", "0", "attention_chunk_size: expected an integer from 1"},
        Damage{"llama4_text", "/layer_types", R"(["chunked_attention", "sliding_attention"])",
               "layer_types: expected full_attention or chunked_attention, found 'sliding_attention'"},
        Damage{"llama4_text", "/no_rope_layers", "[1, 2]", "no_rope_layers: expected integers from 0 to 1, found 2"},
        Damage{"llama4_text", "/moe_layers", "\"all\"", "moe_layers: expected a list of layers"},
        Damage{"mimo_v2_flash", "/num_key_value_heads", "4",
               "num_key_value_heads: expected a divisor of half of num_attention_heads = 4, found 4"},
        Damage{"mimo_v2_flash", "/n_group", "2", "n_group: expected an integer from 1 to 1, found 2"},
        Damage{"mimo_v2_flash", "/swa_head_dim", "12", "swa_head_dim: expected an integer from 8 to 8, found 12"},
        Damage{"mimo_v2_flash", "/hybrid_layer_pattern", "[1, 0]",
               "hybrid_layer_pattern: expected the same layers as layer_types and mlp_layer_types have"},
        Damage{"gemma4", "/text_config", "", "text_config: expected a value, found none"},
        Damage{"gemma4", "/text_config/num_experts", "0", "text_config.num_experts: expected an integer from 1"},
        Damage{"gemma4", "/speculative_heads", "3", "unknown key 'speculative_heads'"},
        // latent attention and groups
        Damage{"deepseek_v3", "/kv_lora_rank", "0", "kv_lora_rank: expected an integer from 1"},
        Damage{"deepseek_v3", "/qk_rope_head_dim", "5", "qk_rope_head_dim: expected an even number, found 5"},
        Damage{"deepseek_v3", "/num_key_value_heads", "2", "num_key_value_heads: expected an integer from 4 to 4"},
        Damage{"deepseek_v3", "/n_group", "3", "n_group: expected a divisor of n_routed_experts = 8, found 3"},
        Damage{"deepseek_v3", "/topk_group", "5", "topk_group: expected an integer from 1 to 4, found 5"},
        Damage{"deepseek_v3", "/num_experts_per_tok", "5", "num_experts_per_tok: expected at most the 4 experts"},
        Damage{"deepseek_v3", "/scoring_func", "\"softmax\"", "scoring_func: expected one of \"sigmoid\""},
        Damage{"deepseek_v3", "/topk_method", "\"greedy\"", "topk_method: expected one of \"noaux_tc\""},
        Damage{"deepseek_v3", "/moe_layer_freq", "2", "moe_layer_freq: expected an integer from 1 to 1, found 2"},
        Damage{"deepseek_v3", "/index_topk", "2048", "unknown key 'index_topk'"},
        Damage{"deepseek_v2", "/topk_method", "\"gready\"", "topk_method: expected one of \"greedy\""},
        Damage{"deepseek_v2", "/norm_topk_prob", "true", "norm_topk_prob: expected false, true is not supported"},
        Damage{"deepseek_v2", "/scoring_func", "\"sigmoid\"", "scoring_func: expected one of \"softmax\""},
        Damage{"glm4_moe_lite", "/first_k_dense_replace", "2", "first_k_dense_replace: expected the dense layers of"},
        Damage{"glm4_moe_lite", "/mlp_layer_types", R"(["dense"])", "mlp_layer_types: expected a list of 2 names"},
        Damage{"glm4_moe_lite", "/mlp_layer_types", R"(["dense", "moe"])",
               "mlp_layer_types: expected dense or sparse, found 'moe'"},
        Damage{"deepseek_v32", "/layer_types", R"(["full_attention", "full_attention"])",
               "layer_types: expected indexed_attention in every layer, found 'full_attention'"},
        Damage{"deepseek_v32", "/q_lora_rank", "null", "q_lora_rank: expected a value, found none"},
        Damage{"glm_moe_dsa", "/index_topk", "0", "index_topk: expected an integer from 1"},
        Damage{"glm_moe_dsa", "/index_head_dim", "2", "index_head_dim: expected an integer from 4"},
        Damage{"glm_moe_dsa", "/indexer_rope_interleave", "false", "indexer_rope_interleave: expected true"},
        Damage{"glm_moe_dsa", "/indexer_types", R"(["full"])", "indexer_types: expected full or shared for each of 2"},
        Damage{"glm_moe_dsa", "/indexer_types", R"(["full", "none"])",
               "indexer_types: expected full or shared, found 'none'"},
        Damage{"glm_moe_dsa", "/index_topk_pattern", R"("SF")",
               "index_topk_pattern: expected an indexer in the first layer, found that it shares one"},
        Damage{"glm_moe_dsa", "/index_topk_pattern", R"("FX")",
               "index_topk_pattern: expected full or shared, found 'X'"},
        Damage{"mistral4", "/rope_parameters/llama_4_scaling_beta", "",
               "rope_parameters.llama_4_scaling_beta: expected a value, found none"},
        Damage{"mistral4", "/rope_parameters/partial_rotary_factor", "0.5",
               "qk_rope_head_dim: expected the 6 of 12 elements that partial_rotary_factor rotates, found 4"},
        Damage{"sarvam_moe", "/score_function", "\"softmax\"", "score_function: expected one of \"sigmoid\""},
        Damage{"sarvam_moe", "/use_bias", "true", "use_bias: expected false, true is not supported"},
        Damage{"exaone_moe", "/layer_types", "", "sliding_window_pattern: expected an integer from 1"},
        Damage{"exaone_moe", "/sliding_window", "null", "sliding_window: expected a value, found none"},
        Damage{"cohere2_moe", "/expert_selection_fn", "\"tanh\"", "expert_selection_fn: expected one of"},
        Damage{"cohere2_moe", "/shared_expert_combination_strategy", "\"max\"",
               "shared_expert_combination_strategy: expected one of \"average\", \"sum\""},
        Damage{"cohere2_moe", "/rope_scaling", R"({"rope_type": "linear", "factor": 2.0})",
               "rope_scaling: expected null: transformers does not read it in this family, and other software does"},
        Damage{"cohere2_moe", "/use_parallel_block", "false", "use_parallel_block: expected true"},
        Damage{"kimi_linear", "/mla_use_nope", "false", "mla_use_nope: expected true, false is not supported"},
        Damage{"kimi_linear", "/num_shared_experts", "3", "num_shared_experts: expected the same as n_shared_experts"},
        Damage{"kimi_linear", "/layer_types", R"(["mamba", "full_attention"])",
               "layer_types: expected full_attention or linear_attention, found 'mamba'"},
        Damage{"kimi_linear", "/linear_attn_config", R"({"kda_layers": [1, 2], "full_attn_layers": [2]})",
               "linear_attn_config.kda_layers: expected each layer once, here or in full_attn_layers, found layer 2 2 "
               "times"},
        Damage{"kimi_linear", "/linear_attn_config", R"({"kda_layers": [0, 1]})",
               "linear_attn_config.full_attn_layers: expected a value, found none"},
        Damage{"kimi_linear", "/linear_attn_config", R"({"kda_layers": [0], "full_attn_layers": [1]})",
               "linear_attn_config.kda_layers: expected integers from 1 to 2, found 0"},
        Damage{"kimi_linear", "/linear_attn_config", R"({"gate_lower_bound": -5.0})",
               "linear_attn_config: unknown key 'gate_lower_bound'"},
        Damage{"step3p5", "/moe_layers_enum", "[\"3\"]", "moe_layers_enum: expected numbers of layers, found '3'"},
        Damage{"mistral3", "/text_config/model_type", "\"ministral3\"",
               "text_config.model_type: expected one of \"mistral\", \"mistral4\", found 'ministral3'"},
        Damage{"step3p7", "/text_config/sink", "true", "text_config.sink: expected false, true is not supported"},
        Damage{"step3p5", "/moe_layers_enum", "3", "moe_layers_enum: expected a list of layers, found 3"},
        Damage{"step3p5", "/swiglu_limits", "[1]", "swiglu_limits: expected a list of 2 numbers"},
        Damage{"step3p5", "/swiglu_limits", "[0, -1, 0]", "swiglu_limits: expected numbers from 0 to 1e6, found -1"},
        Damage{"step3p5", "/rope_theta", "[1e4]", "rope_theta: expected a number, or a list of 2 numbers"},
        Damage{"step3p5", "/rope_theta", "[1e4, null, 0]", "rope_theta: expected numbers, found null"},
        Damage{"step3p5", "/attention_other_setting/num_attention_heads", "5",
               "attention_other_setting.num_attention_heads: expected a multiple of num_key_value_heads = 2, found 5"},
        Damage{"step3p5", "/attention_other_setting/head_dim", "16",
               "attention_other_setting.head_dim: expected an integer from 8 to 8, found 16"},
        Damage{"step3p5", "/num_key_value_heads", "3",
               "num_key_value_heads: expected a divisor of num_attention_heads"},
        Damage{"step3p5", "/use_rope_layers", "[1, 0]", "use_rope_layers: expected an empty list"},
        Damage{"step3p5", "/gating", "\"per-element\"", "gating: expected true or \"per-head\", found 'per-element'"},
        Damage{"step3p5", "/sink", "true", "sink: expected false, true is not supported"},
        Damage{"step3p5", "/per_layer_config", R"({"1": {"head_dim": 4}})",
               "per_layer_config.1: unknown key 'head_dim'"},
        Damage{"step3p5", "/rope_scaling/factor", "0", "rope_parameters.full_attention.factor: expected a number from"},
        Damage{"phimoe", "/num_experts_per_tok", "3", "num_experts_per_tok: expected an integer from 2 to 2, found 3"},
        Damage{"phimoe", "/num_local_experts", "1", "num_local_experts: expected an integer from 2"},
        Damage{"phimoe", "/rope_scaling/type", "\"yarn\"",
               "rope_scaling.type: expected one of \"default\", \"longrope\", found 'yarn'"},
        Damage{"phimoe", "/rope_scaling/short_mscale", "\"1\"", "rope_scaling.short_mscale: expected a number from"},
        Damage{"flex_olmo", "/num_experts_per_tok", "9", "num_experts_per_tok: expected an integer from 1 to 8"},
        Damage{"hunyuan_v1_moe", "/moe_topk", "[2]", "moe_topk: expected a list of 2 integers"},
        Damage{"hunyuan_v1_moe", "/moe_intermediate_size", "[48, 24]",
               "moe_intermediate_size: expected integers from 48 to 48"},
        Damage{"hunyuan_v1_moe", "/head_dim", "", "head_dim: expected a value, found none"},
        Damage{"hunyuan_v1_moe", "/use_cla", "true", "use_cla: expected false, true is not supported"},
        Damage{"solar_open", "/first_k_dense_replace", "1", "first_k_dense_replace: expected an integer from 0 to 0"},
        Damage{"solar_open", "/use_qk_norm", "true", "use_qk_norm: expected false, true is not supported"},
        Damage{"hy_v3", "/first_k_dense_replace", "0", "first_k_dense_replace: expected the dense layers of"},
        Damage{"hy_v3", "/expert_hidden_dim", "8", "expert_hidden_dim: expected an integer from 16 to 16, found 8"},
        Damage{"hy_v3", "/num_shared_experts", "0", "num_shared_experts: expected an integer from 1"},
        Damage{"hy_v3", "/route_norm", "false", "route_norm: expected true, false is not supported"},
        Damage{"minimax_m2", "/use_qk_norm", "false", "use_qk_norm: expected true, false is not supported"},
        Damage{"minimax_m2", "/use_routing_bias", "false", "use_routing_bias: expected true, false is not supported"},
        Damage{"minimax_m2", "/qk_norm_type", "\"per_head\"", "qk_norm_type: expected one of \"per_layer\""},
        Damage{"minimax_m2", "/scoring_func", "\"softmax\"", "scoring_func: expected one of \"sigmoid\""},
        Damage{"minimax_m2", "/shared_intermediate_size", "8",
               "shared_intermediate_size: expected an integer from 0 to 0"},
        Damage{"minimax_m2", "/attn_type_list", "[1, 0]",
               "attn_type_list: expected 1, full attention, in every layer, found 0"},
        Damage{"minimax_m2", "/layernorm_mlp_beta", "2.0", "layernorm_mlp_beta: expected a number from 1.0 to 1.0"},
        Damage{"minimax_m2", "/rotary_dim", "3", "partial_rotary_factor: expected an even number of rotated elements"},
        Damage{"ernie4_5_moe", "/use_bias", "true", "use_bias: expected false, true is not supported"},
        Damage{"ernie4_5_moe", "/moe_gate", "\"hash\"", "moe_gate: expected one of \"topk\""},
        Damage{"ernie4_5_moe", "/moe_layer_interval", "0", "moe_layer_interval: expected an integer from 1"},
        Damage{"dots1", "/num_experts_per_tok", "", "num_experts_per_tok: expected a value, found none"},
        Damage{"dots1", "/max_window_layers", "-1", "max_window_layers: expected an integer from 0"},
        Damage{"glm4_moe", "/partial_rotary_factor", "0.1",
               "partial_rotary_factor: expected an even number of rotated elements, found 1 of 12"},
        // quantisation
        Damage{"qwen3_moe", "/quantization_config", R"({"quant_method": "bitsandbytes", "load_in_4bit": true})",
               "quantization_config.quant_method: expected one of \"fp8\", \"mxfp4\", \"compressed-tensors\", "
               "\"fbgemm_fp8\", \"gptq\", \"awq\", \"modelopt\", found 'bitsandbytes'"},
        Damage{"deepseek_v3", "/quantization_config", R"({"quant_method": "fp8", "weight_block_size": [128, 0]})",
               "quantization_config.weight_block_size: expected two integers from 1 to 65536"},
        Damage{"deepseek_v3", "/quantization_config",
               R"({"quant_method": "fp8", "weight_block_size": [128, 128], "fmt": "e5m2"})",
               "quantization_config.fmt: expected one of \"e4m3\", \"float8_e4m3fn\", found 'e5m2'"},
        Damage{"deepseek_v3", "/quantization_config",
               R"({"quant_method": "fp8", "weight_block_size": [128, 128], "activation_scheme": "none"})",
               "quantization_config.activation_scheme"}));

// Keys and values as published, which the family computes as it stands.
struct Published {
  std::string family;
  std::string keys;  // a JSON object
};
void PrintTo(const Published& published, std::ostream* out) { *out << published.family << " " << published.keys; }

class PublishedKeys : public testing::TestWithParam<Published> {};

TEST_P(PublishedKeys, AreRead) {
  Json config = published_config(GetParam().family);
  config.update(parse_json(GetParam().keys, "keys"));
  EXPECT_NO_THROW(static_cast<void>(read_published_config(config)));
}

INSTANTIATE_TEST_SUITE_P(
    All, PublishedKeys,
    testing::Values(
        // Qwen3-Coder-30B-A3B-Instruct
        Published{"qwen3_moe", R"({"shared_expert_intermediate_size": 0, "use_qk_norm": true, "qkv_bias": false})"},
        // DeepSeek-R1-0528-Qwen3-8B
        Published{"qwen3", R"({"rope_scaling": {"rope_type": "yarn", "factor": 4.0, "attn_factor": 0.8782488562869419,
                               "original_max_position_embeddings": 32768}})"},
        // Qwen2.5-7B-Instruct-1M
        Published{"qwen2", R"({"dual_chunk_attention_config": {"chunk_size": 262144, "local_size": 8192,
                               "original_max_position_embeddings": 262144}})"},
        Published{"llama", R"({"layer_types": ["full_attention", "full_attention"]})"},
        Published{"llama", R"({"sliding_window": 4096})"},
        Published{"qwen3_moe", R"({"layer_types": ["full_attention", "full_attention"]})"},
        Published{"mixtral", R"({"layer_types": ["full_attention", "full_attention"]})"},
        Published{"deepseek_v3", R"({"sliding_window": null, "layer_types": ["full_attention", "full_attention"]})"},
        // Yarn-Llama-2 and Yarn-Mistral
        Published{"mistral", R"({"rope_scaling": {"factor": 16.0, "original_max_position_embeddings": 8192,
                                 "type": "yarn", "finetuned": true}})"},
        // GLM-4.5-Air and GLM-4.7-Flash
        Published{"glm4_moe", R"({"decoder_sparse_step": 1, "moe_router_dtype": "float32"})"},
        Published{"minimax_m2", R"({"quantization_config": {"quant_method": "fp8", "fmt": "float8_e4m3fn",
                                    "weight_block_size": [128, 128], "activation_scheme": "dynamic",
                                    "modules_to_not_convert": ["gate", "e_score_correction_bias", "lm_head"]}})"},
        Published{"deepseek_v32", R"({"layer_types": ["indexed_attention", "indexed_attention"]})"},
        Published{"glm_moe_dsa", R"({"indexer_types": ["full", "shared"], "indexer_rope_interleave": true})"},
        // GLM-5.2
        Published{"glm_moe_dsa", R"({"index_topk_freq": 4, "index_skip_topk_offset": 3, "index_topk_pattern": null,
                                     "index_share_for_mtp_iteration": true})"},
        Published{"glm_moe_dsa", R"({"index_topk_pattern": "FS"})"},
        Published{"glm_moe_dsa", R"({"index_topk_pattern": ["full", "full"]})"},
        Published{"glm4_moe_lite", R"({"partial_rotary_factor": 1.0, "mlp_layer_types": ["dense", "sparse"]})"},
        Published{"gpt_oss", R"({"rope_scaling": null})"}, Published{"gpt_oss", R"({"layer_types": null})"},
        Published{"qwen2", R"({"use_sliding_window": false, "sliding_window": 0})"},
        Published{"qwen2", R"({"use_sliding_window": true, "sliding_window": null})"},
        Published{"mixtral", R"({"num_experts": 8})"}));

TEST(PublishedConfigs, NoteTheKeysThatOtherToolsLeave) {
  Json config = published_config("llama");
  config.erase("some_new_switch");
  const Json left = parse_json(R"({"unsloth_fixed": true, "unsloth_version": "2025.3.19", "tokenizer_class":
      "LlamaTokenizer", "model_max_length": 4096, "max_length": 4096, "temperature": 0.9, "top_p": 0.6, "do_sample": true,
      "num_beams": 1, "repetition_penalty": 1.1, "transformers.js_config": {"dtype": "q4"}, "attn_implementation": "sdpa",
      "use_flash_attn": true, "_commit_hash": "0123", "license": "apache-2.0", "datasets": ["c4"], "neuron": {"a": 1},
      "chat_template": "{{ x }}", "pruned_heads": {}, "attn_pdrop": 0.1, "resid_pdrop": 0.1, "embd_pdrop": 0.1,
      "summary_type": "cls_index", "sep_token_id": 3})",
                               "keys");
  config.update(left);
  const std::vector<Note> notes = read_published_config(config);
  std::vector<std::string> subjects;
  for (const Note& note : notes) subjects.push_back(note.subject);
  std::vector<std::string> expected;
  for (const auto& [key, value] : left.items()) expected.push_back(key);
  EXPECT_THAT(subjects, testing::UnorderedElementsAreArray(expected));
  EXPECT_THAT(notes, testing::Contains(Note{"temperature", "a setting of generation: generation_config.json counts"}));
}

TEST(PublishedConfigs, MayHaveUnknownKeysThatTheCallerAllows) {
  Json config = published_config("llama");
  config["index_topk"] = 2048U;
  config["fork_option"] = "on";
  EXPECT_ERROR(read_published_config(config, {"index_topk"}), ConfigError, "unknown key 'fork_option'");
  const auto notes = read_published_config(config, {"index_topk", "fork_*"});
  EXPECT_THAT(notes, testing::Contains(Note{"fork_*", "unknown, and ignored because the caller allows it"}));
  config["rope_scaling"] = parse_json(R"({"type": "yarn", "factor": 2, "beta_fest": 3})", "keys");
  EXPECT_ERROR(read_published_config(config, {"index_topk", "fork_*"}), ConfigError,
               "rope_scaling: unknown key 'beta_fest'; the nearest known key is 'beta_fast'; allow_unknown "
               "(--allow-unknown rope_scaling.beta_fest) ignores it");
  EXPECT_NO_THROW(read_published_config(config, {"index_topk", "fork_*", "rope_scaling.beta_fest"}));
}

TEST(PublishedConfigs, NoteWhatAFamilyDoesNotRead) {
  Json config = published_config("llama");
  config["sliding_window"] = 64U;
  config["partial_rotary_factor"] = 0.5;
  EXPECT_THAT(read_published_config(config),
              testing::UnorderedElementsAre(testing::Field(&Note::subject, "some_new_switch"),
                                            testing::Field(&Note::subject, "sliding_window"),
                                            testing::Field(&Note::subject, "partial_rotary_factor")));
}

}  // namespace
}  // namespace trine
