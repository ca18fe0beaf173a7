// SPDX-License-Identifier: Apache-2.0
// Kimi Linear: layers of Kimi Delta Attention, and some of latent attention without rope; the feed-forward layers of
// DeepSeek-V3. Kimi Team 2025, arXiv:2510.26692. Reference: transformers, models/kimi_linear.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <trine/attention/channel_gated_delta_net.hpp>
#include <trine/attention/multi_head_latent_attention.hpp>
#include <trine/model/architectures/hf_layer_lists.hpp>
#include <trine/model/architectures/hf_moe.hpp>

namespace trine::inline TRINE_ABI {

/// Defaults of absent keys: KimiLinearConfig of transformers.
inline constexpr std::string_view kKimiLinearDefaults = R"({
    "vocab_size": 163840, "hidden_size": 2304, "intermediate_size": 9216, "moe_intermediate_size": 1024,
    "num_hidden_layers": 27, "num_attention_heads": 32, "hidden_act": "silu", "max_position_embeddings": 1048576,
    "rms_norm_eps": 1e-5, "tie_word_embeddings": false, "attention_bias": false, "q_lora_rank": null,
    "kv_lora_rank": 512, "qk_nope_head_dim": 128, "qk_rope_head_dim": 64, "v_head_dim": 128, "num_experts": 256,
    "n_shared_experts": 1, "num_experts_per_tok": 8, "n_group": 1, "topk_group": 1, "norm_topk_prob": true,
    "routed_scaling_factor": 2.446, "mlp_layer_types": null, "layer_types": null, "linear_head_dim": 128,
    "linear_num_heads": 32, "linear_conv_kernel_dim": 4})";

namespace hf {

/// Published names of keys, and those of other families that mean the same.
inline constexpr std::array kKimiNames = std::to_array<std::array<std::string_view, 2>>({
    {"model_max_length", "max_position_embeddings"},
    {"num_experts_per_token", "num_experts_per_tok"},
    {"num_shared_experts", "n_shared_experts"},
    {"num_expert_group", "n_group"},
    {"moe_renormalize", "norm_topk_prob"},
});

/// The configuration with the second of those names. Throws ConfigError if both are there and differ.
[[nodiscard]] inline Json with_usual_names(const BuildContext& context) {
  HfConfigReader reader(context, "{}");
  Json config = context.config;
  for (const auto& [published, usual] : kKimiNames) {
    if (!config.contains(published)) continue;
    if (config.contains(usual)) static_cast<void>(reader.first_present({usual, published}));
    config[usual] = config[published];
    config.erase(published);
  }
  return config;
}

/// Which layers have delta attention: "layer_types"; or the lists of "linear_attn_config", which count from 1; without
/// either, all but every fourth, the first excepted. Throws ConfigError.
[[nodiscard]] inline std::vector<bool> read_delta_layers(HfConfigReader& reader, ObjectReader* published,
                                                         std::size_t layers) {
  std::vector<bool> is_delta(layers);
  for (std::size_t layer = 0; layer < layers; ++layer) is_delta[layer] = layer == 0 || layer % 4 != 0;
  if (published != nullptr && (published->has("kda_layers") || published->has("full_attn_layers"))) {
    std::vector<std::size_t> found(layers);
    for (const std::string_view key : {"full_attn_layers", "kda_layers"}) {
      const Json& list = published->at(key);
      if (!list.is_array()) published->fail(key, "a list of layers", list);
      for (const Json& number : list) {
        if (!number.is_number_unsigned() || number == 0U || number.get<std::uint64_t>() > layers)
          published->fail(key, "integers from 1 to " + std::to_string(layers), number);
        const std::size_t layer = number.get<std::size_t>() - 1;
        is_delta[layer] = key == "kda_layers";
        ++found[layer];
      }
    }
    for (std::size_t layer = 0; layer < layers; ++layer)
      if (found[layer] != 1)
        published->fail("kda_layers", "expected each layer once, here or in full_attn_layers, found layer " +
                                          std::to_string(layer + 1) + " " + std::to_string(found[layer]) + " times");
  }
  return read_linear_layers(reader, std::move(is_delta));
}

/// Extents of delta attention: in "linear_attn_config", as published, or as keys of their own. Throws ConfigError.
[[nodiscard]] inline ChannelGatedDeltaShape read_delta_shape(ObjectReader& from,
                                                             const std::array<std::string_view, 3>& keys,
                                                             ChannelGatedDeltaShape shape) {
  shape.heads = from.integer_or(keys[0], 1, config_limits::kHeads, shape.heads);
  shape.head_dim = from.integer_or(keys[1], 1, config_limits::kHeadDim, shape.head_dim);
  shape.taps = from.integer_or(keys[2], 1, HeadConvolution::kMaxTaps, shape.taps);
  return shape;
}

}  // namespace hf

