// SPDX-License-Identifier: Apache-2.0
// GGUF files of "hy_v3", Hy3, and of "hunyuan-moe", Hunyuan-A13B.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>

#include <trine/model/architectures/gguf/common.hpp>

namespace trine::inline TRINE_ABI::hf {

inline constexpr std::array kGgufHunyuanKeys = std::to_array<GgufKey>({
    {"feed_forward_length", "intermediate_size"},
    {"expert_feed_forward_length", "moe_intermediate_size"},
    {"expert_count", "num_experts"},
    {"expert_used_count", "num_experts_per_tok"},
});

inline void finish_gguf_hunyuan(GgufConversion& to) {
  convert_heads(to);
  require_sigmoid(to);
  require_normalized_weights(to);
  to.config["router_scaling_factor"] = expert_weights_scale(to);
  const std::uint64_t width = to.config["moe_intermediate_size"].get<std::uint64_t>();
  const std::uint64_t shared = to.keys.integer_or(kSharedLength, 1, config_limits::kIntermediateSize, width);
  to.config["num_shared_experts"] = to.keys.integer_or("expert_shared_count", 1, 1024, shared / width);
  to.config["attention_bias"] = to.has_tensor("blk.0.attn_q.bias");
  to.config["mlp_bias"] = to.has_tensor("blk.0.ffn_gate.bias") || to.has_tensor("blk.0.ffn_gate_shexp.bias");
  static_cast<void>(to.keys.has("leading_dense_block_count"));  // the tensors say it
  convert_sparse_layers(to);
}

/// theta is stored stretched by "alpha".
inline void finish_gguf_hunyuan_v1(GgufConversion& to) {
  Json& config = to.config;
  config["head_dim"] = convert_heads(to);
  config["moe_topk"] = to.keys.integer("expert_used_count", 1, config_limits::kWidth);
  const auto ffn = config["intermediate_size"].get<double>();
  for (const std::string_view key : {std::string_view("expert_feed_forward_length"), kSharedLength})
    to.keys.require(key, ffn);
  to.keys.require("expert_shared_count", 1.0);
  to.keys.require("expert_weights_scale", 1.0);
  require_normalized_weights(to);
  require_softmax(to);
  config["attention_bias"] = to.has_tensor("blk.0.attn_q.bias");
}

inline constexpr std::array kGgufHunyuanNames = std::to_array<GgufName>({
    {"exp_probs_b.bias", "mlp.e_score_correction_bias"},
});

inline constexpr std::array kGgufHunyuanV1Keys = std::to_array<GgufKey>({
    {"feed_forward_length", "intermediate_size"},
    {"expert_count", "num_experts"},
});

inline constexpr std::array kGgufHunyuanV1Names = std::to_array<GgufName>({
    {"attn_q_norm", "self_attn.query_layernorm"},
    {"attn_k_norm", "self_attn.key_layernorm"},
    {"ffn_gate_inp", "mlp.gate.wg"},
    {"ffn_gate_shexp", "mlp.shared_mlp.gate_proj"},
    {"ffn_up_shexp", "mlp.shared_mlp.up_proj"},
    {"ffn_down_shexp", "mlp.shared_mlp.down_proj"},
});

inline constexpr std::array kGgufHunyuan = std::to_array<GgufArchitecture>({
    {"hy_v3", R"({"model_type": "hy_v3"})", kGgufHunyuanKeys, finish_gguf_hunyuan, {kGgufHunyuanNames, kGgufMoeNames}},
    {"hunyuan-moe",
     R"({"model_type": "hunyuan_v1_moe"})",
     kGgufHunyuanV1Keys,
     finish_gguf_hunyuan_v1,
     {kGgufHunyuanV1Names, kGgufMoeNames}},
});

}  // namespace trine::inline TRINE_ABI::hf
