// SPDX-License-Identifier: Apache-2.0
// GGUF files of "ernie4_5-moe".
#pragma once

#include <array>
#include <string_view>

#include <trine/model/architectures/gguf/common.hpp>

namespace trine::inline TRINE_ABI::hf {

inline constexpr std::array kGgufErnieKeys = std::to_array<GgufKey>({
    {"feed_forward_length", "intermediate_size"},
    {"expert_feed_forward_length", "moe_intermediate_size"},
    {"expert_count", "moe_num_experts"},
    {"expert_used_count", "moe_k"},
});

inline void finish_gguf_ernie(GgufConversion& to) {
  convert_heads(to);
  require_softmax(to);
  to.keys.require("expert_weights_scale", 1.0);
  to.config["moe_num_shared_experts"] = to.keys.integer_or("expert_shared_count", 0, 1024, 0);
  to.config["moe_layer_start_index"] = to.keys.integer_or("leading_dense_block_count", 0, config_limits::kLayers, 0);
  to.config["moe_layer_interval"] = to.keys.integer_or("interleave_moe_layer_step", 1, config_limits::kLayers, 1);
  to.config["use_bias"] = to.has_tensor("blk.0.attn_q.bias");
  static_cast<void>(to.keys.has("expert_shared_feed_forward_length"));  // converters compute it from unrelated sizes
}

inline constexpr std::array kGgufErnieNames = std::to_array<GgufName>({
    {"exp_probs_b.bias", "mlp.moe_statics.e_score_correction_bias", GgufView::row},
});

inline constexpr GgufArchitecture kGgufErnie{"ernie4_5-moe",
                                             R"({"model_type": "ernie4_5_moe"})",
                                             kGgufErnieKeys,
                                             finish_gguf_ernie,
                                             {kGgufErnieNames, kGgufMoeNames}};

}  // namespace trine::inline TRINE_ABI::hf
