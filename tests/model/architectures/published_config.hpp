// SPDX-License-Identifier: Apache-2.0
// A small config.json of each published family, complete as its releases spell it, and its reading without weights.
#pragma once

#include <string>
#include <vector>

#include <trine/core/error.hpp>
#include <trine/json/parse.hpp>
#include <trine/model/model.hpp>
#include <trine/model/quantization_config.hpp>
#include <trine/weights/weight_scope.hpp>

#include "routing/routers_in_memory.hpp"

namespace trine::test {

[[nodiscard]] inline Json published_config(const std::string& family) {
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
  if (family == "qwen3_next" || family == "qwen3_5_moe_text") {
    config.update(Json::parse(R"({"num_experts": 8, "num_experts_per_tok": 2, "moe_intermediate_size": 16,
    "shared_expert_intermediate_size": 16, "head_dim": 16, "linear_conv_kernel_dim": 4, "linear_key_head_dim": 8,
    "linear_value_head_dim": 8, "linear_num_key_heads": 2, "linear_num_value_heads": 4, "full_attention_interval": 2,
    "attention_bias": false, "partial_rotary_factor": 0.25})"));
  }
  if (family == "qwen3_next")
    config.update(Json::parse(R"({"norm_topk_prob": true, "decoder_sparse_step": 1, "mlp_only_layers": []})"));
  if (family == "qwen3_5_moe_text") {
    config.erase("intermediate_size");
    config.update(
        Json::parse(R"({"attn_output_gate": true, "mamba_ssm_dtype": "float32", "mtp_num_hidden_layers": 1})"));
  }
  if (family == "lfm2_moe") {
    for (const char* key : {"rms_norm_eps", "hidden_act"}) config.erase(key);
    config.update(Json::parse(R"({"num_experts": 8, "num_experts_per_tok": 2, "norm_topk_prob": true,
    "moe_intermediate_size": 16, "layer_types": ["conv", "full_attention"], "conv_L_cache": 3, "conv_bias": false,
    "num_dense_layers": 1, "use_expert_bias": true, "routed_scaling_factor": 1.0, "norm_eps": 1e-5})"));
  }
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

/// Without a single tensor: what is found wrong is found in the configuration. Returns what was noted, where the first
/// missing tensor says that the configuration was read whole.
inline std::vector<Note> read_published_config(const Json& config, std::vector<std::string> allow_unknown = {}) {
  const MemoryWeights none;
  Notes notes(std::move(allow_unknown));
  WeightReader reader(none, parse_quantization_config(config, "config.json", notes));
  const RouterRegistry routers;
  const RouterDecoratorFactory no_wrapper;
  const auto architectures = all_architectures();
  BuildContext context{config, "config.json", routers, no_wrapper};
  context.notes = &notes;
  try {
    static_cast<void>(architectures.at(config["model_type"])(context, WeightScope(reader)));
  } catch (const WeightError&) {
    return notes.all();
  }
  throw WeightError("expected a missing tensor, found none");
}

}  // namespace trine::test
