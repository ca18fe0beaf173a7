// SPDX-License-Identifier: Apache-2.0
// GGUF files of "exaone-moe": K-EXAONE.
#pragma once

#include <array>
#include <string_view>

#include <trine/model/architectures/gguf/common.hpp>

namespace trine::inline TRINE_ABI::hf {

inline constexpr std::array kGgufExaoneKeys = std::to_array<GgufKey>({
    {"feed_forward_length", "intermediate_size"},
    {"expert_feed_forward_length", "moe_intermediate_size"},
    {"expert_count", "num_experts"},
    {"expert_used_count", "num_experts_per_tok"},
    {"expert_shared_count", "num_shared_experts"},
    {"attention.sliding_window", "sliding_window"},
});

inline void finish_gguf_exaone(GgufConversion& to) {
  convert_heads(to);
  convert_sigmoid_router(to);
  convert_window_pattern(to);
  convert_sparse_layers(to);
  for (const std::string_view key : {kSharedLength, std::string_view("leading_dense_block_count")})
    static_cast<void>(to.keys.has(key));  // the tensors say it
}

inline constexpr GgufArchitecture kGgufExaone{
    "exaone-moe", R"({"model_type": "exaone_moe"})", kGgufExaoneKeys, finish_gguf_exaone, {kGgufMoeNames}};

}  // namespace trine::inline TRINE_ABI::hf
