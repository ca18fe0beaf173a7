// SPDX-License-Identifier: Apache-2.0
// GGUF files of "mellum": Mellum 2.
#pragma once

#include <array>
#include <cstddef>
#include <vector>

#include <trine/model/architectures/gguf/common.hpp>

namespace trine::inline TRINE_ABI::hf {

inline constexpr std::array kGgufMellumKeys = std::to_array<GgufKey>({
    {"feed_forward_length", "intermediate_size"},
    {"expert_feed_forward_length", "moe_intermediate_size"},
    {"expert_count", "num_experts"},
    {"expert_used_count", "num_experts_per_tok"},
    {"attention.sliding_window", "sliding_window", GgufKind::optional_count},
});

inline void finish_gguf_mellum(GgufConversion& to) {
  to.config["head_dim"] = convert_heads(to);
  if (to.config.value("sliding_window", 0U) == 0U) {
    to.config["sliding_window"] = nullptr;
    set_layer_types(to, std::vector<bool>(to.config["num_hidden_layers"].get<std::size_t>()));
  } else {
    convert_window_pattern(to);
  }
  convert_rope_by_type(to);
  convert_sparse_layers(to);
  require_softmax(to);
  require_normalized_weights(to);
  to.keys.require("expert_weights_scale", 1.0);
  to.config["attention_bias"] = to.has_tensor("blk.0.attn_q.bias");
}

inline constexpr GgufArchitecture kGgufMellum{"mellum",
                                              R"({"model_type": "mellum", "norm_topk_prob": true})",
                                              kGgufMellumKeys,
                                              finish_gguf_mellum,
                                              {kGgufMoeNames}};

}  // namespace trine::inline TRINE_ABI::hf
