// SPDX-License-Identifier: Apache-2.0
// Sarvam-30B: GLM-4.5 with whole heads that rotate, under other names; queries, keys and values share a tensor.
// Reference: transformers, models/sarvam_moe.
#pragma once

#include <string_view>
#include <utility>

#include <trine/model/architectures/glm.hpp>

namespace trine::inline TRINE_ABI {

/// Defaults of absent keys: SarvamMoEConfig of transformers.
inline constexpr std::string_view kSarvamMoeDefaults = R"({
    "vocab_size": 262144, "hidden_size": 4096, "intermediate_size": 8192, "moe_intermediate_size": 1024,
    "num_hidden_layers": 19, "num_attention_heads": 64, "num_key_value_heads": 4, "head_dim": 64,
    "hidden_act": "silu", "max_position_embeddings": 131072, "rms_norm_eps": 1e-6, "tie_word_embeddings": false,
    "rope_theta": 8e6, "attention_bias": false, "use_qk_norm": true, "first_k_dense_replace": 1,
    "n_routed_experts": 128, "n_shared_experts": 1, "num_experts_per_tok": 6, "n_group": 1, "topk_group": 1,
    "norm_topk_prob": true, "routed_scaling_factor": 2.5, "partial_rotary_factor": 1.0, "num_nextn_predict_layers": 0})";

/// Builder of "model_type": "sarvam_moe". Throws ConfigError, WeightError.
[[nodiscard]] inline ModelParts build_sarvam_moe(const BuildContext& context, const WeightScope& weights) {
  HfConfigReader reader(context, kSarvamMoeDefaults);
  const HfConfig config = reader.common();
  hf::MoeDecoder parts;
  if (reader.boolean("use_qk_norm"))
    parts.attention = {.qk_norm = GroupedQueryOptions::Norm::per_head, .norm_epsilon = config.rms_norm_eps};
  parts.moe = hf::read_v3_moe(reader, hf::read_first_dense(reader, config.num_hidden_layers));
  const std::string_view shared = reader.first_present({"n_shared_experts", "num_shared_experts"});
  parts.moe.num_shared_experts = reader.integer_or(shared, 0, 1024, 0);
  if (reader.boolean(reader.first_present({"attention_bias", "use_qkv_bias"})))
    parts.attention.qkv_bias = Linear::Bias::yes;
  // Of the published code, with the values that transformers takes for granted.
  if (reader.has("use_bias")) reader.require_false("use_bias");
  if (reader.has("score_function")) static_cast<void>(reader.choice<bool>("score_function", {{"sigmoid", true}}));
  reader.require_true("moe_router_enable_expert_bias");
  reader.ignore({"embedding_dropout", "output_dropout", "router_dtype", "max_window_layers", "rotary_type"});
  const WeightScope model = weights / "model";
  if (model.contains("word_embeddings.weight")) parts.options.embedding = "word_embeddings";
  if (model.contains("layers.0.attention.query_key_value.weight")) {  // published, or converted
    parts.attention.names = {.output = "dense",
                             .query_norm = "query_layernorm",
                             .key_norm = "key_layernorm",
                             .fused = "query_key_value",
                             .module = "attention"};
    parts.names.balance_bias = "gate.expert_bias";
    weights.add_synonyms({{"attention", "self_attn"}, {"dense", "o_proj"}, {"word_embeddings", "embed_tokens"}});
  }
  return hf::build_glm4(context, config, reader, weights, std::move(parts));
}

}  // namespace trine::inline TRINE_ABI
