// SPDX-License-Identifier: Apache-2.0
// Gemma 4: sliding layers and full ones with heads of another width, whose values are their keys; GELU experts beside a
// dense MLP; norms before and after everything. Dense models of the family are those without experts. Reference:
// transformers, models/gemma4. Models with per-layer embeddings or shared keys (E2B, E4B) are refused.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <trine/experts/parallel_feed_forward.hpp>
#include <trine/model/architectures/hf_decoder.hpp>
#include <trine/model/architectures/hf_text_part.hpp>

namespace trine::inline TRINE_ABI {

namespace hf {

/// What a layer type of Gemma 4 has of its own.
struct Gemma4Attention {
  HfConfigReader::Heads heads;
  GroupedQueryOptions options;
};

/// The options of a Gemma 4 besides the common fields.
struct Gemma4Config {
  Windows windows;
  Gemma4Attention sliding;
  Gemma4Attention full;
  RotaryByType rotary;
  GatedActivation activation;
  std::size_t intermediate_size = 0;
  std::size_t num_experts = 0;  // 0: dense
  std::size_t top_k_experts = 0;
  std::size_t moe_intermediate_size = 0;
  DecoderOptions decoder;
};

/// Heads of the full layers: global_head_dim and num_global_key_value_heads; or, as transformers writes it,
/// "per_layer_config", one object for each layer that differs from the rest.
[[nodiscard]] inline HfConfigReader::Heads read_global_heads(HfConfigReader& reader, const Gemma4Config& config,
                                                             HfConfigReader::Heads heads, bool k_eq_v) {
  const auto read = [&](ObjectReader& object, std::string_view head_dim, std::string_view kv_heads, bool reads_kv) {
    heads.head_dim = object.integer_or(head_dim, 2, config_limits::kHeadDim, heads.head_dim);
    if (object.has(kv_heads) && reads_kv)
      heads.num_key_value_heads = object.integer(kv_heads, 1, heads.num_attention_heads);
    if (heads.head_dim % 2 != 0)
      object.fail(head_dim, "expected an even number, found " + std::to_string(heads.head_dim));
    if (heads.num_attention_heads % heads.num_key_value_heads != 0)
      object.fail(kv_heads, "a divisor of num_attention_heads = " + std::to_string(heads.num_attention_heads),
                  object.at(kv_heads));
  };
  if (!reader.is_given("per_layer_config")) {
    heads.head_dim = reader.integer("global_head_dim", 2, config_limits::kHeadDim);
    read(reader, "global_head_dim", "num_global_key_value_heads", k_eq_v);
    return heads;
  }
  reader.ignore({"global_head_dim", "num_global_key_value_heads"});
  ObjectReader layers = reader.object("per_layer_config");
  const auto overrides_of = [&](std::size_t layer) {
    const std::string key = std::to_string(layer);
    return layers.has(key) ? layers.at(key) : Json::object();
  };
  const std::vector<bool>& slides = config.windows.slides;
  const std::size_t last = slides.size() - 1;  // is full
  for (std::size_t layer = 0; layer < slides.size(); ++layer) {
    if (overrides_of(layer) == (slides[layer] ? Json::object() : overrides_of(last))) continue;
    reader.fail("per_layer_config",
                "expected the same for all layers of full attention, and nothing for others, found " +
                    overrides_of(layer).dump() + " for layer " + std::to_string(layer),
                ErrorKind::unsupported);
  }
  layers.reject_unknown_keys(reader.notes());
  if (overrides_of(last).empty()) return heads;
  ObjectReader own = layers.object(std::to_string(last));
  read(own, "head_dim", "num_key_value_heads", true);
  own.reject_unknown_keys(reader.notes());
  return heads;
}

[[nodiscard]] inline Gemma4Config parse_gemma4(HfConfigReader& reader, const HfConfig& common) {
  Gemma4Config config;
  config.activation.kind = reader.choice<GatedActivation::Kind>(
      "hidden_activation", {{"gelu_pytorch_tanh", GatedActivation::Kind::gelu_tanh},
                            {"silu", GatedActivation::Kind::silu},
                            {"swish", GatedActivation::Kind::silu}});
  std::vector<bool> slides(common.num_hidden_layers);
  for (std::size_t layer = 0; layer < slides.size(); ++layer) slides[layer] = (layer + 1) % 6 != 0;
  config.windows = windows_by_layer(reader, read_window(reader), std::move(slides));
  config.windows.slides.back() = false;  // as transformers does, whatever layer_types says

  GroupedQueryOptions options{.qk_norm = GroupedQueryOptions::Norm::per_head,
                              .v_norm = true,
                              .norm_epsilon = common.rms_norm_eps,
                              .scale = 1.0F};
  if (reader.boolean("attention_bias")) options.qkv_bias = options.o_bias = Linear::Bias::yes;
  const bool k_eq_v = reader.boolean("attention_k_eq_v");
  config.sliding = {reader.heads(common.hidden_size), options};
  options.k_eq_v = k_eq_v;
  config.full = {read_global_heads(reader, config, config.sliding.heads, k_eq_v), options};

  const auto rope_of = [&](const HfConfigReader::Heads& heads) {
    return RopeContext{.head_dim = heads.head_dim,
                       .max_position_embeddings = common.max_position_embeddings,
                       .has_proportional = true};
  };
  config.rotary =
      read_rotary_by_type(reader, config.windows, rope_of(config.full.heads), rope_of(config.sliding.heads));

  config.intermediate_size = reader.integer("intermediate_size", 1, config_limits::kIntermediateSize);
  if (reader.boolean("enable_moe_block")) {
    config.num_experts = reader.integer("num_experts", 1, config_limits::kWidth);
    config.top_k_experts = reader.integer("top_k_experts", 1, config.num_experts);
    config.moe_intermediate_size = reader.integer("moe_intermediate_size", 1, config_limits::kIntermediateSize);
  }
  reader.ignore({"num_experts", "top_k_experts", "moe_intermediate_size"});  // without experts
  static_cast<void>(reader.integer("hidden_size_per_layer_input", 0, 0));
  static_cast<void>(reader.integer("num_kv_shared_layers", 0, 0));
  static_cast<void>(reader.integer("vocab_size_per_layer_input", 0, config_limits::kVocab));  // without effect
  static_cast<void>(reader.boolean("use_double_wide_mlp"));                                   // of shared layers
  if (reader.has("use_bidirectional_attention"))
    static_cast<void>(reader.choice<bool>("use_bidirectional_attention", {{"vision", true}}));  // of pictures only

  config.decoder.embedding_scale = std::sqrt(static_cast<float>(common.hidden_size));
  if (reader.has("final_logit_softcapping"))
    config.decoder.logits.softcap = static_cast<float>(reader.number("final_logit_softcapping", 1e-3, 1e6));
  config.decoder.norms = {.attention = "input_layernorm",
                          .feed_forward = config.num_experts > 0 ? "" : "pre_feedforward_layernorm",
                          .post_attention = "post_attention_layernorm",
                          .post_feed_forward = "post_feedforward_layernorm"};
  return config;
}

/// The router reads RMSNorm(x) * scale / sqrt(hidden_size). Weights: softmax top-k, renormalised, times
/// per_expert_scale.
[[nodiscard]] inline std::unique_ptr<Router> read_gemma4_router(const WeightScope& layer, const HfConfig& common,
                                                                const Gemma4Config& config) {
  const WeightScope scope = layer / "router";
  Tensor<float, 1> gain = scope.read_f32("scale", common.hidden_size);
  const float root = 1.0F / std::sqrt(static_cast<float>(common.hidden_size));
  for (float& value : gain.view().span()) value *= root;
  RouterExtras extras;
  extras.expert_scale = scope.read_f32("per_expert_scale", config.num_experts);
  return std::make_unique<LinearRouter>(
      Linear((scope / "proj").as(TensorRole::router), common.hidden_size, config.num_experts), RouterScore::softmax,
      TopKOptions{.k = config.top_k_experts, .threshold = {}}, CombineWeights{.normalize = true}, std::nullopt,
      std::move(extras), RmsNorm(std::move(gain), common.rms_norm_eps));
}

[[nodiscard]] inline std::unique_ptr<const FeedForward> gemma4_feed_forward(const BuildContext& context,
                                                                            const WeightScope& layer, std::size_t index,
                                                                            const HfConfig& common,
                                                                            const Gemma4Config& config) {
  const std::size_t hidden = common.hidden_size;
  auto mlp = std::make_unique<DenseFeedForward>(
      GatedMlp((layer / "mlp").as(TensorRole::mlp), hidden, config.intermediate_size, config.activation));
  if (config.num_experts == 0) return mlp;
  const auto norm = [&](std::string_view name) { return RmsNorm(layer / name, hidden, common.rms_norm_eps); };
  auto mixture = moe_layer(
      context, index, read_gemma4_router(layer, common, config),
      read_experts(layer / "experts", config.num_experts, hidden, config.moe_intermediate_size, {}, config.activation),
      std::nullopt, norm("pre_feedforward_layernorm_2"));
  return std::make_unique<ParallelFeedForward>(
      norm("pre_feedforward_layernorm"), NormedFeedForward{norm("post_feedforward_layernorm_1"), std::move(mlp)},
      NormedFeedForward{norm("post_feedforward_layernorm_2"), std::move(mixture)});
}

[[nodiscard]] inline std::string gemma4_summary(const Gemma4Config& config) {
  const auto sliding = static_cast<std::size_t>(std::ranges::count(config.windows.slides, true));
  return "grouped-query attention, q/k/v norm" + window_of(config.windows) +
         (sliding > 0 ? " in " + std::to_string(sliding) + " layers" : "") + "; " +
         (config.num_experts == 0
              ? "dense"
              : count_of_experts(config.top_k_experts, config.num_experts) + ", softmax top-k, beside a dense MLP");
}

}  // namespace hf

/// Defaults of absent keys: Gemma4TextConfig of transformers, and those of keys that it takes besides its fields.
inline constexpr std::string_view kGemma4Defaults = R"({
    "vocab_size": 262144, "hidden_size": 2304, "intermediate_size": 9216, "num_hidden_layers": 30,
    "num_attention_heads": 8, "num_key_value_heads": 4, "head_dim": 256, "hidden_activation": "gelu_pytorch_tanh",
    "max_position_embeddings": 131072, "rms_norm_eps": 1e-6, "tie_word_embeddings": true,
    "rope_parameters": {"sliding_attention": {"rope_type": "default", "rope_theta": 10000.0},
                        "full_attention": {"rope_type": "proportional", "partial_rotary_factor": 0.25,
                                           "rope_theta": 1000000.0}},
    "attention_bias": false, "sliding_window": 512, "layer_types": null, "final_logit_softcapping": null,
    "use_bidirectional_attention": null, "vocab_size_per_layer_input": 262144, "hidden_size_per_layer_input": 256,
    "attention_k_eq_v": false, "num_kv_shared_layers": 0, "enable_moe_block": false, "use_double_wide_mlp": false,
    "num_experts": null, "top_k_experts": null, "moe_intermediate_size": null,
    "global_head_dim": 512, "num_global_key_value_heads": null})";

