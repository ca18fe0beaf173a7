// SPDX-License-Identifier: Apache-2.0
// GGUF files of "mimo2": MiMo-V2-Flash. Old ones lack the scale of values, which is that of the published model.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include <trine/model/architectures/gguf/common.hpp>

namespace trine::inline TRINE_ABI::hf {

inline constexpr std::array kGgufMimoKeys = std::to_array<GgufKey>({
    {"feed_forward_length", "intermediate_size"},
    {"expert_feed_forward_length", "moe_intermediate_size"},
    {"expert_count", "n_routed_experts"},
    {"expert_used_count", "num_experts_per_tok"},
    {"attention.key_length", "head_dim"},
    {"attention.value_length", "v_head_dim"},
    {"attention.sliding_window", "sliding_window"},
});

/// Full layers have half as many key heads as the others. Throws ConfigError for other numbers.
inline void convert_mimo_heads(GgufConversion& to) {
  constexpr std::string_view kHeads = "attention.head_count_kv";
  const auto layers = to.config["num_hidden_layers"].get<std::size_t>();
  const std::vector<bool> slides = convert_window_pattern(to);
  const std::vector<std::uint64_t> heads = to.keys.integers(kHeads, 1, config_limits::kHeads, layers);
  const std::uint64_t full = slides[0] ? heads[0] / 2 : heads[0];
  for (std::size_t layer = 0; layer < layers; ++layer)
    if (heads[layer] != (slides[layer] ? 2 * full : full))
      to.keys.fail(kHeads, "twice as many in sliding layers as in full ones", ErrorKind::unsupported);
  to.config["num_key_value_heads"] = full;
}

inline void finish_gguf_mimo(GgufConversion& to) {
  Json& config = to.config;
  convert_mimo_heads(to);
  constexpr std::string_view kWindow = "attention.sliding_window";
  if (config["sliding_window"] == 128U) {
    config["sliding_window"] = 129U;
    to.notes.add(kWindow, "128, as published, does not count the query itself: read as 129");
  }

  const auto head_dim = config["head_dim"].get<std::uint64_t>();
  const double share = share_of_head(to.keys.integer_or("rope.dimension_count", 2, head_dim, head_dim), head_dim);
  if (config["rope_parameters"]["rope_type"] != "default")
    to.keys.fail("rope.scaling.type", "none", ErrorKind::unsupported);
  convert_rope_by_type(to);
  for (Json& rope : config["rope_parameters"]) rope["partial_rotary_factor"] = share;

  convert_sparse_layers(to);
  require_sigmoid(to);
  require_normalized_weights(to);
  require_one_group(to);
  config["routed_scaling_factor"] = expert_weights_scale(to);
  config["attention_value_scale"] = to.keys.number_or("attention.value_scale", 0.0, 1e3, 0.707);
  config["attention_bias"] = to.has_tensor("blk.0.attn_q.bias");
}

inline constexpr std::array kGgufMimoNames = std::to_array<GgufName>({
    {"attn_sinks.weight", "self_attn.sinks"},
});

inline constexpr GgufArchitecture kGgufMimo{
    "mimo2", R"({"model_type": "mimo_v2_flash"})", kGgufMimoKeys, finish_gguf_mimo, {kGgufMimoNames, kGgufMoeNames}};

}  // namespace trine::inline TRINE_ABI::hf
