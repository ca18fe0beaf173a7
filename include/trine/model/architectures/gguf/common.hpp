// SPDX-License-Identifier: Apache-2.0
// What the architectures of GGUF share: rotary settings, heads, widths of experts, names of tensors.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <trine/model/architectures/config_limits.hpp>
#include <trine/model/architectures/gguf/architecture.hpp>

namespace trine::inline TRINE_ABI::hf {

inline constexpr std::array kGgufDenseKeys = std::to_array<GgufKey>({{"feed_forward_length", "intermediate_size"}});

inline constexpr std::array kGgufMoeKeys = std::to_array<GgufKey>({
    {"expert_count", "num_experts"},
    {"expert_used_count", "num_experts_per_tok"},
});

/// The keys of DeepSeek's mixture.
inline constexpr std::array kGgufDeepseekMoeKeys = std::to_array<GgufKey>({
    {"feed_forward_length", "intermediate_size"},
    {"expert_feed_forward_length", "moe_intermediate_size"},
    {"leading_dense_block_count", "first_k_dense_replace", GgufKind::optional_count},
    {"expert_count", "n_routed_experts"},
    {"expert_used_count", "num_experts_per_tok"},
    {"expert_shared_count", "n_shared_experts", GgufKind::optional_count},
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
  static_cast<void>(keys.has("rope.scaling.original_context_length"));  // only YaRN reads it
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

/// Heads of grouped-query attention: head_dim is null if the file does not name it. Returns the width of a head.
inline std::uint64_t convert_head_sizes(GgufConversion& to) {
  const std::uint64_t heads = to.config["num_attention_heads"].get<std::uint64_t>();
  to.config["num_key_value_heads"] = to.keys.integer_or("attention.head_count_kv", 1, config_limits::kHeads, heads);
  to.config["head_dim"] = nullptr;
  std::uint64_t head_dim = to.config["hidden_size"].get<std::uint64_t>() / heads;
  if (to.keys.has("attention.key_length"))
    to.config["head_dim"] = head_dim = to.keys.integer("attention.key_length", 2, config_limits::kHeadDim);
  to.keys.require("attention.value_length", static_cast<double>(head_dim));
  return head_dim;
}

/// The same for heads that rotate as a whole.
inline std::uint64_t convert_heads(GgufConversion& to) {
  const std::uint64_t head_dim = convert_head_sizes(to);
  to.keys.require("rope.dimension_count", static_cast<double>(head_dim));
  return head_dim;
}

/// The share of a head of `width` elements that rotates: a factor whose product, rounded down, is `part`.
[[nodiscard]] inline double share_of_head(std::uint64_t part, std::uint64_t width) {
  const auto all = static_cast<double>(width);
  double factor = static_cast<double>(part) / all;
  while (static_cast<std::uint64_t>(all * factor) < part) factor = std::nextafter(factor, 2.0);
  return factor;
}

/// The heads of grouped-query attention of which a part may rotate. Returns the width of a head.
inline std::uint64_t convert_partly_rotated_heads(GgufConversion& to) {
  const std::uint64_t head_dim = convert_head_sizes(to);
  const std::uint64_t part = to.keys.integer_or("rope.dimension_count", 2, head_dim, head_dim);
  to.config["partial_rotary_factor"] = share_of_head(part, head_dim);
  return head_dim;
}

inline constexpr std::string_view kWindowPattern = "attention.sliding_window_pattern";

/// "layer_types".
inline void set_layer_types(GgufConversion& to, const std::vector<bool>& slides) {
  Json types = Json::array();
  for (const bool one : slides) types.push_back(one ? "sliding_attention" : "full_attention");
  to.config["layer_types"] = std::move(types);
}

/// The same by kWindowPattern. Returns which layers slide.
inline std::vector<bool> convert_window_pattern(GgufConversion& to) {
  std::vector<bool> slides = to.keys.window_pattern(kWindowPattern, to.config["num_hidden_layers"].get<std::size_t>());
  set_layer_types(to, slides);
  return slides;
}

/// An object of "rope_parameters" for each layer type: full layers scale as convert_rope has read it, the others do
/// not.
inline void convert_rope_by_type(GgufConversion& to) {
  Json full = to.config["rope_parameters"];
  const double theta = to.keys.number_or("rope.freq_base_swa", 1.0, 1e12, full["rope_theta"].get<double>());
  to.config["rope_parameters"] = {{"full_attention", std::move(full)},
                                  {"sliding_attention", {{"rope_type", "default"}, {"rope_theta", theta}}}};
}

/// Counts of DeepSeek's mixture that a file leaves out are 0.
inline void convert_absent_counts(GgufConversion& to) {
  for (const char* key : {"first_k_dense_replace", "n_shared_experts"})
    if (!to.config.contains(key)) to.config[key] = 0U;
}

/// For families whose routers are sigmoids, whether the file says so or not.
inline void require_sigmoid(GgufConversion& to) {
  if (to.keys.integer_or("expert_gating_func", 0, 3, 2) % 2 != 0)  // 0: not named
    to.keys.fail("expert_gating_func", "2, a sigmoid", ErrorKind::unsupported);
}

/// The same for families whose routers are softmaxes.
inline void require_softmax(GgufConversion& to) {
  if (to.keys.integer_or("expert_gating_func", 0, 3, 1) > 1)
    to.keys.fail("expert_gating_func", "1, a softmax", ErrorKind::unsupported);
}

/// For families that always normalise the weights of the chosen experts.
inline void require_normalized_weights(GgufConversion& to) {
  if (!to.keys.boolean_or("expert_weights_norm", true))
    to.keys.fail("expert_weights_norm", "true", ErrorKind::unsupported);
}

/// For families without groups of experts.
inline void require_one_group(GgufConversion& to) {
  for (const std::string_view key : {"expert_group_count", "expert_group_used_count"}) to.keys.require(key, 1.0);
}

/// The width of all shared experts of a layer.
inline constexpr std::string_view kSharedLength = "expert_shared_feed_forward_length";

/// The factor of the routed experts; 0 stands for none.
[[nodiscard]] inline double expert_weights_scale(GgufConversion& to) {
  const double scale = to.keys.number_or("expert_weights_scale", 0.0, 1e6, 1.0);
  return scale == 0.0 ? 1.0 : scale;
}

/// A router of sigmoids, with or without groups.
inline void convert_sigmoid_router(GgufConversion& to) {
  require_sigmoid(to);
  to.config["routed_scaling_factor"] = expert_weights_scale(to);
  to.config["norm_topk_prob"] = to.keys.boolean_or("expert_weights_norm", false);
  to.config["n_group"] = to.keys.integer_or("expert_group_count", 1, config_limits::kWidth, 1);
  to.config["topk_group"] = to.keys.integer_or("expert_group_used_count", 1, config_limits::kWidth, 1);
}

/// The layers without a router: dense ones of a mixture.
inline void convert_dense_layers(GgufConversion& to) {
  Json layers = Json::array();
  for (std::size_t layer = 0; layer < to.config["num_hidden_layers"].get<std::size_t>(); ++layer)
    if (!to.has_tensor(to.block(layer, "ffn_gate_inp.weight"))) layers.push_back(layer);
  to.config["mlp_only_layers"] = std::move(layers);
}

/// "mlp_layer_types": layers with a router are sparse.
inline void convert_sparse_layers(GgufConversion& to) {
  Json types = Json::array();
  for (std::size_t layer = 0; layer < to.config["num_hidden_layers"].get<std::size_t>(); ++layer)
    types.push_back(to.has_tensor(to.block(layer, "ffn_gate_inp.weight")) ? "sparse" : "dense");
  to.config["mlp_layer_types"] = std::move(types);
}

/// Width of the experts: files before 2024-05 have that of all chosen ones instead.
inline void convert_expert_width(GgufConversion& to) {
  const std::uint64_t all = to.keys.integer_or("feed_forward_length", 0, config_limits::kIntermediateSize, 0);
  if (all > 0) to.config["intermediate_size"] = all;
  const std::uint64_t used = to.config["num_experts_per_tok"].get<std::uint64_t>();
  to.config["moe_intermediate_size"] = to.keys.integer_or(
      "expert_feed_forward_length", 1, config_limits::kIntermediateSize, std::max<std::uint64_t>(1, all / used));
}

inline constexpr std::array kGgufBlockNames = std::to_array<GgufName>({
    {"attn_norm", "input_layernorm"},
    {"ffn_norm", "post_attention_layernorm"},
    {"attn_q", "self_attn.q_proj"},
    {"attn_k", "self_attn.k_proj"},
    {"attn_v", "self_attn.v_proj"},
    {"attn_output", "self_attn.o_proj"},
    {"attn_q_norm", "self_attn.q_norm"},
    {"attn_k_norm", "self_attn.k_norm"},
    {"ffn_gate", "mlp.gate_proj"},
    {"ffn_up", "mlp.up_proj"},
    {"ffn_down", "mlp.down_proj"},
    {"nextn.eh_proj", "eh_proj"},
    {"nextn.enorm", "enorm"},
    {"nextn.hnorm", "hnorm"},
    {"nextn.embed_tokens", "embed_tokens"},
    {"nextn.shared_head_head", "shared_head.head"},
    {"nextn.shared_head_norm", "shared_head.norm"},
    {"layer_output_norm", "final_layernorm"},  // of a layer that drafts
    {"attn_rot_embd", "", GgufView::dropped},
});

inline constexpr std::array kGgufMoeNames = std::to_array<GgufName>({
    {"ffn_gate_inp", "mlp.gate"},
    {"exp_probs_b.bias", "mlp.gate.e_score_correction_bias"},
    {"ffn_gate_shexp", "mlp.shared_experts.gate_proj"},
    {"ffn_up_shexp", "mlp.shared_experts.up_proj"},
    {"ffn_down_shexp", "mlp.shared_experts.down_proj"},
    {"ffn_gate_exps", "mlp.experts.*.gate_proj", GgufView::stack},
    {"ffn_up_exps", "mlp.experts.*.up_proj", GgufView::stack},
    {"ffn_down_exps", "mlp.experts.*.down_proj", GgufView::stack},
    {"ffn_gate_up_exps", "mlp.experts.*.gate_proj", GgufView::first_half},
    {"ffn_gate_up_exps", "mlp.experts.*.up_proj", GgufView::second_half},
});

}  // namespace trine::inline TRINE_ABI::hf
