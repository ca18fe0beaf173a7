// SPDX-License-Identifier: Apache-2.0
// Cohere2 MoE (Command A+): attention and experts read the same norm, and are added together; windows that rotate
// beside full layers that do not. Reference: transformers, models/cohere2_moe.
#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <trine/model/architectures/hf_moe.hpp>

namespace trine::inline TRINE_ABI {

/// Defaults of absent keys: Cohere2MoeConfig of transformers.
inline constexpr std::string_view kCohere2MoeDefaults = R"({
    "vocab_size": 256000, "hidden_size": 8192, "intermediate_size": 22528, "logit_scale": 0.0625,
    "num_hidden_layers": 40, "num_attention_heads": 64, "num_key_value_heads": null, "head_dim": 128,
    "hidden_act": "silu", "max_position_embeddings": 8192, "layer_norm_eps": 1e-5, "rms_norm_eps": null,
    "tie_word_embeddings": true, "rope_theta": 1e4, "rope_scaling": null, "attention_bias": false,
    "sliding_window": 4096, "num_experts": 8, "num_experts_per_tok": 2, "num_shared_experts": 0,
    "shared_expert_combination_strategy": "average", "expert_selection_fn": "softmax", "norm_topk_prob": true,
    "layer_types": null, "mlp_layer_types": null, "prefix_dense_intermediate_size": null,
    "prefix_dense_sliding_window_pattern": 1, "sliding_window_pattern": 4})";

/// Builder of "model_type": "cohere2_moe". Throws ConfigError, WeightError.
[[nodiscard]] inline ModelParts build_cohere2_moe(const BuildContext& context, const WeightScope& weights) {
  HfConfigReader reader(context, kCohere2MoeDefaults);
  hf::DecoderOptions options{.norms = {.feed_forward = {}}, .parallel = true};
  const bool is_centered = !reader.has("rms_norm_eps");
  if (is_centered) options.norm_of = RmsNorm::Of::deviations;
  const HfConfig config = reader.sizes(is_centered ? "layer_norm_eps" : "rms_norm_eps");
  static_cast<void>(reader.has("layer_norm_eps"));
  static_cast<void>(reader.choice<bool>("hidden_act", {{"silu", true}, {"swish", true}}));
  options.logits.scale = static_cast<float>(reader.number("logit_scale", -1e6, 1e6));
  const std::size_t hidden = config.hidden_size;
  const std::size_t layers = config.num_hidden_layers;
  const HfConfigReader::Heads heads = reader.heads(hidden);
  GroupedQueryOptions attention;
  if (reader.boolean("attention_bias")) attention.qkv_bias = attention.o_bias = Linear::Bias::yes;
  if (reader.has("rope_scaling"))
    reader.fail("rope_scaling", "expected null: transformers does not read it in this family, and other software does",
                ErrorKind::unsupported);
  const auto rotary = hf::read_rotary(reader, config, heads.head_dim, {.pairs = RotaryPairs::interleaved});

  const std::size_t dense = std::min<std::size_t>(reader.integer_or("first_k_dense_replace", 0, layers, 0), layers);
  std::vector<bool> is_dense(layers);
  std::fill_n(is_dense.begin(), dense, true);
  is_dense = hf::read_mlp_layer_types(reader, std::move(is_dense));
  const std::size_t dense_period = reader.integer("prefix_dense_sliding_window_pattern", 1, config_limits::kLayers);
  const std::size_t period = reader.integer("sliding_window_pattern", 1, config_limits::kLayers);
  std::vector<bool> slides(layers);
  for (std::size_t layer = 0; layer < layers; ++layer)
    slides[layer] = layer < dense ? (layer + 1) % dense_period != 0 : (layer - dense + 1) % period != 0;
  const hf::Windows windows = hf::windows_by_layer(reader, hf::read_window(reader), std::move(slides));

  const std::size_t ffn = reader.integer("intermediate_size", 1, config_limits::kIntermediateSize);
  const std::size_t dense_ffn =
      reader.integer_or("prefix_dense_intermediate_size", 1, config_limits::kIntermediateSize, ffn);
  const std::size_t experts =
      reader.integer(reader.first_present({"num_experts", "num_local_experts"}), 1, config_limits::kWidth);
  const std::size_t k = reader.integer("num_experts_per_tok", 1, experts);
  const std::size_t shared = reader.integer("num_shared_experts", 0, 1024);
  const bool is_softmax = reader.choice<bool>("expert_selection_fn", {{"softmax", true}, {"sigmoid", false}});
  const bool normalizes = reader.boolean("norm_topk_prob");
  const bool averages = reader.choice<bool>("shared_expert_combination_strategy", {{"average", true}, {"sum", false}});
  const float share = averages && shared > 0 ? 0.5F : 1.0F;
  const CombineWeights combine{
      .normalize = !is_softmax && normalizes, .routed_scale = share, .softmax = is_softmax, .sigmoid = !is_softmax};
  for (const char* key : {"use_parallel_block", "use_gated_activation", "use_embedding_sharing"})
    reader.require_true(key);
  for (const char* key : {"use_qk_norm", "use_parallel_embedding"})
    if (reader.has(key)) reader.require_false(key);
  reader.ignore({"cache_implementation", "_sliding_window_pattern", "layer_switch", "order_of_interleaved_layers",
                 "position_embedding_type"});
  reader.reject_unknown_keys();
  hf::ignore_draft_layers(weights / "model", layers, 0);  // of converted files

  std::string summary = "grouped-query attention" + hf::window_of(windows) + "; beside it " +
                        hf::count_of_experts(k, experts) + (is_softmax ? ", softmax" : ", sigmoid") + " of the chosen" +
                        (shared > 0 ? ", " + std::to_string(shared) + " shared" : "");
  const auto make_layer = [&](const WeightScope& scope, std::size_t layer) {
    const bool rotates = windows.slides[layer] || (is_dense[layer] && dense_period == 1);
    auto self = hf::grouped_query(context, scope, hidden, heads, rotates ? rotary : nullptr, windows.of(layer),
                                  attention, RotaryPairs::interleaved);
    const WeightScope mlp = scope / "mlp";
    if (is_dense[layer])
      return hf::DecoderLayer{std::move(self),
                              std::make_unique<DenseFeedForward>(mlp.as(TensorRole::mlp), hidden, dense_ffn)};
    auto router = std::make_unique<LinearRouter>(Linear((mlp / "gate").as(TensorRole::router), hidden, experts),
                                                 RouterScore::logit, TopKOptions{.k = k, .threshold = {}}, combine);
    std::optional<SharedExperts> shared_experts;
    if (shared > 0)
      shared_experts.emplace(GatedMlp((mlp / "shared_experts").as(TensorRole::shared_experts), hidden, shared * ffn),
                             std::nullopt, share);
    return hf::DecoderLayer{std::move(self), hf::moe_layer(context, layer, std::move(router),
                                                           hf::read_experts(mlp / "experts", experts, hidden, ffn),
                                                           std::move(shared_experts))};
  };
  return hf::build_decoder(config, std::move(summary), weights, make_layer, options);
}

}  // namespace trine::inline TRINE_ABI