/// Builder of "model_type": "gemma4_text". Throws ConfigError, WeightError.
[[nodiscard]] inline ModelParts build_gemma4_text(const BuildContext& context, const WeightScope& weights) {
  HfConfigReader reader(context, kGemma4Defaults);
  const HfConfig common = reader.sizes();
  const hf::Gemma4Config config = hf::parse_gemma4(reader, common);
  reader.reject_unknown_keys();
  const auto make_layer = [&](const WeightScope& scope, std::size_t layer) {
    const hf::Gemma4Attention& attention = config.windows.slides[layer] ? config.sliding : config.full;
    return hf::DecoderLayer{
        hf::grouped_query(context, scope, common.hidden_size, attention.heads,
                          config.rotary.of(config.windows.slides[layer]), config.windows.of(layer), attention.options),
        hf::gemma4_feed_forward(context, scope, layer, common, config), scope.read_f32("layer_scalar", 1).view()[0]};
  };
  return hf::build_decoder(common, hf::gemma4_summary(config), weights, make_layer, config.decoder);
}

/// Builder of "model_type": "gemma4": the text part of a multimodal one. Throws ConfigError, WeightError.
[[nodiscard]] inline ModelParts build_gemma4(const BuildContext& context, const WeightScope& weights) {
  return hf::build_text_part(context, weights, build_gemma4_text);
}

}  // namespace trine::inline TRINE_ABI
