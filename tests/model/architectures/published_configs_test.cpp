// SPDX-License-Identifier: Apache-2.0
// config.json of the published families: a complete one of each is read, and what is wrong, unknown or not implemented
// is one error that names the field, before a tensor is touched.
#include <ostream>
#include <string>
#include <vector>

#include <gmock/gmock.h>

#include <trine/model/model.hpp>

#include "routing/routers_in_memory.hpp"
#include "support/expect_error.hpp"

namespace trine {
namespace {

// The fields of the families in small, as their releases spell them.
Json config_of(const std::string& family) {
  Json config = Json::parse(R"({"architectures": ["X"], "hidden_act": "silu", "hidden_size": 32, "vocab_size": 64,
    "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 128,
    "rms_norm_eps": 1e-5, "rope_theta": 10000, "tie_word_embeddings": false, "torch_dtype": "bfloat16", "use_cache": true,
    "intermediate_size": 48, "rope_scaling": null, "transformers_version": "4.46.0", "some_new_switch": null})");
  config["model_type"] = family;
  const Json moe = Json::parse(R"({"num_experts": 8, "num_experts_per_tok": 2, "norm_topk_prob": true,
    "moe_intermediate_size": 16, "decoder_sparse_step": 1, "mlp_only_layers": []})");
  const Json latent = Json::parse(R"({"q_lora_rank": 24, "kv_lora_rank": 16, "qk_nope_head_dim": 8,
    "qk_rope_head_dim": 4, "v_head_dim": 8, "n_routed_experts": 8, "n_shared_experts": 1, "num_experts_per_tok": 2,
    "moe_intermediate_size": 16, "first_k_dense_replace": 1, "moe_layer_freq": 1, "n_group": 4, "topk_group": 2,
    "routed_scaling_factor": 2.5, "num_key_value_heads": 4, "ep_size": 1, "seq_aux": true, "aux_loss_alpha": 0.001,
    "rope_scaling": {"type": "yarn", "factor": 40, "original_max_position_embeddings": 32, "beta_fast": 32,
                     "beta_slow": 1, "mscale": 1.0, "mscale_all_dim": 1.0}})");
  if (family == "mixtral")
    config.update(Json::parse(R"({"num_local_experts": 8, "num_experts_per_tok": 2,
    "sliding_window": null, "router_jitter_noise": 0.0, "output_router_logits": false, "head_dim": null})"));
  if (family == "olmoe")
    config.update(Json::parse(R"({"num_experts": 8, "num_experts_per_tok": 2, "norm_topk_prob": false,
    "clip_qkv": null, "attention_bias": false})"));
  if (family == "qwen2_moe" || family == "qwen3_moe") config.update(moe);
  if (family == "qwen2_moe") config["shared_expert_intermediate_size"] = 16U;
  if (family == "qwen3_moe") config["head_dim"] = 12U;
  if (family == "gpt_oss")
    config.update(Json::parse(R"({"num_local_experts": 4, "num_experts_per_tok": 2, "experts_per_token": 2,
    "sliding_window": 8, "layer_types": ["sliding_attention", "full_attention"], "swiglu_limit": 7.0, "head_dim": 8,
    "attention_bias": true, "initial_context_length": 16, "rope_scaling": {"rope_type": "yarn", "factor": 32.0,
    "original_max_position_embeddings": 32, "beta_fast": 32.0, "beta_slow": 1.0, "truncate": false}})"));
  if (family == "deepseek_v2" || family == "deepseek_v3" || family == "kimi_k2") config.update(latent);
  if (family == "deepseek_v2")
    config.update(Json::parse(R"({"topk_method": "group_limited_greedy", "scoring_func": "softmax",
    "norm_topk_prob": false})"));
  if (family == "deepseek_v3" || family == "kimi_k2")
    config.update(Json::parse(R"({"topk_method": "noaux_tc", "scoring_func": "sigmoid", "norm_topk_prob": true,
    "num_nextn_predict_layers": 1})"));
  return config;
}

// Without a single tensor: what is found wrong is found in the configuration.
void build(const Json& config) {
  const test::MemoryWeights none;
  WeightReader reader(none, parse_quantization_config(config, "config.json"));
  const RouterRegistry routers;
  const RouterWrapper no_wrapper;
  const auto architectures = all_architectures();
  static_cast<void>(
      architectures.at(config["model_type"])({config, "config.json", routers, no_wrapper}, WeightScope(reader)));
}

