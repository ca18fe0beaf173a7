// SPDX-License-Identifier: Apache-2.0
// GGUF files of "gpt-oss".
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include <trine/model/architectures/gguf/common.hpp>

namespace trine::inline TRINE_ABI::hf {

inline constexpr std::array kGgufGptOssKeys = std::to_array<GgufKey>({
    {"expert_feed_forward_length", "intermediate_size"},
    {"expert_count", "num_local_experts"},
    {"expert_used_count", "num_experts_per_tok"},
    {"attention.sliding_window", "sliding_window"},
});

inline void finish_gguf_gpt_oss(GgufConversion& to) {
  convert_heads(to);
  static_cast<void>(to.keys.has("feed_forward_length"));  // repeats that of the experts
  to.keys.require("attention.sliding_window_pattern", 2.0);
  if (to.keys.integer_or("expert_gating_func", 0, 3, 0) % 3 != 0)
    to.keys.fail("expert_gating_func", "3, a softmax of the chosen", ErrorKind::unsupported);
  to.config["attention_bias"] = to.has_tensor("blk.0.attn_q.bias");
  Json& rope = to.config["rope_parameters"];
  if (rope["rope_type"] == "yarn") rope["truncate"] = false;  // of all models of the family
}

inline constexpr std::array kGgufGptOssNames = std::to_array<GgufName>({
    {"post_attention_norm", "post_attention_layernorm"},
    {"attn_sinks.weight", "self_attn.sinks"},
    {"ffn_gate_inp", "mlp.router"},
});

inline constexpr GgufArchitecture kGgufGptOss{
    "gpt-oss", R"({"model_type": "gpt_oss"})", kGgufGptOssKeys, finish_gguf_gpt_oss, {kGgufGptOssNames, kGgufMoeNames}};

}  // namespace trine::inline TRINE_ABI::hf
