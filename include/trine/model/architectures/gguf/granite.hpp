// SPDX-License-Identifier: Apache-2.0
// GGUF files of "granitemoe". Rows of q and k are stored for interleaved pairs. Those with shared experts are of
// another family, GraniteMoeShared.
#pragma once

#include <array>
#include <cmath>
#include <cstdint>
#include <string_view>

#include <trine/model/architectures/gguf/common.hpp>
#include <trine/model/architectures/gguf/llama.hpp>

namespace trine::inline TRINE_ABI::hf {

inline constexpr std::array kGgufGraniteKeys = std::to_array<GgufKey>({
    {"feed_forward_length", "intermediate_size"},
    {"expert_count", "num_local_experts"},
    {"expert_used_count", "num_experts_per_tok"},
    {"embedding_scale", "embedding_multiplier", GgufKind::optional_number},
    {"residual_scale", "residual_multiplier", GgufKind::optional_number},
    {"attention.scale", "attention_multiplier", GgufKind::optional_number},
    {"logit_scale", "logits_scaling", GgufKind::number},
});

inline void finish_gguf_granite(GgufConversion& to) {
  const std::uint64_t head_dim = convert_heads(to);
  if (!to.config.contains("attention_multiplier"))
    to.config["attention_multiplier"] = 1.0 / std::sqrt(static_cast<double>(head_dim));
  if (!to.keys.boolean_or("rope.scaling.finetuned", true))
    to.keys.fail("rope.scaling.finetuned", "true: false stands for layers that do not rotate", ErrorKind::unsupported);
  if (to.keys.integer_or(kSharedLength, 0, config_limits::kIntermediateSize, 0) != 0)
    to.keys.fail(kSharedLength, "none: shared experts are of GraniteMoeShared", ErrorKind::unsupported);
  to.keys.require("expert_weights_scale", 1.0);
  to.config["attention_bias"] = to.has_tensor("blk.0.attn_q.bias");
}

/// The experts are those of Mixtral, but for the names of their projections.
inline constexpr std::array kGgufGraniteNames = std::to_array<GgufName>({
    {"ffn_gate_inp", "block_sparse_moe.router"},
    {"ffn_gate_exps", "block_sparse_moe.experts.*.gate_proj", GgufView::stack},
    {"ffn_up_exps", "block_sparse_moe.experts.*.up_proj", GgufView::stack},
    {"ffn_down_exps", "block_sparse_moe.experts.*.down_proj", GgufView::stack},
});

inline constexpr GgufArchitecture kGgufGranite{"granitemoe",
                                               R"({"model_type": "granitemoe", "rope_interleave": true})",
                                               kGgufGraniteKeys,
                                               finish_gguf_granite,
                                               {kGgufGraniteNames}};

}  // namespace trine::inline TRINE_ABI::hf
