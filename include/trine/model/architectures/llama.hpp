// SPDX-License-Identifier: Apache-2.0
// Dense decoders of the same blocks: Llama (arXiv:2302.13971), Mistral (arXiv:2310.06825), Qwen2 (arXiv:2407.10671) and
// Qwen3 (arXiv:2505.09388). References: transformers, models/llama, mistral, qwen2, qwen3.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <trine/model/architectures/hf_decoder.hpp>

namespace trine::inline TRINE_ABI {

namespace hf {

/// What a dense decoder has beside the common fields.
struct DenseDecoder {
  GroupedQueryOptions attention;
  Linear::Bias mlp_bias = Linear::Bias::no;
  std::optional<std::size_t> window = std::nullopt;  // of the layers that slide
  std::vector<bool> sliding = {};                    // empty: all of them, if there is a window
};

/// Reads the rest of the configuration and builds it.
[[nodiscard]] inline BuiltModel build_dense(const BuildContext& context, const HfConfig& config, HfConfigReader& reader,
                                            const WeightScope& weights, const DenseDecoder& parts) {
  const HfConfigReader::Heads heads = reader.heads(config.hidden_size);
  const std::size_t ffn = reader.integer("intermediate_size", 1, config_limits::kFfn);
  const auto rotary = read_rotary(reader, config, heads.head_dim);
  reader.finish();

  std::string summary = "grouped-query attention" + std::string(parts.window ? " with windows" : "") + "; dense";
  return build_decoder(config, std::move(summary), weights, [&](const WeightScope& scope, std::size_t layer) {
    const bool slides = parts.sliding.empty() || parts.sliding[layer];
    const WeightScope mlp = scope / "mlp";
    const auto product = [&](std::string_view name, std::size_t in, std::size_t out) {
      return Linear(mlp / name, in, out, parts.mlp_bias);
    };
    GatedMlp feed_forward(product("gate_proj", config.hidden_size, ffn), product("up_proj", config.hidden_size, ffn),
                          product("down_proj", ffn, config.hidden_size));
    return DecoderLayer{grouped_query(context, scope, config.hidden_size, heads, rotary,
                                      slides ? parts.window : std::nullopt, parts.attention),
                        std::make_unique<DenseFeedForward>(std::move(feed_forward))};
  });
}

/// Windows as Qwen2 and Qwen3 switch them: use_sliding_window, then layer_types, else the layers from
/// max_window_layers on.
inline void read_qwen_windows(HfConfigReader& reader, std::size_t layers, DenseDecoder& parts) {
  const std::optional<std::size_t> window = reader.sliding_window();
  const std::size_t first = reader.integer_or("max_window_layers", 0, config_limits::kLayers, 28);
  const auto layer_types = reader.layer_types(layers);
  if (!reader.boolean_or("use_sliding_window", false)) return;
  if (!window) reader.fail("sliding_window", "expected a width beside use_sliding_window, found none");
  parts.window = window;
  for (std::size_t layer = 0; layer < layers; ++layer)
    parts.sliding.push_back(layer_types ? (*layer_types)[layer] : layer >= first);
}

}  // namespace hf

/// Recipe of "model_type": "llama". Throws ConfigError, WeightError.
[[nodiscard]] inline BuiltModel build_llama(const BuildContext& context, const WeightScope& weights) {
  HfConfigReader reader(context.config, context.place);
  const HfConfig config = reader.common();
  hf::DenseDecoder parts;
  if (reader.boolean_or("attention_bias", false)) parts.attention.qkv_bias = parts.attention.o_bias = Linear::Bias::yes;
  if (reader.boolean_or("mlp_bias", false)) parts.mlp_bias = Linear::Bias::yes;
  return hf::build_dense(context, config, reader, weights, parts);
}

/// Recipe of "model_type": "mistral". Throws ConfigError, WeightError.
[[nodiscard]] inline BuiltModel build_mistral(const BuildContext& context, const WeightScope& weights) {
  HfConfigReader reader(context.config, context.place);
  const HfConfig config = reader.common();
  hf::DenseDecoder parts;
  // A missing key means the class default; null means none.
  parts.window = context.config.contains("sliding_window") ? reader.sliding_window() : std::optional<std::size_t>(4096);
  return hf::build_dense(context, config, reader, weights, parts);
}

/// Recipe of "model_type": "qwen2". Throws ConfigError, WeightError.
[[nodiscard]] inline BuiltModel build_qwen2(const BuildContext& context, const WeightScope& weights) {
  HfConfigReader reader(context.config, context.place);
  const HfConfig config = reader.common();
  hf::DenseDecoder parts;
  parts.attention.qkv_bias = Linear::Bias::yes;
  hf::read_qwen_windows(reader, config.num_hidden_layers, parts);
  return hf::build_dense(context, config, reader, weights, parts);
}

/// Recipe of "model_type": "qwen3". Throws ConfigError, WeightError.
[[nodiscard]] inline BuiltModel build_qwen3(const BuildContext& context, const WeightScope& weights) {
  HfConfigReader reader(context.config, context.place);
  const HfConfig config = reader.common();
  hf::DenseDecoder parts;
  parts.attention.qk_norm = GroupedQueryOptions::Norm::per_head;
  parts.attention.norm_epsilon = config.rms_norm_eps;
  if (reader.boolean_or("attention_bias", false)) parts.attention.qkv_bias = parts.attention.o_bias = Linear::Bias::yes;
  hf::read_qwen_windows(reader, config.num_hidden_layers, parts);
  return hf::build_dense(context, config, reader, weights, parts);
}

}  // namespace trine::inline TRINE_ABI