TEST(PublishedConfigs, OfEveryFamilyAreReadWhole) {
  for (const auto& [family, architecture] : all_architectures()) {
    if (family == "trine") continue;
    SCOPED_TRACE(family);
    EXPECT_ERROR(build(config_of(family)), WeightError, "no tensor named 'model.embed_tokens.weight'");
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
  Json config = config_of(GetParam().family);
  const Json::json_pointer field(GetParam().field);
  if (GetParam().value.empty()) {
    config[field.parent_pointer()].erase(field.back());
  } else {
    config[field] = Json::parse(GetParam().value);
  }
  EXPECT_ERROR(build(config), ConfigError, "config.json: " + GetParam().error);
}

INSTANTIATE_TEST_SUITE_P(
    All, DamagedPublishedConfig,
    testing::Values(
        // of all families
        Damage{"mixtral", "/hidden_size", "", "hidden_size: expected a value, found none"},
        Damage{"mixtral", "/hidden_size", "\"32\"", "hidden_size: expected an integer from 1 to 65536, found '32'"},
        Damage{"llama", "/vocab_size", "0", "vocab_size: expected an integer from 1 to 4194304, found 0"},
        Damage{"llama", "/num_hidden_layers", "1000000000", "num_hidden_layers: expected an integer from 1 to 4096"},
        Damage{"olmoe", "/hidden_act", "\"gelu\"", "hidden_act: expected one of \"silu\", \"swish\", found 'gelu'"},
        Damage{"qwen3", "/num_key_value_heads", "3",
               "num_key_value_heads: expected a divisor of num_attention_heads = 4, found 3"},
        Damage{"qwen2", "/num_attention_heads", "5", "num_key_value_heads: expected a divisor"},
        Damage{"llama", "/head_dim", "7", "head_dim: expected an even number, found 7"},
        Damage{"llama", "/rms_norm_eps", "-1", "rms_norm_eps: expected a number from 0"},
        Damage{"mixtral", "/attn_logit_softcapping", "30.0", "unknown key 'attn_logit_softcapping'"},
        Damage{"mixtral", "/num_expert_per_tok", "3",
               "unknown key 'num_expert_per_tok'; the nearest known key is "
               "'num_experts_per_tok'"},
        Damage{"llama", "/rope_scaling", R"({"type": "yarnish", "factor": 2})", "rope_scaling"},
        // mixtures of experts
        Damage{"mixtral", "/num_experts_per_tok", "9", "num_experts_per_tok: expected an integer from 1 to 8, found 9"},
        Damage{"olmoe", "/clip_qkv", "\"1\"", "clip_qkv: expected a number"},
        Damage{"qwen3_moe", "/mlp_only_layers", "[2]", "mlp_only_layers: expected layers below num_hidden_layers = 2"},
        Damage{"qwen2_moe", "/decoder_sparse_step", "0", "decoder_sparse_step: expected an integer from 1"},
        Damage{"qwen2_moe", "/use_sliding_window", "true", "use_sliding_window: expected layer_types beside it"},
        Damage{"qwen2_moe", "/layer_types", R"(["full_attention", "sliding_attention"])",
               "layer_types: expected a sliding_window"},
        Damage{"gpt_oss", "/layer_types", R"(["full_attention"])", "layer_types: expected a list of 2 names"},
        Damage{"gpt_oss", "/layer_types", R"(["full_attention", "linear_attention"])",
               "layer_types: expected full_attention or sliding_attention, found 'linear_attention'"},
        Damage{"gpt_oss", "/rope_scaling", "null", "rope_scaling: expected this or rope_parameters, found neither"},
        Damage{"gpt_oss", "/sliding_window", "0", "sliding_window: expected an integer from 1"},
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
        // quantisation
        Damage{"qwen3_moe", "/quantization_config", R"({"quant_method": "gptq", "bits": 4})",
               "quantization_config.quant_method: expected one of \"fp8\", \"mxfp4\", found 'gptq'"},
        Damage{"deepseek_v3", "/quantization_config", R"({"quant_method": "fp8"})",
               "quantization_config.weight_block_size: expected a value, found none"},
        Damage{"deepseek_v3", "/quantization_config", R"({"quant_method": "fp8", "weight_block_size": [128, 0]})",
               "quantization_config.weight_block_size: expected two integers from 1 to 65536"},
        Damage{"deepseek_v3", "/quantization_config",
               R"({"quant_method": "fp8", "weight_block_size": [128, 128], "fmt": "e5m2"})",
               "quantization_config.fmt: expected one of \"e4m3\", found 'e5m2'"},
        Damage{"deepseek_v3", "/quantization_config",
               R"({"quant_method": "fp8", "weight_block_size": [128, 128], "activation_scheme": "static"})",
               "quantization_config.activation_scheme"}));

}  // namespace
}  // namespace trine
