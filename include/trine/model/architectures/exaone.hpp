// SPDX-License-Identifier: Apache-2.0
// K-EXAONE: windows that rotate beside full layers that do not, a norm of each head, the feed-forward layers of
// DeepSeek-V3. Reference: transformers, models/exaone_moe.
#pragma once

#include <cstddef>
#include <string_view>
#include <utility>
#include <vector>

#include <trine/model/architectures/hf_moe.hpp>

namespace trine::inline TRINE_ABI {

/// Defaults of absent keys: ExaoneMoeConfig of transformers.
inline constexpr std::string_view kExaoneMoeDefaults = R"({
    "vocab_size": 102400, "hidden_size": 4096, "intermediate_size": 16384, "moe_intermediate_size": 1024,
    "num_hidden_layers": 32, "num_attention_heads": 32, "num_key_value_heads": 32, "hidden_act": "silu",
    "max_position_embeddings": 2048, "rms_norm_eps": 1e-5, "tie_word_embeddings": false, "rope_theta": 1e4,
    "sliding_window": 4096, "sliding_window_pattern": 4, "layer_types": null, "mlp_layer_types": null,
    "first_k_dense_replace": 1, "num_experts": 64, "num_experts_per_tok": 8, "num_shared_experts": 1,
    "norm_topk_prob": true, "routed_scaling_factor": 2.5, "n_group": 1, "topk_group": 1})";

/// Builder of "model_type": "exaone_moe". Throws ConfigError, WeightError.
[[nodiscard]] inline ModelParts build_exaone_moe(const BuildContext& context, const WeightScope& weights) {
  HfConfigReader reader(context, kExaoneMoeDefaults);
  const HfConfig config = reader.common();
  const std::size_t layers = config.num_hidden_layers;
  hf::MoeDecoder parts{.heads = reader.heads(config.hidden_size)};
  parts.attention = {.qk_norm = GroupedQueryOptions::Norm::per_head, .norm_epsilon = config.rms_norm_eps};
  parts.full_layers_rotate = false;
  std::vector<bool> slides(layers);
  if (reader.has("layer_types")) {
    static_cast<void>(reader.has("sliding_window_pattern"));  // not read beside it; published as "LLLG"
  } else {
    const std::size_t period = reader.integer("sliding_window_pattern", 1, config_limits::kLayers);
    for (std::size_t layer = 0; layer < layers; ++layer) slides[layer] = (layer + 1) % period != 0;
  }
  const std::size_t window = reader.integer("sliding_window", 1, config_limits::kPositions);
  parts.windows = hf::windows_by_layer(reader, window, std::move(slides));
  parts.moe = hf::read_v3_moe(reader, hf::read_mlp_layer_types(reader, hf::read_first_dense(reader, layers)));
  parts.moe.num_shared_experts = reader.integer("num_shared_experts", 1, 1024);
  parts.rotary = hf::read_rotary(reader, config, parts.heads.head_dim, parts.rotation);
  reader.ignore({"is_moe_layer", "num_nextn_predict_layers", "mtp_share_layers", "mtp_loss_scaling_factor"});
  reader.reject_unknown_keys();
  if (hf::first_mixture(weights, parts.moe).contains("mlp.e_score_correction_bias"))
    parts.names.balance_bias = "e_score_correction_bias";
  weights.ignore({"mtp.*", "a layer for multi-token prediction; the model answers without it"});
  hf::ignore_draft_layers(weights / "model", layers, 0);  // of converted files
  return hf::build_moe_decoder(context, config, weights, parts);
}

}  // namespace trine::inline TRINE_ABI