/// Builder of "model_type": "kimi_linear". Throws ConfigError, WeightError.
[[nodiscard]] inline ModelParts build_kimi_linear(const BuildContext& given, const WeightScope& weights) {
  const Json usual = hf::with_usual_names(given);
  const BuildContext context{usual,          given.source_name, given.routers,    given.router_decorator,
                             given.chunking, given.notes,       given.config_path};
  HfConfigReader reader(context, kKimiLinearDefaults);
  HfConfig config = reader.common();
  const std::size_t hidden = config.hidden_size;
  const std::size_t layers = config.num_hidden_layers;
  if (config.tie_word_embeddings) config.tie_word_embeddings = !weights.contains("lm_head.weight");

  MlaOptions attention{.hidden_size = hidden};
  attention.num_heads = reader.integer("num_attention_heads", 1, config_limits::kHeads);
  reader.require_integer("num_key_value_heads", attention.num_heads);  // unused here
  if (reader.has("q_lora_rank")) attention.q_lora_rank = reader.integer("q_lora_rank", 1, config_limits::kWidth);
  attention.kv_lora_rank = reader.integer("kv_lora_rank", 1, config_limits::kWidth);
  attention.qk_nope_head_dim = reader.integer("qk_nope_head_dim", 1, config_limits::kHeadDim);
  attention.qk_rope_head_dim = reader.integer("qk_rope_head_dim", 1, config_limits::kHeadDim);
  attention.v_head_dim = reader.integer("v_head_dim", 1, config_limits::kHeadDim);
  attention.attention_bias = reader.boolean("attention_bias");
  attention.chunking = context.chunking;
  attention.softmax_scale =
      1.0F / std::sqrt(static_cast<float>(attention.qk_nope_head_dim + attention.qk_rope_head_dim));
  const auto nothing_rotates = std::make_shared<const Rotary>(
      RopeFrequencies{}, RotaryPairs::half_split, attention.qk_rope_head_dim, config.max_position_embeddings);

  ChannelGatedDeltaShape delta{.hidden = hidden, .norm_epsilon = config.rms_norm_eps};
  delta = hf::read_delta_shape(reader, {"linear_num_heads", "linear_head_dim", "linear_conv_kernel_dim"}, delta);
  std::optional<ObjectReader> published;
  if (reader.has("linear_attn_config")) {
    published.emplace(reader.object("linear_attn_config"));
    delta = hf::read_delta_shape(*published, {"num_heads", "head_dim", "short_conv_kernel_size"}, delta);
  }
  const std::vector<bool> is_delta = hf::read_delta_layers(reader, published ? &*published : nullptr, layers);
  if (published) published->reject_unknown_keys(reader.notes());

  std::vector<bool> is_dense(layers);
  const std::size_t first_sparse = reader.integer_or("first_k_dense_replace", 0, config_limits::kLayers, 1);
  for (std::size_t layer = 0; layer < std::min(first_sparse, layers); ++layer) is_dense[layer] = true;
  const hf::MoeConfig moe = hf::read_v3_moe(reader, hf::read_mlp_layer_types(reader, std::move(is_dense)));
  if (reader.has("moe_router_activation_func"))
    static_cast<void>(reader.choice<bool>("moe_router_activation_func", {{"sigmoid", true}}));
  reader.require_true("mla_use_nope");
  const std::size_t drafts = hf::read_draft_layers(reader);
  reader.ignore({"head_dim", "qk_head_dim", "use_grouped_topk", "rope_theta", "rope_scaling", "rope_parameters"});
  reader.reject_unknown_keys();
  hf::ignore_draft_layers(weights / "model", layers, drafts);

  hf::MoeNames names;
  if (!hf::first_mixture(weights, moe).contains("mlp.gate.weight"))
    names = {.block = "block_sparse_moe", .experts = {.gate = "w1", .up = "w3", .down = "w2"}};
  const auto names_of = [&](const WeightScope& scope) {
    hf::MoeNames own = names;  // transformers gives dense layers that name, too, where it writes published names
    if (scope.contains("block_sparse_moe.gate_proj.weight")) own.dense = "block_sparse_moe";
    return own;
  };
  const auto delta_layers = static_cast<std::size_t>(std::ranges::count(is_delta, true));
  std::string summary = "Kimi Delta Attention in " + std::to_string(delta_layers) +
                        " layers, multi-head latent attention without rope in " +
                        std::to_string(layers - delta_layers) + "; " + hf::summary_of(moe);
  return hf::build_decoder(config, std::move(summary), weights, [&](const WeightScope& scope, std::size_t layer) {
    const WeightScope self = (scope / "self_attn").as(TensorRole::attention);
    std::unique_ptr<const Attention> mixer;
    if (is_delta[layer]) {
      mixer = std::make_unique<ChannelGatedDeltaNet>(self, delta);
    } else {
      mixer = std::make_unique<MultiHeadLatentAttention>(self, attention, nothing_rotates);
    }
    return hf::DecoderLayer{std::move(mixer), hf::feed_forward(context, scope, layer, hidden, moe, names_of(scope))};
  });
}

}  // namespace trine::inline TRINE_ABI
