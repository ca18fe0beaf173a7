// SPDX-License-Identifier: Apache-2.0
// GGUF files of "bailingmoe2": Sarvam, and Ling and Ring 2, whose graph is the same.
#pragma once

#include <array>
#include <string_view>

#include <trine/model/architectures/gguf/common.hpp>

namespace trine::inline TRINE_ABI::hf {

inline void finish_gguf_sarvam(GgufConversion& to) {
  to.config["head_dim"] = convert_partly_rotated_heads(to);
  convert_sigmoid_router(to);
  convert_absent_counts(to);
  static_cast<void>(to.keys.has(kSharedLength));  // the shapes say it
  to.config["attention_bias"] = to.has_tensor("blk.0.attn_qkv.bias");
  to.config["use_qk_norm"] = to.has_tensor("blk.0.attn_q_norm.weight");
}

inline constexpr std::array kGgufSarvamNames = std::to_array<GgufName>({
    {"attn_qkv", "attention.query_key_value"},
    {"attn_output", "attention.dense"},
    {"attn_q_norm", "attention.query_layernorm"},
    {"attn_k_norm", "attention.key_layernorm"},
    {"exp_probs_b.bias", "mlp.gate.expert_bias"},
});

inline constexpr GgufArchitecture kGgufSarvam{"bailingmoe2",
                                              R"({"model_type": "sarvam_moe"})",
                                              kGgufDeepseekMoeKeys,
                                              finish_gguf_sarvam,
                                              {kGgufSarvamNames, kGgufMoeNames}};

}  // namespace trine::inline TRINE_ABI::hf
