// SPDX-License-Identifier: Apache-2.0
// GGUF files of "llama4", the text part. What llama.cpp takes for granted of both published models is not stored: every
// fourth layer is full and does not rotate, the others attend in chunks of 8192, scores grow every 8192 positions, and
// Maverick, with 128 experts, has no norm of heads.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include <trine/model/architectures/gguf/common.hpp>

namespace trine::inline TRINE_ABI::hf {

inline constexpr std::array kGgufLlama4Keys = std::to_array<GgufKey>({
    {"feed_forward_length", "intermediate_size_mlp"},
    {"expert_feed_forward_length", "intermediate_size"},
    {"expert_count", "num_local_experts"},
    {"expert_used_count", "num_experts_per_tok"},
    {"interleave_moe_layer_step", "interleave_moe_layer_step"},
});

inline void finish_gguf_llama4(GgufConversion& to) {
  constexpr std::string_view kWindow = "attention.sliding_window";
  constexpr std::uint64_t kChunk = 8192;
  to.config["head_dim"] = convert_heads(to);
  require_sigmoid(to);
  to.keys.require("expert_weights_scale", 1.0);
  to.keys.require(kWindowPattern, 4.0);
  static_cast<void>(to.keys.has("leading_dense_block_count"));  // the step says it
  const std::uint64_t window = to.keys.integer_or(kWindow, 0, config_limits::kPositions, kChunk);
  if (window == 0) {  // all layers are full, and rotate
    to.config["no_rope_layers"] = Json::array();
    for (std::uint64_t layer = 0; layer < to.config["num_hidden_layers"].get<std::uint64_t>(); ++layer)
      to.config["no_rope_layers"].push_back(1U);
    to.config["attention_chunk_size"] = nullptr;
  } else if (window != kChunk) {
    to.keys.fail(kWindow, "0 or 8192, the size of chunks", ErrorKind::unsupported);
  }
  to.config["use_qk_norm"] = to.config["num_local_experts"] != 128U;
  to.config["attention_bias"] = to.has_tensor("blk.0.attn_q.bias");
}

inline constexpr std::array kGgufLlama4Names = std::to_array<GgufName>({
    {"ffn_gate", "feed_forward.gate_proj"},
    {"ffn_up", "feed_forward.up_proj"},
    {"ffn_down", "feed_forward.down_proj"},
    {"ffn_gate_inp", "feed_forward.router"},
    {"ffn_gate_shexp", "feed_forward.shared_expert.gate_proj"},
    {"ffn_up_shexp", "feed_forward.shared_expert.up_proj"},
    {"ffn_down_shexp", "feed_forward.shared_expert.down_proj"},
    {"ffn_gate_exps", "feed_forward.experts.*.gate_proj", GgufView::stack},
    {"ffn_up_exps", "feed_forward.experts.*.up_proj", GgufView::stack},
    {"ffn_down_exps", "feed_forward.experts.*.down_proj", GgufView::stack},
});

inline constexpr GgufArchitecture kGgufLlama4{"llama4",
                                              R"({"model_type": "llama4_text", "no_rope_layer_interval": 4,
    "attention_chunk_size": 8192, "attn_temperature_tuning": true, "floor_scale": 8192, "attn_scale": 0.1})",
                                              kGgufLlama4Keys,
                                              finish_gguf_llama4,
                                              {kGgufLlama4Names}};

}  // namespace trine::inline TRINE_ABI::hf
