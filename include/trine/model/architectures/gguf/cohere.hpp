// SPDX-License-Identifier: Apache-2.0
// GGUF files of "cohere2moe". Dense layers rotate, and are full, whatever the others do.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include <trine/model/architectures/gguf/common.hpp>

namespace trine::inline TRINE_ABI::hf {

inline constexpr std::array kGgufCohereKeys = std::to_array<GgufKey>({
    {"feed_forward_length", "prefix_dense_intermediate_size"},
    {"expert_feed_forward_length", "intermediate_size"},
    {"leading_dense_block_count", "first_k_dense_replace", GgufKind::optional_count},
    {"expert_count", "num_experts"},
    {"expert_used_count", "num_experts_per_tok"},
    {"expert_shared_count", "num_shared_experts", GgufKind::optional_count},
    {"attention.sliding_window", "sliding_window"},
    {"attention.layer_norm_epsilon", "layer_norm_eps", GgufKind::optional_number},
    {"logit_scale", "logit_scale", GgufKind::number},
});

inline void finish_gguf_cohere(GgufConversion& to) {
  Json& config = to.config;
  config["head_dim"] = convert_heads(to);
  if (to.keys.number_or("rope.freq_base_swa", 1.0, 1e12, config["rope_parameters"]["rope_theta"].get<double>()) !=
      config["rope_parameters"]["rope_theta"])
    to.keys.fail("rope.freq_base_swa", "that of rope.freq_base", ErrorKind::unsupported);
  if (config["rope_parameters"]["rope_type"] != "default")
    to.keys.fail("rope.scaling.type", "none", ErrorKind::unsupported);
  convert_window_pattern(to);

  const std::uint64_t gating = to.keys.integer_or("expert_gating_func", 0, 3, 2);
  const bool normalizes = to.keys.boolean_or("expert_weights_norm", false);
  if (gating == 3) to.keys.fail("expert_gating_func", "1 or 2, a softmax or a sigmoid", ErrorKind::unsupported);
  if (gating == 1 && !normalizes)
    to.keys.fail("expert_weights_norm", "true with a softmax of the experts", ErrorKind::unsupported);
  config["expert_selection_fn"] = gating == 1 ? "softmax" : "sigmoid";
  config["norm_topk_prob"] = normalizes;
  require_one_group(to);
  to.keys.require("expert_weights_scale", 1.0);
  static_cast<void>(to.keys.has(kSharedLength));  // the shapes say it
  if (!config.contains("num_shared_experts")) config["num_shared_experts"] = 0U;
  config["attention_bias"] = to.has_tensor("blk.0.attn_q.bias");
}

inline constexpr GgufArchitecture kGgufCohere{
    "cohere2moe",
    R"({"model_type": "cohere2_moe", "prefix_dense_sliding_window_pattern": 1, "shared_expert_combination_strategy": "average"})",
    kGgufCohereKeys,
    finish_gguf_cohere,
    {kGgufMoeNames}};

}  // namespace trine::inline TRINE_ABI::hf
