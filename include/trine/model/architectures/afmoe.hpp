// SPDX-License-Identifier: Apache-2.0
// AFMoE (Trinity): windows that rotate beside full layers that do not, output gates, norms before and after attention
// and feed-forward, sigmoid routing with a balance bias, shared experts. Reference: transformers, models/afmoe.
#pragma once

#include <cmath>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <trine/model/architectures/hf_decoder.hpp>

namespace trine::inline TRINE_ABI {

/// Defaults of absent keys: AfmoeConfig of transformers.
inline constexpr std::string_view kAfmoeDefaults = R"({
    "vocab_size": 200192, "hidden_size": 2048, "intermediate_size": 6144, "moe_intermediate_size": 1408,
    "num_hidden_layers": 32, "num_dense_layers": 1, "num_attention_heads": 16, "num_key_value_heads": null,
    "head_dim": 128, "hidden_act": "silu", "max_position_embeddings": 16384, "rms_norm_eps": 1e-5,
    "tie_word_embeddings": false, "rope_theta": 1e4, "num_experts": 64, "num_experts_per_tok": 6,
    "num_shared_experts": 2, "route_scale": 1.0, "global_attn_every_n_layers": 4, "sliding_window": 1024,
    "layer_types": null, "mup_enabled": false, "attention_bias": false})";

/// Builder of "model_type": "afmoe". Throws ConfigError, WeightError.
[[nodiscard]] inline ModelParts build_afmoe(const BuildContext& context, const WeightScope& weights) {
  HfConfigReader reader(context, kAfmoeDefaults);
  const HfConfig config = reader.common();
  const std::size_t hidden = config.hidden_size;
  const std::size_t layers = config.num_hidden_layers;
  const HfConfigReader::Heads heads = reader.heads(hidden);
  GroupedQueryOptions attention{.qk_norm = GroupedQueryOptions::Norm::per_head, .norm_epsilon = config.rms_norm_eps};
  attention.output_gate = {.name = "gate_proj", .per_element = true};
  if (reader.boolean("attention_bias")) attention.qkv_bias = attention.o_bias = Linear::Bias::yes;
  const std::size_t period = reader.integer("global_attn_every_n_layers", 1, config_limits::kLayers);
  std::vector<bool> slides(layers);
  for (std::size_t layer = 0; layer < layers; ++layer) slides[layer] = (layer + 1) % period != 0;
  const hf::Windows windows = hf::windows_by_layer(reader, hf::read_window(reader), std::move(slides));
  const auto rotary = hf::read_rotary(reader, config, heads.head_dim);

  const std::size_t dense = reader.integer("num_dense_layers", 0, config_limits::kLayers);
  const std::size_t ffn = reader.integer("intermediate_size", 1, config_limits::kIntermediateSize);
  const std::size_t expert_ffn = reader.integer("moe_intermediate_size", 1, config_limits::kIntermediateSize);
  const std::size_t experts = reader.integer("num_experts", 1, config_limits::kWidth);
  const std::size_t k = reader.integer("num_experts_per_tok", 1, experts);
  const std::size_t shared = reader.integer("num_shared_experts", 0, 1024);
  const CombineWeights combine{.routed_scale = static_cast<float>(reader.number("route_scale", 0.0, 1e6))};
  hf::DecoderOptions options{.norms = {.attention = "input_layernorm",
                                       .feed_forward = "pre_mlp_layernorm",
                                       .post_attention = "post_attention_layernorm",
                                       .post_feed_forward = "post_mlp_layernorm"}};
  if (reader.boolean("mup_enabled")) options.embedding_scale = std::sqrt(static_cast<float>(hidden));
  // Of the published code, with the values that transformers takes for granted.
  for (const char* key : {"n_group", "topk_group", "num_expert_groups", "num_limited_groups"})
    reader.require_integer(key, 1);
  reader.require_true("route_norm");
  if (reader.has("score_func")) static_cast<void>(reader.choice<bool>("score_func", {{"sigmoid", true}}));
  reader.reject_unknown_keys();

  std::string summary = "grouped-query attention, q/k norm, output gate" + hf::window_of(windows) + "; " +
                        hf::count_of_experts(k, experts) + ", sigmoid" +
                        (shared > 0 ? ", " + std::to_string(shared) + " shared" : "");
  const auto make_layer = [&](const WeightScope& scope, std::size_t layer) {
    auto self = hf::grouped_query(context, scope, hidden, heads, windows.slides[layer] ? rotary : nullptr,
                                  windows.of(layer), attention);
    const WeightScope mlp = scope / "mlp";
    if (layer < dense)
      return hf::DecoderLayer{std::move(self),
                              std::make_unique<DenseFeedForward>(mlp.as(TensorRole::mlp), hidden, ffn)};
    auto router =
        std::make_unique<LinearRouter>(Linear((mlp / "router" / "gate").as(TensorRole::router), hidden, experts),
                                       RouterScore::sigmoid, TopKOptions{.k = k, .threshold = {}}, combine,
                                       std::nullopt, hf::read_balance_bias(mlp, "expert_bias", experts));
    std::optional<SharedExperts> shared_experts;
    if (shared > 0)
      shared_experts = GatedMlp((mlp / "shared_experts").as(TensorRole::shared_experts), hidden, shared * expert_ffn);
    return hf::DecoderLayer{
        std::move(self),
        hf::moe_layer(context, layer, std::move(router), hf::read_experts(mlp / "experts", experts, hidden, expert_ffn),
                      std::move(shared_experts))};
  };
  return hf::build_decoder(config, std::move(summary), weights, make_layer, options);
}

}  // namespace trine::inline TRINE_ABI
