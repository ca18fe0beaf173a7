// SPDX-License-Identifier: Apache-2.0
// Mellum 2: the blocks of Qwen3-MoE with windows and rope by layer type. Reference: transformers, models/mellum.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <trine/model/architectures/hf_decoder.hpp>
#include <trine/model/architectures/hf_layer_lists.hpp>

namespace trine::inline TRINE_ABI {

/// Defaults of absent keys: MellumConfig of transformers.
inline constexpr std::string_view kMellumDefaults = R"({
    "vocab_size": 98304, "hidden_size": 2304, "intermediate_size": 7168, "num_hidden_layers": 28,
    "num_attention_heads": 32, "num_key_value_heads": 4, "head_dim": 128, "hidden_act": "silu",
    "max_position_embeddings": 131072, "rms_norm_eps": 1e-6, "tie_word_embeddings": false,
    "rope_parameters": {"full_attention": {"rope_type": "default", "rope_theta": 500000.0},
                        "sliding_attention": {"rope_type": "default", "rope_theta": 10000.0}},
    "attention_bias": false, "sliding_window": 1024, "layer_types": null, "mlp_layer_types": null,
    "moe_intermediate_size": 896, "num_experts": 64, "num_experts_per_tok": 8, "norm_topk_prob": true,
    "num_mtp_layers": null, "mtp_layer_types": null, "mtp_mlp_layer_types": null})";

/// Builder of "model_type": "mellum". Throws ConfigError, WeightError.
[[nodiscard]] inline ModelParts build_mellum(const BuildContext& context, const WeightScope& weights) {
  HfConfigReader reader(context, kMellumDefaults);
  const HfConfig config = reader.common();
  const std::size_t hidden = config.hidden_size;
  const std::size_t layers = config.num_hidden_layers;
  const HfConfigReader::Heads heads = reader.heads(hidden);
  GroupedQueryOptions attention{.qk_norm = GroupedQueryOptions::Norm::per_head, .norm_epsilon = config.rms_norm_eps};
  if (reader.boolean("attention_bias")) attention.qkv_bias = attention.o_bias = Linear::Bias::yes;
  const hf::Windows windows = hf::windows_by_layer(reader, hf::read_window(reader), std::vector<bool>(layers));
  const RopeContext rope{heads.head_dim, config.max_position_embeddings};
  const hf::RotaryByType rotary = hf::read_rotary_by_type(reader, windows, rope, rope);
  const std::vector<bool> sparse = hf::read_sparse_layers(reader, std::vector<bool>(layers, true));
  const std::size_t ffn = reader.integer("intermediate_size", 1, config_limits::kIntermediateSize);
  const std::size_t expert_ffn = reader.integer("moe_intermediate_size", 1, config_limits::kIntermediateSize);
  const std::size_t experts =
      reader.integer(reader.first_present({"num_experts", "num_local_experts"}), 1, config_limits::kWidth);
  const std::size_t k = reader.integer("num_experts_per_tok", 1, experts);
  const CombineWeights combine{.normalize = reader.boolean("norm_topk_prob")};
  reader.ignore({"num_mtp_layers", "num_nextn_predict_layers", "mtp_layer_types", "mtp_mlp_layer_types"});
  reader.reject_unknown_keys();
  weights.ignore({"mtp.*", "layers for multi-token prediction; the model answers without them"});

  std::string summary = "grouped-query attention, q/k norm" + hf::window_of(windows) + "; " +
                        hf::count_of_experts(k, experts) + ", softmax top-k";
  return hf::build_decoder(config, std::move(summary), weights, [&](const WeightScope& scope, std::size_t layer) {
    auto self = hf::grouped_query(context, scope, hidden, heads, rotary.of(windows.slides[layer]), windows.of(layer),
                                  attention);
    const WeightScope mlp = scope / "mlp";
    if (!sparse[layer])
      return hf::DecoderLayer{std::move(self),
                              std::make_unique<DenseFeedForward>(mlp.as(TensorRole::mlp), hidden, ffn)};
    auto router = std::make_unique<LinearRouter>(Linear((mlp / "gate").as(TensorRole::router), hidden, experts),
                                                 RouterScore::softmax, TopKOptions{.k = k, .threshold = {}}, combine);
    return hf::DecoderLayer{std::move(self),
                            hf::moe_layer(context, layer, std::move(router),
                                          hf::read_experts(mlp / "experts", experts, hidden, expert_ffn))};
  });
}

}  // namespace trine::inline TRINE_ABI
