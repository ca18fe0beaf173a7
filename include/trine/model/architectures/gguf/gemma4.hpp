// SPDX-License-Identifier: Apache-2.0
// GGUF files of "gemma4". Their full layers rotate by divisors of the frequencies, 1 for pairs that rotate and a very
// large number for the others, where the checkpoint has the share of the pairs that rotate.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include <trine/model/architectures/gguf/common.hpp>

namespace trine::inline TRINE_ABI::hf {

inline constexpr std::array kGgufGemma4Keys = std::to_array<GgufKey>({
    {"feed_forward_length", "intermediate_size"},
    {"attention.sliding_window", "sliding_window"},
    {"attention.shared_kv_layers", "num_kv_shared_layers", GgufKind::optional_count},
    {"embedding_length_per_layer_input", "hidden_size_per_layer_input", GgufKind::optional_count},
    {"final_logit_softcapping", "final_logit_softcapping", GgufKind::optional_number},
});

/// The share of a head that rotates, from the divisors. Throws ConfigError if they are others than said above.
[[nodiscard]] inline double rotated_share(const GgufConversion& from) {
  const Json divisors = read_rope_factors(from);
  const auto is_one = [](const Json& divisor) { return divisor == 1.0F; };
  const auto first_still = std::ranges::find_if_not(divisors, is_one);
  if (divisors.empty() ||
      std::any_of(first_still, divisors.end(), [](const Json& d) { return d.get<float>() < 1e29F; }))
    from.keys.fail("rope.freq_base", "divisors of 1, then of 1e30, in " + std::string(kRopeFactors),
                   ErrorKind::unsupported);
  return static_cast<double>(first_still - divisors.begin()) / static_cast<double>(divisors.size());
}

inline void finish_gguf_gemma4(GgufConversion& to) {
  Json& config = to.config;
  GgufKeys& keys = to.keys;
  const auto layers = config["num_hidden_layers"].get<std::size_t>();
  const std::vector<bool> slides = keys.window_pattern("attention.sliding_window_pattern", layers);
  const std::vector<std::uint64_t> kv_heads =
      keys.integers("attention.head_count_kv", 1, config_limits::kHeads, layers);
  config["layer_types"] = Json::array();
  for (std::size_t layer = 0; layer < layers; ++layer) {
    config["layer_types"].push_back(slides[layer] ? "sliding_attention" : "full_attention");
    const char* key = slides[layer] ? "num_key_value_heads" : "num_global_key_value_heads";
    if (config.contains(key) && config[key] != kv_heads[layer])
      keys.fail("attention.head_count_kv", "the same number for all layers of a type", ErrorKind::unsupported);
    config[key] = kv_heads[layer];
  }
  if (!config.contains("num_key_value_heads")) config["num_key_value_heads"] = config["num_global_key_value_heads"];
  config["global_head_dim"] = keys.integer("attention.key_length", 2, config_limits::kHeadDim);
  config["head_dim"] = keys.integer("attention.key_length_swa", 2, config_limits::kHeadDim);
  for (const char* key : {"attention.value_length", "rope.dimension_count"})
    keys.require(key, config["global_head_dim"].get<double>());
  for (const char* key : {"attention.value_length_swa", "rope.dimension_count_swa"})
    keys.require(key, config["head_dim"].get<double>());

  // Values of full layers are their keys where files have none.
  const auto full = std::ranges::find(slides, false);
  const auto layer = static_cast<std::size_t>(full - slides.begin());
  config["attention_k_eq_v"] = full != slides.end() && !to.has_tensor(to.block(layer, "attn_v.weight"));
  if (config["attention_k_eq_v"] == false && full != slides.end() &&
      config["num_global_key_value_heads"] != config["num_key_value_heads"])
    keys.fail("attention.head_count_kv", "the same number for all layers that have values of their own",
              ErrorKind::unsupported);

  Json rope = {{"sliding_attention",
                {{"rope_type", "default"}, {"rope_theta", keys.number_or("rope.freq_base_swa", 1.0, 1e12, 1e4)}}}};
  const Json theta = config["rope_parameters"]["rope_theta"];
  rope["full_attention"] = {{"rope_type", "default"}, {"rope_theta", theta}};
  if (to.has_tensor(kRopeFactors)) {
    rope["full_attention"]["rope_type"] = "proportional";
    rope["full_attention"]["partial_rotary_factor"] = rotated_share(to);
  } else if (config["rope_parameters"]["rope_type"] != "default") {
    keys.fail("rope.scaling.type", "none", ErrorKind::unsupported);
  }
  config["rope_parameters"] = std::move(rope);

  const std::uint64_t experts = keys.integer_or("expert_count", 0, config_limits::kWidth, 0);
  config["enable_moe_block"] = experts > 0;
  const std::uint64_t used = keys.integer_or("expert_used_count", 0, config_limits::kWidth, 0);
  const std::uint64_t ffn = keys.integer_or("expert_feed_forward_length", 0, config_limits::kIntermediateSize, 0);
  if (experts == 0) return;
  config["num_experts"] = experts;
  config["top_k_experts"] = used;
  config["moe_intermediate_size"] = ffn;
}

inline constexpr std::array kGgufGemma4Names = std::to_array<GgufName>({
    {"post_attention_norm", "post_attention_layernorm"},
    {"ffn_norm", "pre_feedforward_layernorm"},
    {"post_ffw_norm", "post_feedforward_layernorm"},
    {"post_ffw_norm_1", "post_feedforward_layernorm_1"},
    {"pre_ffw_norm_2", "pre_feedforward_layernorm_2"},
    {"post_ffw_norm_2", "post_feedforward_layernorm_2"},
    {"layer_output_scale.weight", "layer_scalar"},
    {"ffn_gate_inp.weight", "router.proj.weight"},
    {"ffn_gate_inp.scale", "router.scale"},
    {"ffn_down_exps.scale", "router.per_expert_scale"},
    {"ffn_gate_up_exps", "experts.*.gate_proj", GgufView::first_half},
    {"ffn_gate_up_exps", "experts.*.up_proj", GgufView::second_half},
    {"ffn_gate_exps", "experts.*.gate_proj", GgufView::stack},
    {"ffn_up_exps", "experts.*.up_proj", GgufView::stack},
    {"ffn_down_exps", "experts.*.down_proj", GgufView::stack},
});

inline constexpr GgufArchitecture kGgufGemma4{"gemma4",
                                              R"({"model_type": "gemma4_text", "hidden_size_per_layer_input": 0})",
                                              kGgufGemma4Keys,
                                              finish_gguf_gemma4,
                                              {kGgufGemma4Names}};

}  // namespace trine::inline TRINE_ABI::hf
