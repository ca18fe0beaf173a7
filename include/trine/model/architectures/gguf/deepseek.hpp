// SPDX-License-Identifier: Apache-2.0
// GGUF files of "deepseek2": V2 chooses experts by softmax, V3 and Kimi K2 by sigmoid; of "deepseek32" and "glm-dsa",
// V3.2 and GLM-5; of "mistral4", Mistral Small 4.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include <trine/model/architectures/gguf/common.hpp>

namespace trine::inline TRINE_ABI::hf {

/// Ranks, and heads: by the keys for split projections, or in older files by those of plain heads.
inline void convert_latent_attention(GgufConversion& to) {
  to.config["q_lora_rank"] = nullptr;
  if (to.keys.has("attention.q_lora_rank"))
    to.config["q_lora_rank"] = to.keys.integer("attention.q_lora_rank", 1, config_limits::kWidth);
  to.config["kv_lora_rank"] = to.keys.integer("attention.kv_lora_rank", 1, config_limits::kWidth);
  const bool split = to.keys.has("attention.key_length_mla");
  const std::string_view key = split ? "attention.key_length_mla" : "attention.key_length";
  const std::string_view value = split ? "attention.value_length_mla" : "attention.value_length";
  const std::uint64_t rope = to.keys.integer("rope.dimension_count", 2, config_limits::kHeadDim);
  const std::uint64_t width = to.keys.integer(key, 1, config_limits::kHeadDim);
  if (width <= rope) to.keys.fail(key, "more than rope.dimension_count = " + std::to_string(rope));
  to.config["qk_rope_head_dim"] = rope;
  to.config["qk_nope_head_dim"] = width - rope;
  to.config["v_head_dim"] = to.keys.integer(value, 1, config_limits::kHeadDim);
  // Those of the absorbed form: one key of kv_lora_rank + rope elements.
  for (const std::string_view other : {"attention.key_length", "attention.value_length", "attention.head_count_kv"})
    static_cast<void>(to.keys.has(other));
}

/// Files from before autumn 2025 lack the groups, and llama.cpp chose among all experts then.
inline std::uint64_t convert_groups(GgufConversion& to) {
  const std::uint64_t groups = to.keys.integer_or("expert_group_count", 0, config_limits::kWidth, 0);
  to.config["n_group"] = std::max<std::uint64_t>(groups, 1);
  to.config["topk_group"] =
      std::max<std::uint64_t>(to.keys.integer_or("expert_group_used_count", 0, config_limits::kWidth, 0), 1);
  if (groups == 0)
    to.notes.add("expert_group_count",
                 "absent: experts are chosen from all, whatever groups the model was trained with");
  return groups;
}

/// Stored as 0.1 mscale_all_dim. mscale is not stored: in all published models it is the same.
inline void convert_mscale(GgufConversion& to) {
  const double log_multiplier = to.keys.number_or("rope.scaling.yarn_log_multiplier", 0.0, 1e3, 0.0);
  Json& rope = to.config["rope_parameters"];
  if (rope["rope_type"] == "yarn" && log_multiplier != 0.0)
    rope["mscale"] = rope["mscale_all_dim"] = log_multiplier * 10.0;
}

inline void finish_gguf_deepseek(GgufConversion& to) {
  convert_latent_attention(to);
  convert_absent_counts(to);
  to.config["routed_scaling_factor"] = expert_weights_scale(to);

  // GLM-4.7-Flash does not name its function.
  const std::uint64_t layers = to.config["num_hidden_layers"].get<std::uint64_t>();
  const bool glm = (layers == 47 || layers == 48) && to.config["vocab_size"] == 154880;
  std::uint64_t gating = to.keys.integer_or("expert_gating_func", 0, 2, 0);
  if (gating == 0) gating = glm ? 2 : 1;
  const bool normalizes = to.keys.boolean_or("expert_weights_norm", false);
  const std::uint64_t groups = convert_groups(to);
  if (gating == 2) {
    to.config["model_type"] = "deepseek_v3";
    to.config["norm_topk_prob"] = normalizes;
  } else {
    if (normalizes) to.keys.fail("expert_weights_norm", "false with a softmax of the experts", ErrorKind::unsupported);
    to.config["model_type"] = "deepseek_v2";
    to.config["topk_method"] = groups > 1 ? "group_limited_greedy" : "greedy";
  }
  convert_mscale(to);
}

/// Scores that grow with the position: files made from the published directory lack the factor, which is 0.1.
inline void finish_gguf_mistral4(GgufConversion& to) {
  constexpr std::string_view kLength = "attention.temperature_length";
  convert_latent_attention(to);
  convert_absent_counts(to);
  convert_groups(to);
  to.config["routed_scaling_factor"] = expert_weights_scale(to);
  to.config["norm_topk_prob"] = to.keys.boolean_or("expert_weights_norm", false);
  require_softmax(to);
  Json& rope = to.config["rope_parameters"];
  if (rope["rope_type"] != "yarn") to.keys.fail("rope.scaling.type", "yarn", ErrorKind::unsupported);
  convert_mscale(to);
  to.keys.require(kLength, rope["original_max_position_embeddings"].get<double>());
  rope["llama_4_scaling_beta"] = to.keys.number_or("attention.temperature_scale", 0.0, 1e3, 0.1);
}

/// A family with an indexer.
inline void finish_gguf_sparse_latent(GgufConversion& to) {
  convert_latent_attention(to);
  convert_sigmoid_router(to);
  convert_absent_counts(to);
  to.config["index_topk"] = to.keys.integer("attention.indexer.top_k", 1, config_limits::kPositions);
  to.config["index_n_heads"] = to.keys.integer("attention.indexer.head_count", 1, config_limits::kHeads);
  to.config["index_head_dim"] = to.keys.integer("attention.indexer.key_length", 1, config_limits::kHeadDim);
  convert_mscale(to);
}

/// GLM-5, whose layers may share a selection. Files of 5.2 that do not say which are known by the length of their
/// context, as in llama.cpp: three layers do not share, then every fourth.
inline void finish_gguf_glm_dsa(GgufConversion& to) {
  finish_gguf_sparse_latent(to);
  constexpr std::string_view kTypes = "attention.indexer.types";
  const std::size_t layers = to.config["num_hidden_layers"].get<std::size_t>();
  if (to.keys.has(kTypes)) {
    Json types = Json::array();
    for (const bool is_full : to.keys.flags(kTypes, layers)) types.push_back(is_full ? "full" : "shared");
    to.config["indexer_types"] = std::move(types);
  } else if (to.config["max_position_embeddings"].get<std::size_t>() >= 1U << 20U) {
    to.config["index_topk_freq"] = 4U;
    to.config["index_skip_topk_offset"] = 3U;
  }
}

inline constexpr std::array kGgufDeepseekNames = std::to_array<GgufName>({
    {"attn_q_a", "self_attn.q_a_proj"},
    {"attn_q_a_norm", "self_attn.q_a_layernorm"},
    {"attn_q_b", "self_attn.q_b_proj"},
    {"attn_kv_a_mqa", "self_attn.kv_a_proj_with_mqa"},
    {"attn_kv_a_norm", "self_attn.kv_a_layernorm"},
    {"attn_kv_b", "self_attn.kv_b_proj"},
    {"attn_k_b", "self_attn.k_b_proj"},
    {"attn_v_b", "self_attn.v_b_proj"},
    {"indexer.k_norm", "self_attn.indexer.k_norm"},
    {"indexer.proj", "self_attn.indexer.weights_proj"},
    {"indexer.attn_k", "self_attn.indexer.wk"},
    {"indexer.attn_q_b", "self_attn.indexer.wq_b"},
});

inline constexpr std::array kGgufDeepseek = std::to_array<GgufArchitecture>({
    {"deepseek2", "{}", kGgufDeepseekMoeKeys, finish_gguf_deepseek, {kGgufDeepseekNames, kGgufMoeNames}},
    {"deepseek32",
     R"({"model_type": "deepseek_v32"})",
     kGgufDeepseekMoeKeys,
     finish_gguf_sparse_latent,
     {kGgufDeepseekNames, kGgufMoeNames}},
    {"glm-dsa",
     R"({"model_type": "glm_moe_dsa"})",
     kGgufDeepseekMoeKeys,
     finish_gguf_glm_dsa,
     {kGgufDeepseekNames, kGgufMoeNames}},
    {"mistral4",
     R"({"model_type": "mistral4"})",
     kGgufDeepseekMoeKeys,
     finish_gguf_mistral4,
     {kGgufDeepseekNames, kGgufMoeNames}},
});

}  // namespace trine::inline TRINE_ABI::hf
