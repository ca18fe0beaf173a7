// SPDX-License-Identifier: Apache-2.0
// GGUF files of "lfm2moe".
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include <trine/model/architectures/gguf/common.hpp>

namespace trine::inline TRINE_ABI::hf {

inline constexpr std::array kGgufLfm2MoeKeys = std::to_array<GgufKey>({
    {"feed_forward_length", "intermediate_size"},
    {"expert_feed_forward_length", "moe_intermediate_size"},
    {"leading_dense_block_count", "num_dense_layers", GgufKind::optional_count},
    {"expert_count", "num_experts"},
    {"expert_used_count", "num_experts_per_tok"},
    {"shortconv.l_cache", "conv_L_cache"},
});

inline void finish_gguf_lfm2_moe(GgufConversion& to) {
  constexpr std::string_view kHeads = "attention.head_count_kv";
  to.config["norm_eps"] = to.config["rms_norm_eps"];
  to.config.erase("rms_norm_eps");
  const auto layers = to.config["num_hidden_layers"].get<std::size_t>();
  Json kinds = Json::array();
  std::uint64_t heads = 0;  // 0 for layers of convolutions
  for (const std::uint64_t count : to.keys.integers(kHeads, 0, config_limits::kHeads, layers)) {
    kinds.push_back(count == 0 ? "conv" : "full_attention");
    if (heads != 0 && count != 0 && count != heads)
      to.keys.fail(kHeads, "the same number for every layer of attention", ErrorKind::unsupported);
    if (count != 0) heads = count;
  }
  if (heads != 0) to.config["num_key_value_heads"] = heads;
  to.config["layer_types"] = std::move(kinds);
  const std::uint64_t head_dim =
      to.config["hidden_size"].get<std::uint64_t>() / to.config["num_attention_heads"].get<std::uint64_t>();
  for (const std::string_view key : {"attention.key_length", "attention.value_length", "rope.dimension_count"})
    to.keys.require(key, static_cast<double>(head_dim));
  if (to.keys.integer_or("expert_gating_func", 0, 4, 2) != 2)
    to.keys.fail("expert_gating_func", "2, a sigmoid", ErrorKind::unsupported);
  to.config["routed_scaling_factor"] = to.keys.number_or("expert_weights_scale", 0.0, 1e6, 1.0);
  bool has_bias = false;
  bool has_conv_bias = false;
  for (std::size_t layer = 0; layer < layers; ++layer) {
    has_bias = has_bias || to.has_tensor(to.block(layer, "exp_probs_b.bias"));
    has_conv_bias = has_conv_bias || to.has_tensor(to.block(layer, "shortconv.conv.bias"));
  }
  to.config["use_expert_bias"] = has_bias;
  to.config["conv_bias"] = has_conv_bias;
}

inline constexpr std::array kGgufLfm2MoeNames = std::to_array<GgufName>({
    {"attn_norm", "operator_norm"},
    {"ffn_norm", "ffn_norm"},
    {"attn_output", "self_attn.out_proj"},
    {"attn_q_norm", "self_attn.q_layernorm"},
    {"attn_k_norm", "self_attn.k_layernorm"},
    {"shortconv.conv.weight", "conv.conv.weight", GgufView::filters},
    {"shortconv.conv.bias", "conv.conv.bias"},
    {"shortconv.in_proj", "conv.in_proj"},
    {"shortconv.out_proj", "conv.out_proj"},
    {"ffn_gate", "feed_forward.w1"},
    {"ffn_up", "feed_forward.w3"},
    {"ffn_down", "feed_forward.w2"},
    {"ffn_gate_inp", "feed_forward.gate"},
    {"ffn_gate_exps", "feed_forward.experts.*.w1", GgufView::stack},
    {"ffn_up_exps", "feed_forward.experts.*.w3", GgufView::stack},
    {"ffn_down_exps", "feed_forward.experts.*.w2", GgufView::stack},
    {"exp_probs_b.bias", "feed_forward.expert_bias"},
});

inline constexpr GgufArchitecture kGgufLfm2Moe{"lfm2moe",
                                               R"({"model_type": "lfm2_moe", "norm_topk_prob": true})",
                                               kGgufLfm2MoeKeys,
                                               finish_gguf_lfm2_moe,
                                               {kGgufLfm2MoeNames}};

}  // namespace trine::inline TRINE_ABI::hf
