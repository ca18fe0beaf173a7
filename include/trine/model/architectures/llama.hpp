// SPDX-License-Identifier: Apache-2.0
// Dense decoders of the same layers: Llama (arXiv:2302.13971), Mistral (arXiv:2310.06825), Qwen2 (arXiv:2407.10671) and
// Qwen3 (arXiv:2505.09388). References: transformers, models/llama, mistral, qwen2, qwen3.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include <trine/model/architectures/hf_decoder.hpp>

namespace trine::inline TRINE_ABI {

namespace hf {

/// Options of a dense decoder besides the common fields.
struct DenseDecoder {
  GroupedQueryOptions attention;
  Linear::Bias mlp_bias = Linear::Bias::no;
  Windows windows;
};

/// Reads the rest of the configuration and builds it.
[[nodiscard]] inline ModelParts build_dense(const BuildContext& context, const HfConfig& config, HfConfigReader& reader,
                                            const WeightScope& weights, const DenseDecoder& parts) {
  const HfConfigReader::Heads heads = reader.heads(config.hidden_size);
  const std::size_t ffn = reader.integer("intermediate_size", 1, config_limits::kIntermediateSize);
  const auto rotary = read_rotary(reader, config, heads.head_dim);
  reader.reject_unknown_keys();

  std::string summary = "grouped-query attention" + window_of(parts.windows) + "; dense";
  return build_decoder(config, std::move(summary), weights, [&](const WeightScope& scope, std::size_t layer) {
    return DecoderLayer{
        grouped_query(context, scope, config.hidden_size, heads, rotary, parts.windows.of(layer), parts.attention),
        std::make_unique<DenseFeedForward>(
            gated_mlp((scope / "mlp").as(TensorRole::mlp), config.hidden_size, ffn, parts.mlp_bias))};
  });
}

}  // namespace hf

/// Defaults of absent keys: LlamaConfig of transformers.
inline constexpr std::string_view kLlamaDefaults = R"({
    "vocab_size": 32000, "hidden_size": 4096, "intermediate_size": 11008, "num_hidden_layers": 32,
    "num_attention_heads": 32, "num_key_value_heads": null, "head_dim": null, "hidden_act": "silu",
    "max_position_embeddings": 2048, "rms_norm_eps": 1e-6, "tie_word_embeddings": false, "rope_theta": 1e4,
    "attention_bias": false, "mlp_bias": false})";

/// Builder of "model_type": "llama". Throws ConfigError, WeightError.
[[nodiscard]] inline ModelParts build_llama(const BuildContext& context, const WeightScope& weights) {
  HfConfigReader reader(context, kLlamaDefaults);
  const HfConfig config = reader.common();
  hf::DenseDecoder parts;
  if (reader.boolean("attention_bias")) parts.attention.qkv_bias = parts.attention.o_bias = Linear::Bias::yes;
  if (reader.boolean("mlp_bias")) parts.mlp_bias = Linear::Bias::yes;
  parts.windows = hf::without_windows(reader, config.num_hidden_layers);
  return hf::build_dense(context, config, reader, weights, parts);
}

/// Defaults of absent keys: MistralConfig of transformers.
inline constexpr std::string_view kMistralDefaults = R"({
    "vocab_size": 32000, "hidden_size": 4096, "intermediate_size": 14336, "num_hidden_layers": 32,
    "num_attention_heads": 32, "num_key_value_heads": 8, "head_dim": null, "hidden_act": "silu",
    "max_position_embeddings": 131072, "rms_norm_eps": 1e-6, "tie_word_embeddings": false, "rope_theta": 1e4,
    "sliding_window": 4096})";

/// Builder of "model_type": "mistral". Throws ConfigError, WeightError.
[[nodiscard]] inline ModelParts build_mistral(const BuildContext& context, const WeightScope& weights) {
  HfConfigReader reader(context, kMistralDefaults);
  const HfConfig config = reader.common();
  hf::DenseDecoder parts;
  parts.windows = hf::windows_everywhere(reader, hf::read_window(reader), config.num_hidden_layers);
  return hf::build_dense(context, config, reader, weights, parts);
}

/// Defaults of absent keys: Qwen2Config of transformers.
inline constexpr std::string_view kQwen2Defaults = R"({
    "vocab_size": 151936, "hidden_size": 4096, "intermediate_size": 22016, "num_hidden_layers": 32,
    "num_attention_heads": 32, "num_key_value_heads": 32, "hidden_act": "silu", "max_position_embeddings": 32768,
    "rms_norm_eps": 1e-6, "tie_word_embeddings": false, "rope_theta": 1e4, "use_sliding_window": false,
    "sliding_window": 4096, "max_window_layers": 28, "layer_types": null})";

/// Builder of "model_type": "qwen2". Throws ConfigError, WeightError.
[[nodiscard]] inline ModelParts build_qwen2(const BuildContext& context, const WeightScope& weights) {
  HfConfigReader reader(context, kQwen2Defaults);
  const HfConfig config = reader.common();
  hf::DenseDecoder parts;
  parts.attention.qkv_bias = Linear::Bias::yes;
  parts.windows = hf::read_qwen_windows(reader, config.num_hidden_layers);
  return hf::build_dense(context, config, reader, weights, parts);
}

/// Defaults of absent keys: Qwen3Config of transformers.
inline constexpr std::string_view kQwen3Defaults = R"({
    "vocab_size": 151936, "hidden_size": 4096, "intermediate_size": 22016, "num_hidden_layers": 32,
    "num_attention_heads": 32, "num_key_value_heads": 32, "head_dim": 128, "hidden_act": "silu",
    "max_position_embeddings": 32768, "rms_norm_eps": 1e-6, "tie_word_embeddings": false, "rope_theta": 1e4,
    "attention_bias": false, "use_sliding_window": false, "sliding_window": 4096, "max_window_layers": 28,
    "layer_types": null})";

/// Builder of "model_type": "qwen3". Throws ConfigError, WeightError.
[[nodiscard]] inline ModelParts build_qwen3(const BuildContext& context, const WeightScope& weights) {
  HfConfigReader reader(context, kQwen3Defaults);
  const HfConfig config = reader.common();
  hf::DenseDecoder parts;
  parts.attention.qk_norm = GroupedQueryOptions::Norm::per_head;
  parts.attention.norm_epsilon = config.rms_norm_eps;
  reader.require_true("use_qk_norm");
  if (reader.boolean("attention_bias")) parts.attention.qkv_bias = parts.attention.o_bias = Linear::Bias::yes;
  parts.windows = hf::read_qwen_windows(reader, config.num_hidden_layers);
  return hf::build_dense(context, config, reader, weights, parts);
}

}  // namespace trine::inline TRINE_ABI
