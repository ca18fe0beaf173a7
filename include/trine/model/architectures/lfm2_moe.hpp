// SPDX-License-Identifier: Apache-2.0
// LFM2-MoE: gated short convolutions, grouped-query attention in some layers; sigmoid routing with a bias of the
// choice. Reference: transformers, models/lfm2_moe.
#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <trine/attention/short_convolution.hpp>
#include <trine/model/architectures/hf_decoder.hpp>

namespace trine::inline TRINE_ABI {

namespace hf {

/// "layer_types", which has no default: true for layers of convolutions. Throws ConfigError.
[[nodiscard]] inline std::vector<bool> read_convolution_layers(HfConfigReader& reader, std::size_t layers) {
  const Json& list = reader.at("layer_types");
  if (!list.is_array() || list.size() != layers)
    reader.fail("layer_types", "a list of " + std::to_string(layers) + " names", list);
  std::vector<bool> convolves;
  for (const Json& name : list) {
    if (name != "conv" && name != "full_attention")
      reader.fail("layer_types", "conv or full_attention", name, ErrorKind::unsupported);
    convolves.push_back(name == "conv");
  }
  return convolves;
}

/// An MLP with the names of this family. Throws WeightError.
[[nodiscard]] inline GatedMlp read_w_mlp(const WeightScope& scope, std::size_t hidden, std::size_t ffn) {
  return {Linear(scope / "w1", hidden, ffn), Linear(scope / "w3", hidden, ffn), Linear(scope / "w2", ffn, hidden)};
}

}  // namespace hf

/// Defaults of absent keys: Lfm2MoeConfig of transformers. layer_types is required.
inline constexpr std::string_view kLfm2MoeDefaults = R"({
    "vocab_size": 65536, "hidden_size": 2048, "intermediate_size": 7168, "moe_intermediate_size": 1792,
    "num_hidden_layers": 32, "tie_word_embeddings": true, "rope_theta": 1e6, "max_position_embeddings": 128000,
    "norm_eps": 1e-5, "num_attention_heads": 32, "num_key_value_heads": 8, "conv_bias": false, "conv_L_cache": 3,
    "num_dense_layers": 2, "num_experts_per_tok": 4, "num_experts": 32, "use_expert_bias": true,
    "routed_scaling_factor": 1.0, "norm_topk_prob": true, "layer_types": null})";

/// Builder of "model_type": "lfm2_moe". Throws ConfigError, WeightError.
[[nodiscard]] inline ModelParts build_lfm2_moe(const BuildContext& context, const WeightScope& weights) {
  HfConfigReader reader(context, kLfm2MoeDefaults);
  HfConfig config = reader.sizes("norm_eps");
  if (reader.has("tie_embedding")) config.tie_word_embeddings = reader.boolean("tie_embedding");
  const std::size_t hidden = config.hidden_size;
  const HfConfigReader::Heads heads = reader.heads(hidden);
  const std::vector<bool> convolves = hf::read_convolution_layers(reader, config.num_hidden_layers);
  const std::size_t taps = reader.integer("conv_L_cache", 1, ShortConvolution::kMaxTaps);
  const Linear::Bias bias = reader.boolean("conv_bias") ? Linear::Bias::yes : Linear::Bias::no;
  const std::size_t dense_layers = reader.integer("num_dense_layers", 0, config_limits::kLayers);
  const std::size_t intermediate = reader.integer("intermediate_size", 1, config_limits::kIntermediateSize);
  const std::size_t experts = reader.integer("num_experts", 1, config_limits::kWidth);
  const TopKOptions choice{.k = reader.integer("num_experts_per_tok", 1, experts), .threshold = {}};
  const std::size_t ffn = reader.integer("moe_intermediate_size", 1, config_limits::kIntermediateSize);
  const CombineWeights combine{.normalize = reader.boolean("norm_topk_prob"),
                               .routed_scale = static_cast<float>(reader.number("routed_scaling_factor", -1e6, 1e6)),
                               .epsilon = 1e-6F};
  const bool has_bias = reader.boolean("use_expert_bias");
  const auto rotary = hf::read_rotary(reader, config, heads.head_dim);
  reader.reject_unknown_keys();

  const GroupedQueryOptions attention{.qk_norm = GroupedQueryOptions::Norm::per_head,
                                      .norm_epsilon = config.rms_norm_eps,
                                      .names = {"out_proj", "q_layernorm", "k_layernorm"}};
  const auto convolutions = static_cast<std::size_t>(std::ranges::count(convolves, true));
  std::string summary = "short convolutions in " + std::to_string(convolutions) +
                        " layers, grouped-query attention in " + std::to_string(convolves.size() - convolutions) +
                        ", q/k norm; " + hf::count_of_experts(choice.k, experts) + ", sigmoid top-k";
  const auto make_layer = [&](const WeightScope& scope, std::size_t layer) {
    std::unique_ptr<const Attention> self;
    if (convolves[layer]) {
      self = std::make_unique<ShortConvolution>((scope / "conv").as(TensorRole::attention), hidden, taps, bias);
    } else {
      self = hf::grouped_query(context, scope, hidden, heads, rotary, std::nullopt, attention);
    }
    const WeightScope mlp = scope / "feed_forward";
    if (layer < dense_layers)
      return hf::DecoderLayer{std::move(self), std::make_unique<DenseFeedForward>(
                                                   hf::read_w_mlp(mlp.as(TensorRole::mlp), hidden, intermediate))};
    std::optional<Tensor<float, 1>> balance;
    if (has_bias) balance = hf::read_balance_bias(mlp, "expert_bias", experts);
    auto router =
        std::make_unique<LinearRouter>(Linear((mlp / "gate").as(TensorRole::router), hidden, experts),
                                       RouterScore::sigmoid, choice, combine, std::nullopt, std::move(balance));
    return hf::DecoderLayer{std::move(self),
                            hf::moe_layer(context, layer, std::move(router),
                                          hf::read_experts(mlp / "experts", experts, hidden, ffn, {"w1", "w3", "w2"}))};
  };
  return hf::build_decoder(
      config, std::move(summary), weights, make_layer,
      {.norms = {.attention = "operator_norm", .feed_forward = "ffn_norm", .last = "embedding_norm"}});
}

}  // namespace trine::inline TRINE_ABI
