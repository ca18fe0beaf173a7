// SPDX-License-Identifier: Apache-2.0
// GGUF files of "hy_v3".
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
  if (!to.keys.boolean_or("expert_weights_norm", true))
    to.keys.fail("expert_weights_norm", "true", ErrorKind::unsupported);
  to.config["router_scaling_factor"] = expert_weights_scale(to);
  const std::uint64_t width = to.config["moe_intermediate_size"].get<std::uint64_t>();
  const std::uint64_t shared =
      to.keys.integer_or("expert_shared_feed_forward_length", 1, config_limits::kIntermediateSize, width);
  to.config["num_shared_experts"] = to.keys.integer_or("expert_shared_count", 1, 1024, shared / width);
  to.config["attention_bias"] = to.has_tensor("blk.0.attn_q.bias");
  to.config["mlp_bias"] = to.has_tensor("blk.0.ffn_gate.bias") || to.has_tensor("blk.0.ffn_gate_shexp.bias");
  static_cast<void>(to.keys.has("leading_dense_block_count"));  // the tensors say it
  Json types = Json::array();
  for (std::size_t layer = 0; layer < to.config["num_hidden_layers"].get<std::size_t>(); ++layer)
    types.push_back(to.has_tensor(to.block(layer, "ffn_gate_inp.weight")) ? "sparse" : "dense");
  to.config["mlp_layer_types"] = std::move(types);
}

inline constexpr std::array kGgufHunyuanNames = std::to_array<GgufName>({
    {"exp_probs_b.bias", "mlp.e_score_correction_bias"},
});

inline constexpr GgufArchitecture kGgufHunyuan{
    "hy_v3", R"({"model_type": "hy_v3"})", kGgufHunyuanKeys, finish_gguf_hunyuan, {kGgufHunyuanNames, kGgufMoeNames}};

}  // namespace trine::inline TRINE_ABI::hf
