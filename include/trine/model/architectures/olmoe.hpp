// SPDX-License-Identifier: Apache-2.0
// OLMoE: queries and keys normalised over all heads together, many small experts. Muennighoff et al. 2024,
// arXiv:2409.02060. FlexOlmo (arXiv:2507.07024): the same with norms after attention and experts, not before.
// References: transformers, models/olmoe and models/flex_olmo.
#pragma once

#include <memory>
#include <optional>
#include <string_view>
#include <utility>

#include <trine/model/architectures/hf_decoder.hpp>

namespace trine::inline TRINE_ABI {

namespace hf {

/// Both families, whose norms are those of `options`. Throws ConfigError, WeightError.
[[nodiscard]] inline ModelParts build_olmo_mixture(const BuildContext& context, HfConfigReader& reader,
                                                   const WeightScope& weights, const DecoderOptions& options = {}) {
  const HfConfig config = reader.common();
  const HfConfigReader::Heads heads = reader.heads(config.hidden_size);
  const std::size_t experts =
      reader.integer(reader.first_present({"num_experts", "num_local_experts"}), 1, config_limits::kWidth);
  const std::size_t k = reader.integer("num_experts_per_tok", 1, experts);
  const std::size_t ffn = reader.integer("intermediate_size", 1, config_limits::kIntermediateSize);
  const CombineWeights combine{.normalize = reader.boolean("norm_topk_prob")};
  GroupedQueryOptions attention{.qk_norm = GroupedQueryOptions::Norm::whole_vector,
                                .norm_epsilon = config.rms_norm_eps};
  if (reader.boolean("attention_bias")) attention.qkv_bias = attention.o_bias = Linear::Bias::yes;
  if (reader.has("clip_qkv")) attention.clip_qkv = static_cast<float>(reader.number("clip_qkv", 0.0, 1e6));
  const Windows windows = without_windows(reader, config.num_hidden_layers);
  const auto rotary = read_rotary(reader, config, heads.head_dim);
  reader.reject_unknown_keys();

  std::string summary = "grouped-query attention, q/k norm; " + count_of_experts(k, experts) + ", softmax top-k";
  const auto make_layer = [&](const WeightScope& scope, std::size_t layer) {
    const WeightScope moe = scope / "mlp";
    auto router =
        std::make_unique<LinearRouter>(Linear((moe / "gate").as(TensorRole::router), config.hidden_size, experts),
                                       RouterScore::softmax, TopKOptions{.k = k, .threshold = {}}, combine);
    return DecoderLayer{
        grouped_query(context, scope, config.hidden_size, heads, rotary, windows.of(layer), attention),
        moe_layer(context, layer, std::move(router), read_experts(moe / "experts", experts, config.hidden_size, ffn))};
  };
  return build_decoder(config, std::move(summary), weights, make_layer, options);
}

}  // namespace hf

/// Defaults of absent keys: OlmoeConfig of transformers.
inline constexpr std::string_view kOlmoeDefaults = R"({
    "vocab_size": 50304, "hidden_size": 2048, "intermediate_size": 2048, "num_hidden_layers": 16,
    "num_attention_heads": 16, "num_key_value_heads": null, "hidden_act": "silu", "max_position_embeddings": 4096,
    "rms_norm_eps": 1e-5, "tie_word_embeddings": false, "rope_theta": 1e4, "attention_bias": false, "clip_qkv": null,
    "num_experts": 64, "num_experts_per_tok": 8, "norm_topk_prob": false})";

/// Builder of "model_type": "olmoe". Throws ConfigError, WeightError.
[[nodiscard]] inline ModelParts build_olmoe(const BuildContext& context, const WeightScope& weights) {
  HfConfigReader reader(context, kOlmoeDefaults);
  return hf::build_olmo_mixture(context, reader, weights);
}

/// Defaults of absent keys: FlexOlmoConfig of transformers.
inline constexpr std::string_view kFlexOlmoDefaults = R"({
    "vocab_size": 100352, "hidden_size": 4096, "intermediate_size": 11008, "num_hidden_layers": 32,
    "num_attention_heads": 32, "num_key_value_heads": null, "hidden_act": "silu", "max_position_embeddings": 4096,
    "rms_norm_eps": 1e-6, "tie_word_embeddings": false, "rope_theta": 5e5, "attention_bias": false,
    "num_experts": 7, "num_experts_per_tok": 5, "norm_topk_prob": false})";

/// Builder of "model_type": "flex_olmo". Throws ConfigError, WeightError.
[[nodiscard]] inline ModelParts build_flex_olmo(const BuildContext& context, const WeightScope& weights) {
  HfConfigReader reader(context, kFlexOlmoDefaults);
  reader.ignore_with_note("clip_qkv", "not read by this family");
  return hf::build_olmo_mixture(context, reader, weights,
                                {.norms = {.attention = {},
                                           .feed_forward = {},
                                           .post_attention = "post_attention_layernorm",
                                           .post_feed_forward = "post_feedforward_layernorm"}});
}

}  // namespace trine::inline TRINE_ABI
