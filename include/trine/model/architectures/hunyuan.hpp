// SPDX-License-Identifier: Apache-2.0
// Hy3 of Tencent's Hunyuan: grouped-query attention with a norm of each head, experts chosen by a sigmoid with a
// balance bias, shared experts. Reference: transformers, models/hy_v3.
#pragma once

#include <cstddef>
#include <string_view>

#include <trine/model/architectures/hf_moe.hpp>

namespace trine::inline TRINE_ABI {

/// Defaults of absent keys: HYV3Config of transformers.
inline constexpr std::string_view kHyV3Defaults = R"({
    "vocab_size": 120832, "hidden_size": 4096, "intermediate_size": 13312, "moe_intermediate_size": 1536,
    "num_hidden_layers": 80, "num_attention_heads": 64, "num_key_value_heads": 8, "head_dim": 128,
    "hidden_act": "silu", "max_position_embeddings": 131072, "rms_norm_eps": 1e-5, "tie_word_embeddings": false,
    "rope_theta": 11158840.0, "attention_bias": false, "mlp_bias": false, "mlp_layer_types": null,
    "num_experts": 192, "num_experts_per_tok": 8, "num_shared_experts": 1, "router_scaling_factor": 2.826,
    "enable_moe_fp32_combine": true})";

/// Builder of "model_type": "hy_v3". Throws ConfigError, WeightError.
[[nodiscard]] inline ModelParts build_hy_v3(const BuildContext& context, const WeightScope& weights) {
  HfConfigReader reader(context, kHyV3Defaults);
  const HfConfig config = reader.common();
  hf::MoeDecoder parts{.heads = reader.heads(config.hidden_size)};
  parts.attention = {.qk_norm = GroupedQueryOptions::Norm::per_head, .norm_epsilon = config.rms_norm_eps};
  if (reader.boolean("attention_bias")) parts.attention.qkv_bias = parts.attention.o_bias = Linear::Bias::yes;
  hf::MoeConfig& moe = parts.moe;
  moe.is_dense = hf::read_mlp_layers(reader, config.num_hidden_layers);
  moe.intermediate_size = reader.integer("intermediate_size", 1, config_limits::kIntermediateSize);
  moe.moe_intermediate_size = reader.integer("moe_intermediate_size", 1, config_limits::kIntermediateSize);
  moe.num_experts =
      reader.integer(reader.first_present({"num_experts", "num_local_experts"}), 1, config_limits::kWidth);
  moe.num_experts_per_tok = reader.integer("num_experts_per_tok", 1, moe.num_experts);
  moe.num_shared_experts = reader.integer("num_shared_experts", 1, 1024);  // transformers reads 0 as something else
  moe.combine.routed_scale = static_cast<float>(reader.number("router_scaling_factor", 0.0, 1e6));
  if (reader.boolean("mlp_bias")) moe.mlp_bias = Linear::Bias::yes;
  for (const std::string_view key :
       {"route_norm", "qk_norm", "moe_router_use_sigmoid", "moe_router_enable_expert_bias"})
    reader.require_true(key);
  static_cast<void>(reader.boolean("enable_moe_fp32_combine"));            // all of it is f32 here
  reader.require_integer("expert_hidden_dim", moe.moe_intermediate_size);  // Tencent's name for the same
  reader.ignore({"enable_lm_head_fp32", "enable_attention_fp32_softmax"});
  parts.windows = hf::without_windows(reader, config.num_hidden_layers);
  parts.rotary = hf::read_rotary(reader, config, parts.heads.head_dim, parts.rotation);
  const std::size_t drafts = hf::read_draft_layers(reader);
  reader.reject_unknown_keys();
  const bool published = hf::first_mixture(weights, moe).contains("mlp.router.gate.weight");
  parts.names = published
                    ? hf::MoeNames{.gate = "router.gate", .balance_bias = "expert_bias", .shared_experts = "shared_mlp"}
                    : hf::MoeNames{.balance_bias = "e_score_correction_bias"};
  hf::ignore_draft_layers(weights / "model", config.num_hidden_layers, drafts);
  return hf::build_moe_decoder(context, config, weights, parts);
}

}  // namespace trine::inline TRINE_ABI
