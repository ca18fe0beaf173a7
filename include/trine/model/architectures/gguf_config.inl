// SPDX-License-Identifier: Apache-2.0
// The definitions of model/architectures/gguf_config.hpp.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <trine/core/float16.hpp>
#include <trine/json/parse.hpp>
#include <trine/model/architectures/config_limits.hpp>
#include <trine/model/architectures/gguf_config.hpp>
#include <trine/model/architectures/gguf_keys.hpp>
#include <trine/weights/gguf_metadata.hpp>
#include <trine/weights/weight_source.hpp>

namespace trine::inline TRINE_ABI {

namespace hf {

enum class GgufKind : std::uint8_t { count, optional_count, number, optional_number };

/// A key of GGUF and its name in config.json.
struct GgufKey {
  std::string_view gguf;
  std::string_view hf;
  GgufKind kind = GgufKind::count;
};

/// The configuration while it is made.
struct GgufConversion {
  GgufKeys& keys;
  const WeightSource& tensors;
  Json& config;
  Notes& notes;

  [[nodiscard]] bool has_tensor(std::string_view name) const { return tensors.find(name) != nullptr; }
  [[nodiscard]] std::string block(std::size_t layer, std::string_view name) const {
    return "blk." + std::to_string(layer) + "." + std::string(name);
  }
};

/// How the configuration of one architecture is made: `constants` of its models, the keys, then `finish`.
struct GgufArchitecture {
  std::string_view name;       ///< general.architecture
  std::string_view constants;  ///< a JSON object
  std::span<const GgufKey> keys;
  void (*finish)(GgufConversion& conversion);
};

inline constexpr std::array kCommonGgufKeys = std::to_array<GgufKey>({
    {"context_length", "max_position_embeddings"},
    {"embedding_length", "hidden_size"},
    {"attention.head_count", "num_attention_heads"},
    {"attention.layer_norm_rms_epsilon", "rms_norm_eps", GgufKind::number},
});

/// Keys that say how other software runs a model, or repeat what tensors say.
inline constexpr std::array kIgnoredGgufKeys = std::to_array<std::string_view>({
    "vocab_size",              // the rows of the embedding
    "tensor_data_layout",      // old files, whose layout is that of the new ones
    "rope.scaling.finetuned",  // says how the weights were made
});

/// The rotated part of a head, and the divisors of its frequencies that the file has as a tensor.
inline constexpr std::string_view kRopeFactors = "rope_freqs.weight";

/// [head_dim / 2] divisors of the frequencies: how files store the scaling of Llama 3, whose settings they lack.
[[nodiscard]] inline Json read_rope_factors(const GgufConversion& from) {
  const StoredTensor& tensor = *from.tensors.find(kRopeFactors);
  if (tensor.dtype != DType::f32 || tensor.shape.size() != 1)
    throw WeightError(std::string(kRopeFactors) + ": expected a list of f32, found another (" +
                          from.tensors.source_name_of(kRopeFactors) + ")",
                      {ErrorKind::mismatch, from.tensors.source_name_of(kRopeFactors), std::string(kRopeFactors)});
  const auto* factors = reinterpret_cast<const float*>(tensor.bytes.data());
  return std::vector<float>(factors, factors + tensor.shape[0]);
}

/// "rope_parameters". Of YaRN files keep neither mscale nor truncate: see the architectures.
inline void convert_rope(GgufConversion& to) {
  GgufKeys& keys = to.keys;
  Json rope = {{"rope_theta", keys.number_or("rope.freq_base", 1.0, 1e12, 1e4)}, {"rope_type", "default"}};
  const double old_factor = keys.number_or("rope.scale_linear", 0.0, 1e6, 0.0);
  const double factor = keys.number_or("rope.scaling.factor", 0.0, 1e6, old_factor);
  const std::string type = keys.string_or("rope.scaling.type", "linear");
  keys.require("rope.scaling.attn_factor", 1.0);
  if (type == "yarn") {
    rope["rope_type"] = "yarn";
    rope["factor"] = factor;
    rope["original_max_position_embeddings"] =
        keys.integer("rope.scaling.original_context_length", 2, config_limits::kPositions);
    rope["beta_fast"] = keys.number_or("rope.scaling.yarn_beta_fast", 0.0, 1e6, 32.0);
    rope["beta_slow"] = keys.number_or("rope.scaling.yarn_beta_slow", 0.0, 1e6, 1.0);
    if (keys.has("rope.scaling.yarn_attn_factor"))
      rope["attention_factor"] = keys.number("rope.scaling.yarn_attn_factor", 1e-3, 1e3);
    keys.require("rope.scaling.yarn_ext_factor", 1.0);
  } else if (type == "linear") {
    static_cast<void>(keys.has("rope.scaling.original_context_length"));
    if (factor != 0.0 && factor != 1.0) {
      rope["rope_type"] = "linear";
      rope["factor"] = factor;
    }
  } else if (type != "none") {
    keys.fail("rope.scaling.type", "none, linear or yarn", ErrorKind::unsupported);
  }
  if (to.has_tensor(kRopeFactors)) {
    if (rope["rope_type"] != "default")
      keys.fail("rope.scaling.type", "none beside the tensor rope_freqs.weight", ErrorKind::unsupported);
    const Json factors = read_rope_factors(to);
    rope["rope_type"] = "longrope";
    rope["short_factor"] = factors;
    rope["long_factor"] = factors;
    rope["original_max_position_embeddings"] = to.config["max_position_embeddings"];
    rope["attention_factor"] = 1.0;
  }
  to.config["rope_parameters"] = std::move(rope);
}

/// Heads of grouped-query attention: head_dim is null if the file does not name it.
inline void convert_heads(GgufConversion& to) {
  const std::uint64_t heads = to.config["num_attention_heads"].get<std::uint64_t>();
  to.config["num_key_value_heads"] = to.keys.integer_or("attention.head_count_kv", 1, config_limits::kHeads, heads);
  to.config["head_dim"] = nullptr;
  std::uint64_t head_dim = to.config["hidden_size"].get<std::uint64_t>() / heads;
  if (to.keys.has("attention.key_length"))
    to.config["head_dim"] = head_dim = to.keys.integer("attention.key_length", 2, config_limits::kHeadDim);
  to.keys.require("attention.value_length", static_cast<double>(head_dim));
  to.keys.require("rope.dimension_count", static_cast<double>(head_dim));
}

/// The layers without a router: dense ones of a mixture.
inline void convert_dense_layers(GgufConversion& to) {
  Json layers = Json::array();
  for (std::size_t layer = 0; layer < to.config["num_hidden_layers"].get<std::size_t>(); ++layer)
    if (!to.has_tensor(to.block(layer, "ffn_gate_inp.weight"))) layers.push_back(layer);
  to.config["mlp_only_layers"] = std::move(layers);
}

/// Width of the experts: files before 2024-05 have that of all chosen ones instead.
inline void convert_expert_width(GgufConversion& to) {
  const std::uint64_t all = to.keys.integer_or("feed_forward_length", 0, config_limits::kIntermediateSize, 0);
  if (all > 0) to.config["intermediate_size"] = all;
  const std::uint64_t used = to.config["num_experts_per_tok"].get<std::uint64_t>();
  to.config["moe_intermediate_size"] = to.keys.integer_or(
      "expert_feed_forward_length", 1, config_limits::kIntermediateSize, std::max<std::uint64_t>(1, all / used));
}

// ---- llama, and Mistral and Mixtral, which are called so, too. Rows of q and k are stored for interleaved pairs.

inline constexpr std::array kGgufDenseKeys = std::to_array<GgufKey>({{"feed_forward_length", "intermediate_size"}});

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

// ---- Qwen

inline constexpr std::array kGgufMoeKeys = std::to_array<GgufKey>({
    {"expert_count", "num_experts"},
    {"expert_used_count", "num_experts_per_tok"},
});

inline void finish_gguf_qwen2(GgufConversion& to) { convert_heads(to); }

inline void finish_gguf_qwen3(GgufConversion& to) {
  convert_heads(to);
  to.config["attention_bias"] = to.has_tensor("blk.0.attn_q.bias");
}

inline void finish_gguf_qwen2_moe(GgufConversion& to) {
  convert_heads(to);
  convert_expert_width(to);
  convert_dense_layers(to);
  to.config["qkv_bias"] = to.has_tensor("blk.0.attn_q.bias");
  to.config["shared_expert_intermediate_size"] =
      to.keys.integer_or("expert_shared_feed_forward_length", 1, config_limits::kIntermediateSize,
                         to.keys.integer_or("feed_forward_length", 1, config_limits::kIntermediateSize, 1));
}

inline void finish_gguf_qwen3_moe(GgufConversion& to) {
  finish_gguf_qwen3(to);
  convert_expert_width(to);
  convert_dense_layers(to);
}

// ---- OLMoE

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

// ---- DeepSeek: V2 chooses experts by softmax, V3 and Kimi K2 by sigmoid

inline constexpr std::array kGgufDeepseekKeys = std::to_array<GgufKey>({
    {"feed_forward_length", "intermediate_size"},
    {"expert_feed_forward_length", "moe_intermediate_size"},
    {"leading_dense_block_count", "first_k_dense_replace", GgufKind::optional_count},
    {"expert_count", "n_routed_experts"},
    {"expert_used_count", "num_experts_per_tok"},
    {"expert_shared_count", "n_shared_experts", GgufKind::optional_count},
    {"attention.q_lora_rank", "q_lora_rank", GgufKind::optional_count},
    {"attention.kv_lora_rank", "kv_lora_rank"},
});

/// Heads: by the keys for split projections, or in older files by those of plain heads.
inline void convert_latent_heads(GgufConversion& to) {
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

inline void finish_gguf_deepseek(GgufConversion& to) {
  convert_latent_heads(to);
  for (const char* key : {"first_k_dense_replace", "n_shared_experts"})
    if (!to.config.contains(key)) to.config[key] = 0U;
  if (!to.config.contains("q_lora_rank")) to.config["q_lora_rank"] = nullptr;
  const double scale = to.keys.number_or("expert_weights_scale", 0.0, 1e6, 1.0);
  to.config["routed_scaling_factor"] = scale == 0.0 ? 1.0 : scale;

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
  // Stored as 0.1 mscale_all_dim. mscale is not stored: in all published models it is the same.
  const double log_multiplier = to.keys.number_or("rope.scaling.yarn_log_multiplier", 0.0, 1e3, 0.0);
  Json& rope = to.config["rope_parameters"];
  if (rope["rope_type"] == "yarn" && log_multiplier != 0.0)
    rope["mscale"] = rope["mscale_all_dim"] = log_multiplier * 10.0;
}

// ---- gpt-oss

inline constexpr std::array kGgufGptOssKeys = std::to_array<GgufKey>({
    {"expert_feed_forward_length", "intermediate_size"},
    {"expert_count", "num_local_experts"},
    {"expert_used_count", "num_experts_per_tok"},
    {"attention.sliding_window", "sliding_window"},
});

inline void finish_gguf_gpt_oss(GgufConversion& to) {
  convert_heads(to);
  static_cast<void>(to.keys.has("feed_forward_length"));  // repeats that of the experts
  to.keys.require("attention.sliding_window_pattern", 2.0);
  if (to.keys.integer_or("expert_gating_func", 0, 3, 0) % 3 != 0)
    to.keys.fail("expert_gating_func", "3, a softmax of the chosen", ErrorKind::unsupported);
  to.config["attention_bias"] = to.has_tensor("blk.0.attn_q.bias");
  Json& rope = to.config["rope_parameters"];
  if (rope["rope_type"] == "yarn") rope["truncate"] = false;  // of all models of the family
}

inline constexpr std::array kGgufArchitectures = std::to_array<GgufArchitecture>({
    {"llama", R"({"rope_interleave": true})", kGgufDenseKeys, finish_gguf_llama},
    {"qwen2", R"({"model_type": "qwen2"})", kGgufDenseKeys, finish_gguf_qwen2},
    {"qwen3", R"({"model_type": "qwen3"})", kGgufDenseKeys, finish_gguf_qwen3},
    {"qwen2moe", R"({"model_type": "qwen2_moe", "norm_topk_prob": false})", kGgufMoeKeys, finish_gguf_qwen2_moe},
    {"qwen3moe", R"({"model_type": "qwen3_moe", "norm_topk_prob": true})", kGgufMoeKeys, finish_gguf_qwen3_moe},
    {"deepseek2", "{}", kGgufDeepseekKeys, finish_gguf_deepseek},
    {"olmoe", R"({"model_type": "olmoe", "norm_topk_prob": false})", kGgufOlmoeKeys, finish_gguf_olmoe},
    {"gpt-oss", R"({"model_type": "gpt_oss"})", kGgufGptOssKeys, finish_gguf_gpt_oss},
});

inline void convert_keys(GgufConversion& to, std::span<const GgufKey> keys) {
  constexpr std::uint64_t kMost = config_limits::kPositions;
  for (const auto& [gguf, name, kind] : keys) {
    const bool is_optional = kind == GgufKind::optional_count || kind == GgufKind::optional_number;
    if (is_optional && !to.keys.has(gguf)) continue;
    if (kind == GgufKind::number || kind == GgufKind::optional_number) {
      to.config[name] = to.keys.number(gguf, 0.0, 1e12);
    } else {
      to.config[name] = to.keys.integer(gguf, is_optional ? 0 : 1, kMost);
    }
  }
}

inline void convert_layers(GgufConversion& to) {
  const std::uint64_t blocks = to.keys.integer("block_count", 1, config_limits::kLayers);
  const std::uint64_t drafts = to.keys.integer_or("nextn_predict_layers", 0, blocks - 1, 0);
  to.config["num_hidden_layers"] = blocks - drafts;
}

inline void convert_vocabulary(GgufConversion& to) {
  const StoredTensor* embedding = to.tensors.find("token_embd.weight");
  if (embedding == nullptr || embedding->shape.size() != 2)
    throw WeightError("no matrix named 'token_embd.weight' (" + to.tensors.source_name() + ")",
                      {ErrorKind::mismatch, to.tensors.source_name(), "token_embd.weight"});
  to.config["vocab_size"] = embedding->shape[0];
  to.config["tie_word_embeddings"] = !to.has_tensor("output.weight");
}

}  // namespace hf

TRINE_DECL std::vector<std::string_view> gguf_architectures() {
  std::vector<std::string_view> names;
  for (const hf::GgufArchitecture& architecture : hf::kGgufArchitectures) names.push_back(architecture.name);
  return names;
}

TRINE_DECL Json gguf_config(const GgufMetadata& metadata, const WeightSource& tensors, Notes& notes) {
  if (metadata.string_or("general.type", "model") != "model")
    metadata.fail("general.type", "'model'", ErrorKind::unsupported);
  const std::string_view name = metadata.string("general.architecture");
  const auto found = std::ranges::find(hf::kGgufArchitectures, name, &hf::GgufArchitecture::name);
  if (found == hf::kGgufArchitectures.end()) {
    std::string known;
    for (const std::string_view one : gguf_architectures()) known += (known.empty() ? "" : ", ") + std::string(one);
    metadata.fail("general.architecture", "one of " + known, ErrorKind::unsupported);
  }
  Json config = parse_json(found->constants, SourceName("constants"));
  hf::GgufKeys keys(metadata, name);
  hf::GgufConversion conversion{keys, tensors, config, notes};
  hf::convert_layers(conversion);
  hf::convert_vocabulary(conversion);
  hf::convert_keys(conversion, hf::kCommonGgufKeys);
  hf::convert_keys(conversion, found->keys);
  hf::convert_rope(conversion);
  if (!keys.boolean_or("attention.causal", true))
    keys.fail("attention.causal", "true: an embedding model does not generate", ErrorKind::unsupported);
  found->finish(conversion);
  keys.ignore(hf::kIgnoredGgufKeys);
  keys.reject_unknown_keys(notes);
  return config;
}

}  // namespace trine::inline TRINE_ABI
