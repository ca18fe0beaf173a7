// SPDX-License-Identifier: Apache-2.0
// config.json of the published families: a complete one of each is read, and what is wrong, unknown or not implemented
// is one error that names the field, before a tensor is touched.
#include <ostream>
#include <string>
#include <vector>

#include <gmock/gmock.h>

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
                testing::ElementsAre(Note{"some_new_switch", "unknown, and asks for nothing"}));
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
