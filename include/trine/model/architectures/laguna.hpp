// SPDX-License-Identifier: Apache-2.0
// Laguna: heads and rope by layer, output gates by softplus, sigmoid routing with a balance bias, a shared expert.
// Reference: transformers, models/laguna.
#pragma once

#include <algorithm>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <trine/model/architectures/hf_decoder.hpp>
#include <trine/model/architectures/hf_layer_lists.hpp>

namespace trine::inline TRINE_ABI {

namespace hf {

/// "gating": true or "per-head", or "per-element".
[[nodiscard]] inline OutputGateOptions read_laguna_gate(HfConfigReader& reader) {
  OutputGateOptions gate{.name = "g_proj", .activation = OutputGateOptions::Activation::softplus};
  const Json& value = reader.at("gating");
  if (value == "per-element") {
    gate.per_element = true;
  } else if (value != true && value != "per-head") {
    reader.fail("gating", "true, \"per-head\" or \"per-element\"", value, ErrorKind::unsupported);
  }
  return gate;
}

/// "num_attention_heads_per_layer", each a multiple of the key heads.
[[nodiscard]] inline std::vector<std::size_t> read_heads_by_layer(HfConfigReader& reader,
                                                                  const HfConfigReader::Heads& heads,
                                                                  std::size_t layers) {
  constexpr std::string_view kKey = "num_attention_heads_per_layer";
  auto counts = read_integers(reader, kKey, layers, 1, config_limits::kHeads);
  if (!counts) return std::vector<std::size_t>(layers, heads.num_attention_heads);
  for (const std::size_t count : *counts)
    if (count % heads.num_key_value_heads != 0)
      reader.fail(kKey, "multiples of num_key_value_heads = " + std::to_string(heads.num_key_value_heads), count);
  return *std::move(counts);
}

}  // namespace hf

/// Defaults of absent keys: LagunaConfig of transformers.
inline constexpr std::string_view kLagunaDefaults = R"({
    "vocab_size": 100352, "hidden_size": 2048, "intermediate_size": 8192, "num_hidden_layers": 40,
    "num_attention_heads": 48, "num_key_value_heads": 8, "head_dim": 128, "hidden_act": "silu",
    "max_position_embeddings": 131072, "rms_norm_eps": 1e-6, "tie_word_embeddings": false,
    "rope_parameters": {
        "full_attention": {"rope_type": "default", "rope_theta": 500000.0, "partial_rotary_factor": 0.5},
        "sliding_attention": {"rope_type": "default", "rope_theta": 10000.0, "partial_rotary_factor": 1.0}},
    "sliding_window": 512, "layer_types": null, "attention_bias": false, "gating": true,
    "num_attention_heads_per_layer": null, "mlp_layer_types": null, "moe_intermediate_size": 512,
    "shared_expert_intermediate_size": 512, "num_experts": 256, "num_experts_per_tok": 8,
    "moe_routed_scaling_factor": 1.0, "moe_apply_router_weight_on_input": false,
    "moe_router_logit_softcapping": 0.0})";

/// Builder of "model_type": "laguna". Throws ConfigError, WeightError.
[[nodiscard]] inline ModelParts build_laguna(const BuildContext& context, const WeightScope& weights) {
  HfConfigReader reader(context, kLagunaDefaults);
  const HfConfig config = reader.common();
  const std::size_t hidden = config.hidden_size;
  const std::size_t layers = config.num_hidden_layers;
  const HfConfigReader::Heads heads = reader.heads(hidden);
  const std::vector<std::size_t> head_counts = hf::read_heads_by_layer(reader, heads, layers);
  GroupedQueryOptions attention{.qk_norm = GroupedQueryOptions::Norm::per_head, .norm_epsilon = config.rms_norm_eps};
  attention.output_gate = hf::read_laguna_gate(reader);
  if (reader.boolean("attention_bias")) attention.qkv_bias = attention.o_bias = Linear::Bias::yes;
  const hf::Windows windows = hf::windows_by_layer(reader, hf::read_window(reader), std::vector<bool>(layers));
  const RopeContext rope{heads.head_dim, config.max_position_embeddings, heads.head_dim};
  const hf::RotaryByType rotary = hf::read_rotary_by_type(reader, windows, rope, rope);

  const std::vector<bool> sparse = hf::read_sparse_layers(reader, hf::layers_from(1, layers));
  const std::size_t ffn = reader.integer("intermediate_size", 1, config_limits::kIntermediateSize);
  const std::size_t expert_ffn = reader.integer("moe_intermediate_size", 1, config_limits::kIntermediateSize);
  const std::size_t shared_ffn = reader.integer("shared_expert_intermediate_size", 1, config_limits::kIntermediateSize);
  const std::size_t experts = reader.integer("num_experts", 1, config_limits::kWidth);
  const std::size_t k = reader.integer("num_experts_per_tok", 1, experts);
  const auto scale = static_cast<float>(reader.number("moe_routed_scaling_factor", 0.0, 1e6));
  const auto softcap = static_cast<float>(reader.number("moe_router_logit_softcapping", 0.0, 1e6));
  reader.require_false("moe_apply_router_weight_on_input");
  reader.reject_unknown_keys();

  weights.add_synonyms({{"shared_expert", "shared_experts"}});
  std::string summary = "grouped-query attention, q/k norm, output gate" + hf::window_of(windows) + "; " +
                        hf::count_of_experts(k, experts) + ", sigmoid, 1 shared";
  return hf::build_decoder(config, std::move(summary), weights, [&](const WeightScope& scope, std::size_t layer) {
    HfConfigReader::Heads own = heads;
    own.num_attention_heads = head_counts[layer];
    auto self =
        hf::grouped_query(context, scope, hidden, own, rotary.of(windows.slides[layer]), windows.of(layer), attention);
    const WeightScope mlp = scope / "mlp";
    if (!sparse[layer])
      return hf::DecoderLayer{std::move(self),
                              std::make_unique<DenseFeedForward>(mlp.as(TensorRole::mlp), hidden, ffn)};
    const WeightScope gate = (mlp / "gate").as(TensorRole::router);
    const bool published = (mlp / "experts").contains("e_score_correction_bias");
    RouterExtras extras(hf::read_balance_bias(published ? mlp / "experts" : gate, "e_score_correction_bias", experts));
    if (softcap > 0.0F) extras.logit_softcap = softcap;
    auto router = std::make_unique<LinearRouter>(
        Linear(gate, hidden, experts), RouterScore::sigmoid, TopKOptions{.k = k, .threshold = {}},
        CombineWeights{.routed_scale = scale}, std::nullopt, std::move(extras));
    const WeightScope shared =
        mlp / (mlp.contains("shared_expert.gate_proj.weight") ? "shared_expert" : "shared_experts");
    return hf::DecoderLayer{
        std::move(self),
        hf::moe_layer(context, layer, std::move(router), hf::read_experts(mlp / "experts", experts, hidden, expert_ffn),
                      GatedMlp(shared.as(TensorRole::shared_experts), hidden, shared_ffn))};
  });
}

}  // namespace trine::inline TRINE_ABI
