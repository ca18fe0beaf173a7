// SPDX-License-Identifier: Apache-2.0
// GGUF files of "minimax-m2".
#pragma once

#include <array>
#include <string_view>

#include <trine/model/architectures/gguf/common.hpp>
#include <trine/model/architectures/gguf/llama.hpp>

namespace trine::inline TRINE_ABI::hf {

inline constexpr std::array kGgufMiniMaxKeys = std::to_array<GgufKey>({
    {"expert_feed_forward_length", "intermediate_size"},
    {"expert_count", "num_local_experts"},
    {"expert_used_count", "num_experts_per_tok"},
});

inline void finish_gguf_minimax(GgufConversion& to) {
  convert_partly_rotated_heads(to);
  require_sigmoid(to);
  to.keys.require("expert_weights_scale", 1.0);
  static_cast<void>(to.keys.has("feed_forward_length"));  // repeats that of the experts
}

/// The others are those of Mixtral.
inline constexpr std::array kGgufMiniMaxNames = std::to_array<GgufName>({
    {"exp_probs_b.bias", "block_sparse_moe.e_score_correction_bias"},
});

inline constexpr GgufArchitecture kGgufMiniMax{"minimax-m2",
                                               R"({"model_type": "minimax_m2"})",
                                               kGgufMiniMaxKeys,
                                               finish_gguf_minimax,
                                               {kGgufMiniMaxNames, kGgufMixtralNames}};

}  // namespace trine::inline TRINE_ABI::hf
