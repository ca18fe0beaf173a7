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
#include "support/families.hpp"

namespace trine::test {

[[nodiscard]] inline Json published_config(const std::string& family) {
  if (family == "mistral3")
    return {{"architectures", {"X"}},   {"model_type", family},          {"text_config", published_config("mistral4")},
            {"vision_config", nullptr}, {"spatial_merge_size", 2U},      {"vision_feature_layer", -1},
            {"torch_dtype", "float32"}, {"tie_word_embeddings", false},  {"multimodal_projector_bias", false},
            {"image_token_index", 10U}, {"projector_hidden_act", "gelu"}};
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
  const Json sigmoid = Json::parse(R"({"topk_method": "noaux_tc", "scoring_func": "sigmoid", "norm_topk_prob": true,
    "num_nextn_predict_layers": 1})");
  const Json deepseek_moe = Json::parse(R"({"n_routed_experts": 8, "n_shared_experts": 1, "num_experts_per_tok": 2,
    "moe_intermediate_size": 16, "first_k_dense_replace": 1, "n_group": 4, "topk_group": 2, "norm_topk_prob": true,
    "routed_scaling_factor": 2.5, "head_dim": 12})");
  if (family == "mixtral")
    config.update(Json::parse(R"({"num_local_experts": 8, "num_experts_per_tok": 2,
    "sliding_window": null, "router_jitter_noise": 0.0, "output_router_logits": false, "head_dim": null})"));
  if (family == "olmoe")
    config.update(Json::parse(R"({"num_experts": 8, "num_experts_per_tok": 2, "norm_topk_prob": false,
    "clip_qkv": null, "attention_bias": false})"));
  if (family == "qwen2_moe" || family == "qwen3_moe") config.update(moe);
  if (family == "qwen2_moe") config["shared_expert_intermediate_size"] = 16U;
  if (family == "qwen3_moe") config["head_dim"] = 12U;
  if (family == "qwen3_next" || family == "qwen3_5_moe_text" || family == "qwen3_5_moe") {
    config.update(Json::parse(R"({"num_experts": 8, "num_experts_per_tok": 2, "moe_intermediate_size": 16,
    "shared_expert_intermediate_size": 16, "head_dim": 16, "linear_conv_kernel_dim": 4, "linear_key_head_dim": 8,
    "linear_value_head_dim": 8, "linear_num_key_heads": 2, "linear_num_value_heads": 4, "full_attention_interval": 2,
    "attention_bias": false, "partial_rotary_factor": 0.25})"));
  }
  if (family == "qwen3_next")
    config.update(Json::parse(R"({"norm_topk_prob": true, "decoder_sparse_step": 1, "mlp_only_layers": []})"));
  if (family == "qwen3_5_moe_text" || family == "qwen3_5_moe") {
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
  if (family == "gemma4_text" || family == "gemma4") {
    for (const char* key : {"hidden_act", "rope_theta", "rope_scaling"}) config.erase(key);
    config.update(Json::parse(R"({"hidden_activation": "gelu_pytorch_tanh", "head_dim": 8, "global_head_dim": 16,
    "num_global_key_value_heads": 1, "attention_k_eq_v": true, "attention_bias": false, "enable_moe_block": true,
    "num_experts": 8, "top_k_experts": 2, "moe_intermediate_size": 16, "sliding_window": 8,
    "layer_types": ["sliding_attention", "full_attention"], "final_logit_softcapping": 30.0,
    "hidden_size_per_layer_input": 0, "vocab_size_per_layer_input": 64, "num_kv_shared_layers": 0,
    "use_double_wide_mlp": false, "use_bidirectional_attention": "vision",
    "rope_parameters": {"sliding_attention": {"rope_type": "default", "rope_theta": 10000.0},
                        "full_attention": {"rope_type": "proportional", "partial_rotary_factor": 0.25,
                                           "rope_theta": 1000000.0}}})"));
  }
  const Json by_type = Json::parse(R"({"moe_intermediate_size": 16, "num_experts_per_tok": 2, "head_dim": 8,
    "sliding_window": 8, "layer_types": ["full_attention", "sliding_attention"], "mlp_layer_types": ["dense", "sparse"],
    "rope_parameters": {"sliding_attention": {"rope_type": "default", "rope_theta": 10000.0},
                        "full_attention": {"rope_type": "default", "rope_theta": 500000.0,
                                           "partial_rotary_factor": 0.5}}})");
  if (family == "laguna" || family == "mellum" || family == "mimo_v2_flash") {
    for (const char* key : {"rope_theta", "rope_scaling"}) config.erase(key);
    config.update(by_type);
  }
  if (family == "laguna")
    config.update(Json::parse(R"({"num_experts": 8, "shared_expert_intermediate_size": 16, "gating": "per-head",
    "num_attention_heads_per_layer": [4, 6], "moe_routed_scaling_factor": 2.5, "attention_bias": false,
    "moe_apply_router_weight_on_input": false, "moe_router_logit_softcapping": 0.0})"));
  if (family == "mellum") config.update(Json::parse(R"({"num_experts": 8, "norm_topk_prob": true})"));
  if (family == "mimo_v2_flash")
    config.update(Json::parse(R"({"n_routed_experts": 8, "num_key_value_heads": 1, "v_head_dim": 4, "n_group": 1,
    "topk_group": 1, "norm_topk_prob": true, "routed_scaling_factor": null, "attention_value_scale": 0.707,
    "swa_num_key_value_heads": 2, "swa_head_dim": 8, "swa_v_head_dim": 4, "hybrid_layer_pattern": [0, 1],
    "moe_layer_freq": [0, 1], "add_swa_attention_sink_bias": true, "sliding_window_size": 8})"));
  if (family == "afmoe")
    config.update(Json::parse(R"({"num_experts": 8, "num_experts_per_tok": 2, "moe_intermediate_size": 16,
    "num_dense_layers": 1, "num_shared_experts": 1, "route_scale": 2.5, "route_norm": true, "score_func": "sigmoid",
    "head_dim": 8, "sliding_window": 8, "global_attn_every_n_layers": 2, "mup_enabled": true, "n_group": 1})"));
  if (family == "granitemoe")
    config.update(Json::parse(R"({"num_local_experts": 8, "num_experts_per_tok": 2, "attention_multiplier": 0.2,
    "embedding_multiplier": 12.0, "residual_multiplier": 0.22, "logits_scaling": 6.0, "attention_bias": false})"));
  if (family == "llama4_text" || family == "llama4")
    config.update(Json::parse(R"({"num_local_experts": 8, "num_experts_per_tok": 1, "intermediate_size_mlp": 64,
    "head_dim": 8, "no_rope_layers": [1, 0], "no_rope_layer_interval": 4, "attention_chunk_size": 8,
    "interleave_moe_layer_step": 1, "use_qk_norm": true, "attn_temperature_tuning": true, "floor_scale": 8,
    "attn_scale": 0.1})"));
  if (family == "gemma4" || family == "llama4" || family == "qwen3_5_moe" || family == "step3p7") {
    Json text = config;
    text["model_type"] = family == "step3p7" ? "step3p5" : family + "_text";
    return {{"architectures", {"X"}},   {"model_type", family},    {"text_config", std::move(text)},
            {"vision_config", nullptr}, {"audio_config", nullptr}, {"tie_word_embeddings", true},
            {"torch_dtype", "bfloat16"}};
  }
  if (has_latent_attention(family)) config.update(latent);
  if (family == "deepseek_v2")
    config.update(Json::parse(R"({"topk_method": "group_limited_greedy", "scoring_func": "softmax",
    "norm_topk_prob": false})"));
  if (has_latent_attention(family) && family != "deepseek_v2" && family != "mistral4") config.update(sigmoid);
  if (family == "mistral4") {
    for (const char* key : {"rope_theta", "rope_scaling", "moe_layer_freq", "ep_size", "seq_aux", "aux_loss_alpha"})
      config.erase(key);
    config.update(Json::parse(R"({"norm_topk_prob": true, "rope_interleave": true, "attention_bias": false,
    "rope_parameters": {"type": "yarn", "rope_type": "yarn", "rope_theta": 1e4, "factor": 4.0, "beta_fast": 32.0,
    "original_max_position_embeddings": 32, "max_position_embeddings": 128, "beta_slow": 1.0, "mscale_all_dim": 1.0,
    "mscale": 1.0, "llama_4_scaling_beta": 0.1}})"));
  }
  if (family == "sarvam_moe")
    config.update(Json::parse(R"({"n_routed_experts": 8, "n_shared_experts": 1, "num_experts_per_tok": 2,
    "moe_intermediate_size": 16, "first_k_dense_replace": 1, "n_group": 4, "topk_group": 2, "norm_topk_prob": true,
    "routed_scaling_factor": 2.5, "use_qk_norm": true, "attention_bias": false, "use_bias": false, "head_dim": 12,
    "score_function": "sigmoid", "moe_router_enable_expert_bias": true, "router_dtype": "fp32"})"));
  if (family == "cohere2_moe") {
    config.erase("rms_norm_eps");
    config.update(Json::parse(R"({"num_experts": 8, "num_experts_per_tok": 2, "num_shared_experts": 1, "head_dim": 8,
    "shared_expert_combination_strategy": "average", "expert_selection_fn": "sigmoid", "norm_topk_prob": true,
    "first_k_dense_replace": 1, "prefix_dense_sliding_window_pattern": 1, "prefix_dense_intermediate_size": 32,
    "sliding_window_pattern": 2, "sliding_window": 8, "logit_scale": 0.25, "layer_norm_eps": 1e-5,
    "attention_bias": false, "use_parallel_block": true})"));
  }
  if (family == "exaone_moe")
    config.update(Json::parse(R"({"num_experts": 8, "num_shared_experts": 1, "num_experts_per_tok": 2, "head_dim": 12,
    "moe_intermediate_size": 16, "first_k_dense_replace": 1, "n_group": 4, "topk_group": 2, "norm_topk_prob": true,
    "routed_scaling_factor": 2.5, "sliding_window": 8, "sliding_window_pattern": "LG", "scoring_func": "sigmoid",
    "layer_types": ["sliding_attention", "full_attention"], "is_moe_layer": [false, true], "topk_method": "noaux_tc",
    "num_nextn_predict_layers": 1, "mtp_share_layers": false})"));
  if (family == "step3p5" || family == "step3p7") {
    for (const char* key : {"rope_theta", "rope_scaling"}) config.erase(key);
    config.update(Json::parse(R"({"num_key_value_heads": 2, "head_dim": 8, "max_seq_len": 128, "moe_layers_enum": "1",
    "use_moe": true, "n_routed_experts": 8, "num_experts_per_tok": 2, "moe_intermediate_size": 16, "share_expert_dim": 16,
    "norm_expert_weight": true, "moe_router_activation": "sigmoid", "moe_router_scaling_factor": 3.0,
    "use_moe_router_bias": true, "need_fp32_gate": true, "att_impl_type": "GQA", "use_qk_norm": true, "sink": false,
    "use_head_wise_attn_gate": true, "num_nextn_predict_layers": 1, "rope_theta": [5e6, 1e4, 1e4],
    "partial_rotary_factors": [0.5, 1.0, 1.0], "sliding_window": 8, "use_rope_layers": [], "moe_every_n_layer": 1,
    "layer_types": ["full_attention", "sliding_attention", "sliding_attention"], "yarn_only_types": ["full_attention"],
    "attention_other_setting": {"attention_type": "sliding_attention", "num_attention_heads": 6, "head_dim": 8,
                                "num_attention_groups": 2}, "swiglu_limits": [0, 7, 0], "swiglu_limits_shared": [0, 16, 0],
    "rope_scaling": {"rope_type": "llama3", "factor": 2.0, "original_max_position_embeddings": 64,
                     "low_freq_factor": 1.0, "high_freq_factor": 32.0}})"));
  }
  if (family == "kimi_linear") {
    config.erase("n_routed_experts");
    config.update(
        Json::parse(R"({"moe_router_activation_func": "sigmoid", "use_grouped_topk": true, "mla_use_nope": true,
    "first_k_dense_replace": 1, "linear_head_dim": 8, "linear_num_heads": 2, "linear_conv_kernel_dim": 4,
    "layer_types": ["linear_attention", "full_attention"], "attention_bias": false, "num_experts": 8})"));
  }
  if (family == "phimoe") {
    config.erase("rope_scaling");
    config.update(Json::parse(R"({"num_local_experts": 8, "num_experts_per_tok": 2, "attention_bias": true,
    "lm_head_bias": true, "router_jitter_noise": 0.01, "input_jitter_noise": 0.01, "sliding_window": 127,
    "original_max_position_embeddings": 32, "hidden_dropout": 0.0, "rope_scaling": {"type": "longrope",
    "original_max_position_embeddings": 32, "short_factor": [1.0, 1.1, 1.2, 1.3], "long_factor": [1.0, 2.0, 3.0, 4.0],
    "short_mscale": 1.2, "long_mscale": 1.3}})"));
  }
  if (family == "flex_olmo")
    config.update(Json::parse(R"({"num_experts": 8, "num_experts_per_tok": 2, "norm_topk_prob": false,
    "attention_bias": false})"));
  if (family == "hunyuan_v1_moe")
    config.update(Json::parse(R"({"num_experts": 8, "moe_topk": [2, 2], "head_dim": 8, "attention_head_dim": 8,
    "moe_intermediate_size": [48, 48], "num_shared_expert": [1, 1], "use_qk_norm": true, "use_mixed_mlp_moe": true,
    "use_cla": false, "mlp_bias": false, "attention_bias": false, "moe_layer_num_skipped": 0, "norm_type": "rms",
    "eod_token_id": 3, "sep_token_id": 4,
    "rope_scaling": {"alpha": 1000.0, "factor": 1.0, "mscale": 1.0, "beta_fast": 32, "type": "dynamic"}})"));
  if (family == "deepseek_v32" || family == "glm_moe_dsa")
    config.update(Json::parse(R"({"index_topk": 64, "index_n_heads": 2, "index_head_dim": 8})"));
  if (family == "solar_open") {
    config.update(deepseek_moe);
    config.update(Json::parse(R"({"first_k_dense_replace": 0, "use_qk_norm": false, "partial_rotary_factor": 1.0})"));
  }
  if (family == "glm4_moe") {
    config.update(sigmoid);
    config.update(deepseek_moe);
    config.update(Json::parse(R"({"partial_rotary_factor": 0.5, "attention_bias": true, "use_qk_norm": true})"));
  }
  if (family == "dots1") {
    config.update(deepseek_moe);
    config.update(Json::parse(R"({"sliding_window": 4, "max_window_layers": 1, "attention_bias": false})"));
  }
  if (family == "minimax_m2")
    config.update(Json::parse(R"({"num_local_experts": 8, "num_experts_per_tok": 2, "head_dim": 12, "rotary_dim": 6,
    "scoring_func": "sigmoid", "use_routing_bias": true, "use_qk_norm": true, "qk_norm_type": "per_layer",
    "attn_type_list": [1, 1], "shared_intermediate_size": 0, "shared_moe_mode": "sigmoid", "layernorm_mlp_beta": 1.0,
    "mlp_intermediate_size": 64, "use_mtp": true, "num_mtp_modules": 3, "mtp_transformer_layers": 1})"));
  if (family == "ernie4_5_moe")
    config.update(Json::parse(R"({"moe_k": 2, "moe_num_experts": 8, "moe_num_shared_experts": 1, "use_bias": false,
    "moe_intermediate_size": 16, "moe_layer_start_index": 1, "moe_layer_end_index": 1, "moe_layer_interval": 1,
    "moe_capacity": [64, 64, 64], "moe_gate": "topk", "moe_use_aux_free": true, "num_nextn_predict_layers": 1})"));
  if (family == "hy_v3")
    config.update(Json::parse(R"({"num_experts": 8, "num_experts_per_tok": 2, "num_shared_experts": 1, "head_dim": 12,
    "moe_intermediate_size": 16, "expert_hidden_dim": 16, "router_scaling_factor": 2.826, "route_norm": true,
    "qk_norm": true, "moe_router_use_sigmoid": true, "moe_router_enable_expert_bias": true, "enable_lm_head_fp32": true,
    "first_k_dense_replace": 1, "enable_moe_fp32_combine": false, "num_nextn_predict_layers": 1})"));
  return config;
}

/// Without a single tensor: what is found wrong is found in the configuration. Returns what was noted, where the first
/// missing tensor says that the configuration was read whole.
inline std::vector<Note> read_published_config(const Json& config, std::vector<std::string> allow_unknown = {}) {
  const MemoryWeights none;
  Notes notes(std::move(allow_unknown));
  WeightReader reader(none, parse_quantization_config(config, "config.json", notes).scale_block);
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
