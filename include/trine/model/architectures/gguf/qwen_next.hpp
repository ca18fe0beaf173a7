// SPDX-License-Identifier: Apache-2.0
// GGUF files of "qwen3next" and "qwen35moe". Zero-centred norms are stored plus one, A_log as -exp of it; value heads
// of the latter lie one for each key head in turn.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include <trine/model/architectures/gguf/common.hpp>

namespace trine::inline TRINE_ABI::hf {

inline constexpr std::array kGgufQwenNextKeys = std::to_array<GgufKey>({
    {"expert_count", "num_experts"},
    {"expert_used_count", "num_experts_per_tok"},
    {"ssm.conv_kernel", "linear_conv_kernel_dim"},
    {"ssm.state_size", "linear_key_head_dim"},
    {"ssm.group_count", "linear_num_key_heads"},
    {"ssm.time_step_rank", "linear_num_value_heads"},
    {"full_attention_interval", "full_attention_interval", GgufKind::optional_count},
});

inline void finish_gguf_qwen_next(GgufConversion& to) {
  convert_partly_rotated_heads(to);
  static_cast<void>(to.keys.has("rope.dimension_sections"));  // of the positions of pictures

  const std::uint64_t heads = to.config["linear_num_value_heads"].get<std::uint64_t>();
  const std::uint64_t values = to.keys.integer("ssm.inner_size", 1, config_limits::kHeads * config_limits::kHeadDim);
  if (heads == 0 || values % heads != 0)
    to.keys.fail("ssm.inner_size", "a multiple of ssm.time_step_rank = " + std::to_string(heads));
  to.config["linear_value_head_dim"] = values / heads;

  convert_expert_width(to);
  to.config["shared_expert_intermediate_size"] =
      to.keys.integer_or("expert_shared_feed_forward_length", 1, config_limits::kIntermediateSize,
                         to.keys.integer_or("feed_forward_length", 1, config_limits::kIntermediateSize, 1));
  to.config["attention_bias"] = false;
  Json kinds = Json::array();
  for (std::size_t layer = 0; layer < to.config["num_hidden_layers"].get<std::size_t>(); ++layer) {
    const bool is_linear = to.has_tensor(to.block(layer, "ssm_a"));
    to.config["attention_bias"] = to.config["attention_bias"] || to.has_tensor(to.block(layer, "attn_q.bias"));
    kinds.push_back(is_linear ? "linear_attention" : "full_attention");
  }
  to.config["layer_types"] = std::move(kinds);  // what the interval says, too
}

inline void finish_gguf_qwen35_moe(GgufConversion& to) {
  finish_gguf_qwen_next(to);
  to.config["mtp_num_hidden_layers"] = to.keys.integer_or("nextn_predict_layers", 0, config_limits::kLayers, 0);
}

inline constexpr std::array kGgufQwenNextNames = std::to_array<GgufName>({
    {"post_attention_norm", "post_attention_layernorm"},
    {"attn_qkv", "linear_attn.in_proj_qkv"},
    {"attn_gate", "linear_attn.in_proj_z"},
    {"ssm_in", "linear_attn.in_proj_qkvz"},  // files before 2026
    {"ssm_ba", "linear_attn.in_proj_ba"},
    {"ssm_beta", "linear_attn.in_proj_b"},
    {"ssm_alpha", "linear_attn.in_proj_a"},
    {"ssm_conv1d", "linear_attn.conv1d", GgufView::filters},
    {"ssm_a", "linear_attn.A"},
    {"ssm_dt.bias", "linear_attn.dt_bias"},
    {"ssm_norm", "linear_attn.norm"},
    {"ssm_out", "linear_attn.out_proj"},
    {"ffn_gate_inp_shexp", "mlp.shared_expert_gate", GgufView::row},
    {"ffn_gate_shexp", "mlp.shared_expert.gate_proj"},
    {"ffn_up_shexp", "mlp.shared_expert.up_proj"},
    {"ffn_down_shexp", "mlp.shared_expert.down_proj"},
});

inline constexpr std::array kGgufQwenNext = std::to_array<GgufArchitecture>({
    {"qwen3next",
     R"({"model_type": "qwen3_next", "norm_topk_prob": true, "norms_plus_one": true})",
     kGgufQwenNextKeys,
     finish_gguf_qwen_next,
     {kGgufQwenNextNames, kGgufMoeNames}},
    {"qwen35moe",
     R"({"model_type": "qwen3_5_moe_text", "norms_plus_one": true, "linear_value_heads_tiled": true})",
     kGgufQwenNextKeys,
     finish_gguf_qwen35_moe,
     {kGgufQwenNextNames, kGgufMoeNames}},
});

}  // namespace trine::inline TRINE_ABI::hf
