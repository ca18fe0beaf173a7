// SPDX-License-Identifier: Apache-2.0
// Solar Open (Upstage): grouped-query attention that rotates whole heads, and the feed-forward layers of DeepSeek-V3 in
// every layer. Reference: transformers, models/solar_open.
#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

#include <trine/model/architectures/hf_moe.hpp>

namespace trine::inline TRINE_ABI {

/// Defaults of absent keys: SolarOpenConfig of transformers.
inline constexpr std::string_view kSolarOpenDefaults = R"({
    "vocab_size": 196608, "hidden_size": 4096, "moe_intermediate_size": 1280, "num_hidden_layers": 48,
    "num_attention_heads": 64, "num_key_value_heads": 8, "head_dim": 128, "hidden_act": "silu",
    "max_position_embeddings": 131072, "rms_norm_eps": 1e-5, "tie_word_embeddings": false, "rope_theta": 1e6,
    "attention_bias": false, "n_routed_experts": 128, "n_shared_experts": 1, "num_experts_per_tok": 8, "n_group": 1,
    "topk_group": 1, "norm_topk_prob": true, "routed_scaling_factor": 1.0})";

/// Builder of "model_type": "solar_open". Throws ConfigError, WeightError.
[[nodiscard]] inline ModelParts build_solar_open(const BuildContext& context, const WeightScope& weights) {
  HfConfigReader reader(context, kSolarOpenDefaults);
  const HfConfig config = reader.common();
  hf::MoeDecoder parts{.heads = reader.heads(config.hidden_size)};
  if (reader.boolean("attention_bias")) parts.attention.qkv_bias = Linear::Bias::yes;
  parts.moe = hf::read_v3_moe(reader, std::vector<bool>(config.num_hidden_layers));
  parts.windows = hf::without_windows(reader, config.num_hidden_layers);
  parts.rotary = hf::read_rotary(reader, config, parts.heads.head_dim, parts.rotation);
  // Of the graph of GLM-4.5, which is this one with these values.
  reader.require_integer("first_k_dense_replace", 0);
  if (reader.has("use_qk_norm")) reader.require_false("use_qk_norm");
  const std::size_t drafts = hf::read_draft_layers(reader);
  reader.reject_unknown_keys();
  hf::ignore_draft_layers(weights / "model", config.num_hidden_layers, drafts);
  return hf::build_moe_decoder(context, config, weights, parts);
}

}  // namespace trine::inline TRINE_ABI
