// SPDX-License-Identifier: Apache-2.0
// ERNIE 4.5 (Baidu, "ERNIE 4.5 Technical Report", 2025): experts chosen by a softmax with a balance bias, shared
// experts, interleaved rotation. Reference: transformers, models/ernie4_5_moe.
#pragma once

#include <cstddef>
#include <string_view>

#include <trine/model/architectures/hf_moe.hpp>

namespace trine::inline TRINE_ABI {

namespace hf {

/// Keys of Baidu's own code that say how it trains, or for one supported value.
inline void read_ernie_constants(HfConfigReader& reader) {
  if (reader.has("use_bias")) reader.require_false("use_bias");
  reader.require_true("moe_use_aux_free");
  if (reader.has("moe_gate")) static_cast<void>(reader.choice<bool>("moe_gate", {{"topk", true}}));
  if (reader.has("moe_gate_act")) static_cast<void>(reader.choice<bool>("moe_gate_act", {{"softmax", true}}));
  reader.ignore({"moe_capacity", "num_nextn_predict_layers", "compression_ratio", "multi_token_pred_lambda"});
}

}  // namespace hf

/// Defaults of absent keys: Ernie4_5_MoeConfig of transformers.
inline constexpr std::string_view kErnie45MoeDefaults = R"({
    "vocab_size": 103424, "hidden_size": 2560, "intermediate_size": 12288, "moe_intermediate_size": 1536,
    "num_hidden_layers": 28, "num_attention_heads": 20, "num_key_value_heads": 4, "hidden_act": "silu",
    "max_position_embeddings": 131072, "rms_norm_eps": 1e-5, "tie_word_embeddings": true, "rope_theta": 5e5,
    "use_bias": false, "moe_k": 6, "moe_num_experts": 64, "moe_num_shared_experts": 2, "moe_layer_start_index": 1,
    "moe_layer_end_index": -1, "moe_layer_interval": 1, "moe_norm_min": 1e-12})";

/// Builder of "model_type": "ernie4_5_moe". Throws ConfigError, WeightError.
[[nodiscard]] inline ModelParts build_ernie4_5_moe(const BuildContext& context, const WeightScope& weights) {
  HfConfigReader reader(context, kErnie45MoeDefaults);
  const HfConfig config = reader.common();
  const std::size_t layers = config.num_hidden_layers;
  hf::MoeDecoder parts{.heads = reader.heads(config.hidden_size), .rotation = {.pairs = RotaryPairs::interleaved}};
  hf::MoeConfig& moe = parts.moe;
  moe.score = RouterScore::softmax;
  moe.num_experts = reader.integer(reader.first_present({"moe_num_experts", "num_experts"}), 1, config_limits::kWidth);
  moe.num_experts_per_tok = reader.integer(reader.first_present({"moe_k", "num_experts_per_tok"}), 1, moe.num_experts);
  moe.num_shared_experts = reader.integer("moe_num_shared_experts", 0, 1024);
  moe.moe_intermediate_size = reader.integer("moe_intermediate_size", 1, config_limits::kIntermediateSize);
  moe.intermediate_size = reader.integer("intermediate_size", 1, config_limits::kIntermediateSize);
  moe.combine.least_sum = static_cast<float>(reader.number("moe_norm_min", 0.0, 1e6));
  const std::size_t first = reader.integer("moe_layer_start_index", 0, config_limits::kLayers);
  const bool to_the_end = reader.at("moe_layer_end_index") == -1;
  const std::size_t last = to_the_end ? layers - 1 : reader.integer("moe_layer_end_index", 0, config_limits::kLayers);
  const std::size_t interval = reader.integer("moe_layer_interval", 1, config_limits::kLayers);
  for (std::size_t layer = 0; layer < layers; ++layer)
    moe.is_dense.push_back((layer + 1) % interval != 0 || layer < first || layer > last);
  hf::read_ernie_constants(reader);
  parts.windows = hf::without_windows(reader, layers);
  parts.rotary = hf::read_rotary(reader, config, parts.heads.head_dim, parts.rotation);
  reader.reject_unknown_keys();
  constexpr std::string_view kInside = "gate.moe_statics.e_score_correction_bias";  // the layout of transformers 5
  const bool fused = (hf::first_mixture(weights, moe) / "mlp").contains(kInside);
  parts.names.balance_bias = fused ? kInside : kInside.substr(std::string_view("gate.").size());
  parts.names.bias_is_row = true;
  weights.ignore({"model.mtp_*", "layers for multi-token prediction; the model answers without them"});
  return hf::build_moe_decoder(context, config, weights, parts);
}

}  // namespace trine::inline TRINE_ABI
