// SPDX-License-Identifier: Apache-2.0
// MiniMax-M2: queries and keys are normalised over all heads together, a part of each head rotates, and experts are
// chosen by sigmoids with a balance bias. Reference: transformers, models/minimax_m2.
#pragma once

#include <cstddef>
#include <string_view>

#include <trine/model/architectures/hf_moe.hpp>

namespace trine::inline TRINE_ABI {

/// Defaults of absent keys: MiniMaxM2Config of transformers.
inline constexpr std::string_view kMiniMaxM2Defaults = R"({
    "vocab_size": 200064, "hidden_size": 3072, "intermediate_size": 1536, "num_hidden_layers": 62,
    "num_attention_heads": 48, "num_key_value_heads": 8, "head_dim": 128, "hidden_act": "silu",
    "max_position_embeddings": 196608, "rms_norm_eps": 1e-6, "tie_word_embeddings": false, "rope_theta": 5e6,
    "num_local_experts": 256, "num_experts_per_tok": 8})";

namespace hf {

/// Keys of MiniMax's own code for what its releases do not use, or for what transformers does in any case.
inline void read_minimax_constants(HfConfigReader& reader) {
  reader.require_true("use_qk_norm");
  reader.require_true("use_routing_bias");
  if (reader.has("qk_norm_type")) static_cast<void>(reader.choice<bool>("qk_norm_type", {{"per_layer", true}}));
  if (reader.has("scoring_func")) static_cast<void>(reader.choice<bool>("scoring_func", {{"sigmoid", true}}));
  reader.require_integer("shared_intermediate_size", 0);
  if (reader.has("attn_type_list"))
    for (const Json& type : reader.at("attn_type_list"))
      if (type != 1) reader.fail("attn_type_list", "1, full attention, in every layer", type, ErrorKind::unsupported);
  for (const std::string_view key :
       {"layernorm_full_attention_beta", "layernorm_linear_attention_beta", "layernorm_mlp_beta"})
    if (reader.has(key)) static_cast<void>(reader.number(key, 1.0, 1.0));
  reader.ignore({"mlp_intermediate_size", "shared_moe_mode", "max_model_len"});
  reader.ignore({"use_mtp", "num_mtp_modules", "mtp_transformer_layers"});  // released without these layers
}

}  // namespace hf

/// Builder of "model_type": "minimax_m2". Throws ConfigError, WeightError.
[[nodiscard]] inline ModelParts build_minimax_m2(const BuildContext& context, const WeightScope& weights) {
  HfConfigReader reader(context, kMiniMaxM2Defaults);
  const HfConfig config = reader.common();
  hf::MoeDecoder parts{.heads = reader.heads(config.hidden_size)};
  parts.attention = {.qk_norm = GroupedQueryOptions::Norm::whole_vector, .norm_epsilon = config.rms_norm_eps};
  hf::MoeConfig& moe = parts.moe;
  moe.is_dense.resize(config.num_hidden_layers);
  moe.num_experts =
      reader.integer(reader.first_present({"num_local_experts", "num_experts"}), 1, config_limits::kWidth);
  moe.num_experts_per_tok = reader.integer("num_experts_per_tok", 1, moe.num_experts);
  moe.moe_intermediate_size = reader.integer("intermediate_size", 1, config_limits::kIntermediateSize);
  hf::read_minimax_constants(reader);
  parts.windows = hf::without_windows(reader, config.num_hidden_layers);
  // transformers takes the part as a share of a head, and rounds down.
  const std::size_t head_dim = parts.heads.head_dim;
  const auto width = static_cast<double>(head_dim);
  const auto part = static_cast<double>(reader.integer_or("rotary_dim", 2, head_dim, head_dim));
  parts.rotation.rotary_dim = static_cast<std::size_t>(width * (part / width));
  parts.rotary = hf::read_rotary(reader, config, head_dim, parts.rotation);
  reader.reject_unknown_keys();
  const bool fused = hf::first_mixture(weights, moe).contains("mlp.gate.weight");  // the layout of transformers 5
  parts.names = {.block = fused ? "mlp" : "block_sparse_moe",
                 .balance_bias = "e_score_correction_bias",
                 .experts = {.gate = "w1", .up = "w3", .down = "w2"}};
  hf::ignore_draft_layers(weights / "model", config.num_hidden_layers, 0);
  return hf::build_moe_decoder(context, config, weights, parts);
}

}  // namespace trine::inline TRINE_ABI
