// SPDX-License-Identifier: Apache-2.0
// dots.llm1 (arXiv:2506.05767): the attention of Qwen3 and the feed-forward layers of DeepSeek-V3. Reference:
// transformers, models/dots1.
#pragma once

#include <cstddef>
#include <string_view>

#include <trine/model/architectures/hf_moe.hpp>

namespace trine::inline TRINE_ABI {

/// Defaults of absent keys: Dots1Config of transformers. n_routed_experts and num_experts_per_tok are required.
inline constexpr std::string_view kDots1Defaults = R"({
    "vocab_size": 152064, "hidden_size": 4608, "intermediate_size": 10944, "moe_intermediate_size": 1408,
    "num_hidden_layers": 62, "num_attention_heads": 32, "num_key_value_heads": 32, "hidden_act": "silu",
    "max_position_embeddings": 2048, "rms_norm_eps": 1e-6, "tie_word_embeddings": false, "rope_theta": 1e4,
    "attention_bias": false, "sliding_window": 4096, "max_window_layers": 62, "layer_types": null,
    "first_k_dense_replace": 0, "n_routed_experts": null, "n_shared_experts": null, "num_experts_per_tok": null,
    "n_group": 1, "topk_group": 1, "norm_topk_prob": false, "routed_scaling_factor": 1.0})";

/// Builder of "model_type": "dots1". Throws ConfigError, WeightError.
[[nodiscard]] inline ModelParts build_dots1(const BuildContext& context, const WeightScope& weights) {
  HfConfigReader reader(context, kDots1Defaults);
  const HfConfig config = reader.common();
  const std::size_t layers = config.num_hidden_layers;
  hf::MoeDecoder parts{.heads = reader.heads(config.hidden_size)};
  parts.attention = {.qk_norm = GroupedQueryOptions::Norm::per_head, .norm_epsilon = config.rms_norm_eps};
  if (reader.boolean("attention_bias")) parts.attention.qkv_bias = parts.attention.o_bias = Linear::Bias::yes;
  parts.windows = hf::read_upper_windows(reader, hf::read_window(reader), layers);
  parts.moe = hf::read_v3_moe(reader, hf::read_first_dense(reader, layers));
  parts.rotary = hf::read_rotary(reader, config, parts.heads.head_dim, parts.rotation);
  reader.reject_unknown_keys();
  return hf::build_moe_decoder(context, config, weights, parts);
}

}  // namespace trine::inline TRINE_ABI
