// SPDX-License-Identifier: Apache-2.0
// GGUF files of "laguna". Which layers slide is not stored: all but every fourth, from the first on.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include <trine/model/architectures/gguf/common.hpp>

namespace trine::inline TRINE_ABI::hf {

inline constexpr std::array kGgufLagunaKeys = std::to_array<GgufKey>({
    {"feed_forward_length", "intermediate_size"},
    {"expert_feed_forward_length", "moe_intermediate_size"},
    {kSharedLength, "shared_expert_intermediate_size"},
    {"expert_count", "num_experts"},
    {"expert_used_count", "num_experts_per_tok"},
    {"attention.sliding_window", "sliding_window", GgufKind::optional_count},
});

/// "layer_types": a period counts from the first layer, which is full.
inline void convert_laguna_windows(GgufConversion& to) {
  const auto layers = to.config["num_hidden_layers"].get<std::size_t>();
  if (to.config.value("sliding_window", 0U) == 0U) {
    to.config["sliding_window"] = nullptr;
    set_layer_types(to, std::vector<bool>(layers));
    return;
  }
  std::vector<bool> slides(layers);
  if (to.keys.has_list(kWindowPattern)) {
    slides = to.keys.flags(kWindowPattern, layers);
  } else {
    const std::uint64_t period = to.keys.integer_or(kWindowPattern, 1, config_limits::kLayers, 4);
    for (std::size_t layer = 0; layer < layers; ++layer) slides[layer] = layer % period != 0;
  }
  set_layer_types(to, slides);
}

inline void finish_gguf_laguna(GgufConversion& to) {
  Json& config = to.config;
  convert_laguna_windows(to);
  const std::uint64_t head_dim = convert_head_sizes(to);
  config["head_dim"] = head_dim;
  const std::uint64_t full = to.keys.integer_or("rope.dimension_count", 2, head_dim, head_dim);
  const std::uint64_t sliding = to.keys.integer_or("rope.dimension_count_swa", 2, head_dim, head_dim);
  convert_rope_by_type(to);
  config["rope_parameters"]["full_attention"]["partial_rotary_factor"] = share_of_head(full, head_dim);
  config["rope_parameters"]["sliding_attention"]["partial_rotary_factor"] = share_of_head(sliding, head_dim);

  convert_sparse_layers(to);
  static_cast<void>(to.keys.has("leading_dense_block_count"));  // the tensors say it
  require_sigmoid(to);
  require_normalized_weights(to);
  require_one_group(to);
  to.keys.require("expert_shared_count", 1.0);
  config["moe_routed_scaling_factor"] = expert_weights_scale(to);
  config["attention_bias"] = to.has_tensor("blk.0.attn_q.bias");
  const StoredTensor* gate = to.tensors.find("blk.0.attn_gate.weight");
  const Json& heads = config["num_attention_heads_per_layer"];
  config["gating"] = gate != nullptr && !gate->shape.empty() && gate->shape[0] == heads[0].get<std::size_t>()
                         ? "per-head"
                         : "per-element";
}

inline constexpr std::array kGgufLagunaNames = std::to_array<GgufName>({
    {"attn_gate", "self_attn.g_proj"},
});

inline constexpr GgufArchitecture kGgufLaguna{"laguna",           R"({"model_type": "laguna"})",     kGgufLagunaKeys,
                                              finish_gguf_laguna, {kGgufLagunaNames, kGgufMoeNames}, true};

}  // namespace trine::inline TRINE_ABI::hf
