// SPDX-License-Identifier: Apache-2.0
// GGUF files of "glm4moe": GLM-4.5 to 4.7, and Solar Open, whose graph is the same. GLM-4.7-Flash is "deepseek2".
#pragma once

#include <array>
#include <string_view>

#include <trine/model/architectures/gguf/common.hpp>

namespace trine::inline TRINE_ABI::hf {

inline void finish_gguf_glm4_moe(GgufConversion& to) {
  convert_partly_rotated_heads(to);
  convert_sigmoid_router(to);
  convert_absent_counts(to);
  to.config["attention_bias"] = to.has_tensor("blk.0.attn_q.bias");
  to.config["use_qk_norm"] = to.has_tensor("blk.0.attn_q_norm.weight");
}

inline constexpr std::array kGgufGlm4MoeNames = std::to_array<GgufName>({
    {"post_attention_norm", "post_attention_layernorm"},
});

inline constexpr GgufArchitecture kGgufGlm{"glm4moe",
                                           R"({"model_type": "glm4_moe"})",
                                           kGgufDeepseekMoeKeys,
                                           finish_gguf_glm4_moe,
                                           {kGgufGlm4MoeNames, kGgufMoeNames}};

}  // namespace trine::inline TRINE_ABI::hf
