// SPDX-License-Identifier: Apache-2.0
// GGUF files of "qwen2", "qwen3", "qwen2moe" and "qwen3moe".
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include <trine/model/architectures/gguf/common.hpp>

namespace trine::inline TRINE_ABI::hf {

inline constexpr std::array kGgufQwen2MoeNames = std::to_array<GgufName>({
    {"ffn_gate_inp_shexp", "mlp.shared_expert_gate", GgufView::row},
    {"ffn_gate_shexp", "mlp.shared_expert.gate_proj"},
    {"ffn_up_shexp", "mlp.shared_expert.up_proj"},
    {"ffn_down_shexp", "mlp.shared_expert.down_proj"},
});

inline void finish_gguf_qwen2(GgufConversion& to) { convert_heads(to); }

inline void finish_gguf_qwen3(GgufConversion& to) {
  convert_heads(to);
  to.config["attention_bias"] = to.has_tensor("blk.0.attn_q.bias");
}

inline void finish_gguf_qwen2_moe(GgufConversion& to) {
  convert_heads(to);
  convert_expert_width(to);
  convert_dense_layers(to);
  to.config["qkv_bias"] = to.has_tensor("blk.0.attn_q.bias");
  to.config["shared_expert_intermediate_size"] =
      to.keys.integer_or("expert_shared_feed_forward_length", 1, config_limits::kIntermediateSize,
                         to.keys.integer_or("feed_forward_length", 1, config_limits::kIntermediateSize, 1));
}

inline void finish_gguf_qwen3_moe(GgufConversion& to) {
  finish_gguf_qwen3(to);
  convert_expert_width(to);
  convert_dense_layers(to);
}

inline constexpr std::array kGgufQwen = std::to_array<GgufArchitecture>({
    {"qwen2", R"({"model_type": "qwen2"})", kGgufDenseKeys, finish_gguf_qwen2, {}},
    {"qwen3", R"({"model_type": "qwen3"})", kGgufDenseKeys, finish_gguf_qwen3, {}},
    {"qwen2moe",
     R"({"model_type": "qwen2_moe", "norm_topk_prob": false})",
     kGgufMoeKeys,
     finish_gguf_qwen2_moe,
     {kGgufQwen2MoeNames, kGgufMoeNames}},
    {"qwen3moe",
     R"({"model_type": "qwen3_moe", "norm_topk_prob": true})",
     kGgufMoeKeys,
     finish_gguf_qwen3_moe,
     {kGgufMoeNames}},
});

}  // namespace trine::inline TRINE_ABI::hf
