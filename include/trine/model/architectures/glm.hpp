// SPDX-License-Identifier: Apache-2.0
// GLM-4.5, 4.6 and 4.7 (arXiv:2508.06471): grouped-query attention that rotates half of each head. GLM-4.7-Flash:
// latent attention. Both: the feed-forward layers of DeepSeek-V3. References: transformers, models/glm4_moe and
// models/glm4_moe_lite.
#pragma once

#include <string_view>
#include <utility>

#include <trine/model/architectures/deepseek.hpp>

namespace trine::inline TRINE_ABI {

namespace hf {

/// Reads the rest of the configuration of a family of GLM-4.5's graph, and builds it.
[[nodiscard]] inline ModelParts build_glm4(const BuildContext& context, const HfConfig& config, HfConfigReader& reader,
                                           const WeightScope& weights, MoeDecoder parts) {
  parts.heads = reader.heads(config.hidden_size);
  if (reader.boolean("attention_bias")) parts.attention.qkv_bias = Linear::Bias::yes;
  parts.windows = without_windows(reader, config.num_hidden_layers);
  parts.rotation.rotary_dim = parts.heads.head_dim;
  parts.rotary = read_rotary(reader, config, parts.heads.head_dim, parts.rotation);
  reader.ignore({"decoder_sparse_step", "moe_router_dtype"});  // of other software; routers are f32
  const std::size_t drafts = read_draft_layers(reader);
  reader.reject_unknown_keys();
  ignore_draft_layers(weights / "model", config.num_hidden_layers, drafts);
  return build_moe_decoder(context, config, weights, parts);
}

}  // namespace hf

/// Defaults of absent keys: Glm4MoeConfig of transformers.
inline constexpr std::string_view kGlm4MoeDefaults = R"({
    "vocab_size": 151552, "hidden_size": 4096, "intermediate_size": 10944, "moe_intermediate_size": 1408,
    "num_hidden_layers": 46, "num_attention_heads": 96, "num_key_value_heads": 8, "hidden_act": "silu",
    "max_position_embeddings": 131072, "rms_norm_eps": 1e-5, "tie_word_embeddings": false, "rope_theta": 1e4,
    "partial_rotary_factor": 0.5, "attention_bias": false, "use_qk_norm": false, "first_k_dense_replace": 1,
    "n_routed_experts": 128, "n_shared_experts": 1, "num_experts_per_tok": 8, "n_group": 1, "topk_group": 1,
    "norm_topk_prob": true, "routed_scaling_factor": 1.0, "num_nextn_predict_layers": 1})";

/// Builder of "model_type": "glm4_moe". Throws ConfigError, WeightError.
[[nodiscard]] inline ModelParts build_glm4_moe(const BuildContext& context, const WeightScope& weights) {
  HfConfigReader reader(context, kGlm4MoeDefaults);
  const HfConfig config = reader.common();
  hf::MoeDecoder parts;
  if (reader.boolean("use_qk_norm"))
    parts.attention = {.qk_norm = GroupedQueryOptions::Norm::per_head, .norm_epsilon = config.rms_norm_eps};
  parts.moe = hf::read_v3_moe(reader, hf::read_first_dense(reader, config.num_hidden_layers));
  return hf::build_glm4(context, config, reader, weights, std::move(parts));
}

/// Defaults of absent keys: Glm4MoeLiteConfig of transformers.
inline constexpr std::string_view kGlm4MoeLiteDefaults = R"({
    "vocab_size": 154880, "hidden_size": 2048, "intermediate_size": 10240, "moe_intermediate_size": 1536,
    "num_hidden_layers": 47, "num_attention_heads": 20, "hidden_act": "silu", "max_position_embeddings": 202752,
    "rms_norm_eps": 1e-5, "tie_word_embeddings": false, "rope_theta": 1e4, "rope_interleave": true,
    "attention_bias": false, "q_lora_rank": 768, "kv_lora_rank": 512, "qk_nope_head_dim": 192, "qk_rope_head_dim": 64,
    "v_head_dim": 256, "mlp_layer_types": null, "n_routed_experts": 64, "n_shared_experts": 1,
    "num_experts_per_tok": 4, "n_group": 1, "topk_group": 1, "norm_topk_prob": true, "routed_scaling_factor": 1.8})";

/// Builder of "model_type": "glm4_moe_lite". Throws ConfigError, WeightError.
[[nodiscard]] inline ModelParts build_glm4_moe_lite(const BuildContext& context, const WeightScope& weights) {
  HfConfigReader reader(context, kGlm4MoeLiteDefaults);
  const HfConfig config = reader.common();
  const RotaryPairs pairs = reader.boolean("rope_interleave") ? RotaryPairs::interleaved : RotaryPairs::half_split;
  const hf::DeepseekConfig attention =
      hf::parse_deepseek(reader, config, context, pairs, reader.first_present({"qk_rope_head_dim", "head_dim"}));
  const hf::MoeConfig moe = hf::read_v3_moe(reader, hf::read_mlp_layers(reader, config.num_hidden_layers));
  static_cast<void>(hf::without_windows(reader, config.num_hidden_layers));
  const std::size_t drafts = hf::read_draft_layers(reader);
  reader.reject_unknown_keys();
  hf::ignore_draft_layers(weights / "model", config.num_hidden_layers, drafts);
  return hf::build_deepseek(context, config, attention, moe, weights);
}

}  // namespace trine::inline TRINE_ABI
