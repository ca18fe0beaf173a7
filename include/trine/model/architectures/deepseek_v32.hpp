// SPDX-License-Identifier: Apache-2.0
// DeepSeek-V3.2 (arXiv:2512.02556) and GLM-5: DeepSeek-V3 whose latent attention sees only the index_topk positions
// that a small indexer selects. Up to index_topk positions that is all of them, and the indexer changes nothing: so far
// the context ends there, and the indexer is not read. References: transformers, models/deepseek_v32 and
// models/glm_moe_dsa.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>

#include <trine/model/architectures/deepseek.hpp>

namespace trine::inline TRINE_ABI {

namespace hf {

/// Both families. Throws ConfigError, WeightError.
[[nodiscard]] inline ModelParts build_sparse_latent(const BuildContext& context, HfConfigReader& reader,
                                                    const WeightScope& weights) {
  const HfConfig config = reader.common();
  const std::size_t layers = config.num_hidden_layers;
  const DeepseekConfig attention = parse_deepseek(reader, config, context, RotaryPairs::interleaved);
  if (!attention.attention.q_lora_rank) reader.fail("q_lora_rank", "an integer", reader.at("q_lora_rank"));
  const MoeConfig moe = read_v3_moe(reader, read_mlp_layer_types(reader, read_first_dense(reader, layers)));
  reader.require_true("rope_interleave");
  static_cast<void>(reader.boolean("mlp_bias"));  // no MLP of transformers reads it
  if (reader.has("layer_types"))
    for (const Json& type : reader.at("layer_types"))
      if (type != "indexed_attention")
        reader.fail("layer_types", "indexed_attention in every layer", type, ErrorKind::unsupported);
  const std::size_t selected = reader.integer("index_topk", 1, config_limits::kPositions);
  static_cast<void>(reader.integer("index_n_heads", 1, config_limits::kHeads));
  static_cast<void>(reader.integer("index_head_dim", 1, config_limits::kHeadDim));
  reader.ignore(
      {"indexer_types", "index_topk_freq", "index_skip_topk_offset", "index_topk_pattern", "indexer_rope_interleave"});
  const std::size_t drafts = read_draft_layers(reader);
  reader.reject_unknown_keys();
  weights.ignore({"*.self_attn.indexer.*", "it selects among more than index_topk positions, where the context ends"});
  ignore_draft_layers(weights / "model", layers, drafts);
  ModelParts parts = build_deepseek(context, config, attention, moe, weights);
  if (selected < parts.info.max_position_embeddings) {
    parts.info.max_position_embeddings = selected;
    parts.info.context_limit = "index_topk of the model, as selecting among more positions is not supported";
    reader.notes().add("index_topk", "the context ends at " + std::to_string(selected) +
                                         " positions: selecting among more is not supported");
  }
  return parts;
}

}  // namespace hf

/// Defaults of absent keys: DeepseekV32Config of transformers.
inline constexpr std::string_view kDeepseekV32Defaults = R"({
    "vocab_size": 129280, "hidden_size": 7168, "intermediate_size": 18432, "moe_intermediate_size": 2048,
    "num_hidden_layers": 61, "num_attention_heads": 128, "hidden_act": "silu", "max_position_embeddings": 163840,
    "rms_norm_eps": 1e-6, "tie_word_embeddings": false, "rope_theta": 1e4, "attention_bias": false,
    "q_lora_rank": 1536, "kv_lora_rank": 512, "qk_nope_head_dim": 128, "qk_rope_head_dim": 64, "v_head_dim": 128,
    "mlp_layer_types": null, "layer_types": null, "first_k_dense_replace": 3, "n_routed_experts": 256,
    "n_shared_experts": 1, "num_experts_per_tok": 8, "n_group": 8, "topk_group": 4, "norm_topk_prob": true,
    "routed_scaling_factor": 2.5, "mlp_bias": false, "index_topk": 2048, "index_n_heads": 64, "index_head_dim": 128})";

/// Builder of "model_type": "deepseek_v32". Throws ConfigError, WeightError.
[[nodiscard]] inline ModelParts build_deepseek_v32(const BuildContext& context, const WeightScope& weights) {
  HfConfigReader reader(context, kDeepseekV32Defaults);
  return hf::build_sparse_latent(context, reader, weights);
}

/// Defaults of absent keys: GlmMoeDsaConfig of transformers.
inline constexpr std::string_view kGlmMoeDsaDefaults = R"({
    "vocab_size": 154880, "hidden_size": 6144, "intermediate_size": 12288, "moe_intermediate_size": 2048,
    "num_hidden_layers": 78, "num_attention_heads": 64, "hidden_act": "silu", "max_position_embeddings": 202752,
    "rms_norm_eps": 1e-5, "tie_word_embeddings": false, "rope_theta": 1e4, "attention_bias": false,
    "q_lora_rank": 2048, "kv_lora_rank": 512, "qk_nope_head_dim": 192, "qk_rope_head_dim": 64, "v_head_dim": 256,
    "mlp_layer_types": null, "layer_types": null, "first_k_dense_replace": 3, "n_routed_experts": 256,
    "n_shared_experts": 1, "num_experts_per_tok": 8, "n_group": 1, "topk_group": 1, "norm_topk_prob": true,
    "routed_scaling_factor": 2.5, "mlp_bias": false, "index_topk": 2048, "index_n_heads": 32, "index_head_dim": 128})";

/// Builder of "model_type": "glm_moe_dsa". Throws ConfigError, WeightError.
[[nodiscard]] inline ModelParts build_glm_moe_dsa(const BuildContext& context, const WeightScope& weights) {
  HfConfigReader reader(context, kGlmMoeDsaDefaults);
  return hf::build_sparse_latent(context, reader, weights);
}

}  // namespace trine::inline TRINE_ABI
