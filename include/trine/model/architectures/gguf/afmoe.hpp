// SPDX-License-Identifier: Apache-2.0
// GGUF files of "afmoe". They do not store the scale of embeddings, which all published models have, and which layers
// are full only in the newest files: every fourth one.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>

#include <trine/model/architectures/gguf/common.hpp>

namespace trine::inline TRINE_ABI::hf {

inline constexpr std::array kGgufAfmoeKeys = std::to_array<GgufKey>({
    {"feed_forward_length", "intermediate_size"},
    {"expert_feed_forward_length", "moe_intermediate_size"},
    {"leading_dense_block_count", "num_dense_layers", GgufKind::optional_count},
    {"expert_count", "num_experts"},
    {"expert_used_count", "num_experts_per_tok"},
    {"expert_shared_count", "num_shared_experts"},
    {"attention.sliding_window", "sliding_window"},
});

inline void finish_gguf_afmoe(GgufConversion& to) {
  to.config["head_dim"] = convert_heads(to);
  require_sigmoid(to);
  require_normalized_weights(to);
  require_one_group(to);
  to.config["route_scale"] = expert_weights_scale(to);
  if (!to.config.contains("num_dense_layers")) to.config["num_dense_layers"] = 0U;
  to.config["attention_bias"] = to.has_tensor("blk.0.attn_q.bias");
  if (to.keys.has(kWindowPattern)) convert_window_pattern(to);
}

inline constexpr std::array kGgufAfmoeNames = std::to_array<GgufName>({
    {"post_attention_norm", "post_attention_layernorm"},
    {"ffn_norm", "pre_mlp_layernorm"},
    {"post_ffw_norm", "post_mlp_layernorm"},
    {"attn_gate", "self_attn.gate_proj"},
    {"ffn_gate_inp", "mlp.router.gate"},
    {"exp_probs_b.bias", "mlp.expert_bias"},
});

inline constexpr GgufArchitecture kGgufAfmoe{
    "afmoe",
    R"({"model_type": "afmoe", "mup_enabled": true, "global_attn_every_n_layers": 4})",
    kGgufAfmoeKeys,
    finish_gguf_afmoe,
    {kGgufAfmoeNames, kGgufMoeNames}};

}  // namespace trine::inline TRINE_ABI::hf
