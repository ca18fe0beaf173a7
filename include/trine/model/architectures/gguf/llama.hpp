// SPDX-License-Identifier: Apache-2.0
// GGUF files of "llama": also Mistral and Mixtral, which are called so, too. Rows of q and k are stored for interleaved
// pairs.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include <trine/model/architectures/gguf/common.hpp>

namespace trine::inline TRINE_ABI::hf {

inline constexpr std::array kGgufMixtralNames = std::to_array<GgufName>({
    {"ffn_gate_inp", "block_sparse_moe.gate"},
    {"ffn_gate_exps", "block_sparse_moe.experts.*.w1", GgufView::stack},
    {"ffn_up_exps", "block_sparse_moe.experts.*.w3", GgufView::stack},
    {"ffn_down_exps", "block_sparse_moe.experts.*.w2", GgufView::stack},
    {"ffn_gate_up_exps", "block_sparse_moe.experts.*.w1", GgufView::first_half},
    {"ffn_gate_up_exps", "block_sparse_moe.experts.*.w3", GgufView::second_half},
    {"ffn_gate.*", "block_sparse_moe.experts.*.w1"},  // files before 2024-04
    {"ffn_up.*", "block_sparse_moe.experts.*.w3"},
    {"ffn_down.*", "block_sparse_moe.experts.*.w2"},
});

inline void finish_gguf_llama(GgufConversion& to) {
  convert_heads(to);
  const std::uint64_t experts = to.keys.integer_or("expert_count", 0, config_limits::kWidth, 0);
  const std::uint64_t used = to.keys.integer_or("expert_used_count", 0, config_limits::kWidth, 0);
  const bool slides = to.keys.has("attention.sliding_window");
  if (slides) to.config["sliding_window"] = to.keys.integer("attention.sliding_window", 1, config_limits::kPositions);
  if (experts > 0) {
    to.config["model_type"] = "mixtral";
    to.config["num_local_experts"] = experts;
    to.config["num_experts_per_tok"] = used;
    return;
  }
  to.config["model_type"] = slides ? "mistral" : "llama";
  if (slides) return;
  to.config["attention_bias"] = to.has_tensor("blk.0.attn_q.bias");
  to.config["mlp_bias"] = to.has_tensor("blk.0.ffn_gate.bias");
}

inline constexpr GgufArchitecture kGgufLlama{
    "llama", R"({"rope_interleave": true})", kGgufDenseKeys, finish_gguf_llama, {kGgufMixtralNames}};

}  // namespace trine::inline TRINE_ABI::hf
