// SPDX-License-Identifier: Apache-2.0
// GGUF files of "olmoe".
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include <trine/model/architectures/gguf/common.hpp>

namespace trine::inline TRINE_ABI::hf {

inline constexpr std::array kGgufOlmoeKeys = std::to_array<GgufKey>({
    {"expert_count", "num_experts"},
    {"expert_used_count", "num_experts_per_tok"},
    {"feed_forward_length", "intermediate_size"},
    {"attention.clamp_kqv", "clip_qkv", GgufKind::optional_number},
});

inline void finish_gguf_olmoe(GgufConversion& to) {
  convert_heads(to);
  to.config["attention_bias"] = to.has_tensor("blk.0.attn_q.bias");
}

inline constexpr GgufArchitecture kGgufOlmoe{
    "olmoe", R"({"model_type": "olmoe", "norm_topk_prob": false})", kGgufOlmoeKeys, finish_gguf_olmoe, {kGgufMoeNames}};

}  // namespace trine::inline TRINE_ABI::hf
