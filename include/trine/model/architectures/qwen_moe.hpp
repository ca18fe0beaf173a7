// SPDX-License-Identifier: Apache-2.0
// Qwen2-MoE: biases on q, k, v and a gated shared expert (arXiv:2407.10671). Qwen3-MoE: q/k norm per head, no shared
// expert (arXiv:2505.09388). References: transformers, models/qwen2_moe and models/qwen3_moe.
#pragma once

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <trine/model/architectures/hf_decoder.hpp>

namespace trine::inline TRINE_ABI {

namespace hf {

/// The common options of both generations.
struct QwenMoeConfig {
  std::size_t num_experts = 0;
  std::size_t num_experts_per_tok = 0;
  std::size_t moe_intermediate_size = 0;
  std::size_t intermediate_size = 0;  // of dense layers
  CombineWeights combine;
  std::size_t decoder_sparse_step = 1;
  std::vector<std::size_t> mlp_only_layers;

  [[nodiscard]] bool is_dense(std::size_t layer) const {
    return (layer + 1) % decoder_sparse_step != 0 || std::ranges::count(mlp_only_layers, layer) != 0;
  }
};

[[nodiscard]] inline QwenMoeConfig parse_qwen_moe(HfConfigReader& reader, std::size_t layers) {
  QwenMoeConfig config;
  const std::string_view experts = reader.first_present({"num_experts", "num_local_experts"});
  config.num_experts = reader.integer(experts, 1, config_limits::kWidth);
  config.num_experts_per_tok = reader.integer("num_experts_per_tok", 1, config.num_experts);
  config.moe_intermediate_size = reader.integer("moe_intermediate_size", 1, config_limits::kIntermediateSize);
  config.intermediate_size = reader.integer("intermediate_size", 1, config_limits::kIntermediateSize);
  config.combine.normalize = reader.boolean("norm_topk_prob");
  config.decoder_sparse_step = reader.integer("decoder_sparse_step", 1, config_limits::kLayers);
  if (reader.has("mlp_only_layers")) {
    const Json& list = reader.at("mlp_only_layers");
    if (!list.is_array()) reader.fail("mlp_only_layers", "a list of layers", list);
    for (const Json& layer : list) {
      if (!layer.is_number_unsigned() || layer.get<std::size_t>() >= layers)
        reader.fail("mlp_only_layers", "layers below num_hidden_layers = " + std::to_string(layers), layer);
      config.mlp_only_layers.push_back(layer.get<std::size_t>());
    }
  }
  return config;
}

[[nodiscard]] inline std::unique_ptr<const FeedForward> qwen_feed_forward(const BuildContext& context,
                                                                          const WeightScope& scope, std::size_t layer,
                                                                          std::size_t hidden,
                                                                          const QwenMoeConfig& config,
                                                                          std::optional<SharedExperts> shared) {
  auto router = std::make_unique<LinearRouter>(
      Linear((scope / "gate").as(TensorRole::router), hidden, config.num_experts), RouterScore::softmax,
      TopKOptions{.k = config.num_experts_per_tok, .threshold = {}}, config.combine);
  return moe_layer(context, layer, std::move(router),
                   read_experts(scope / "experts", config.num_experts, hidden, config.moe_intermediate_size),
                   std::move(shared));
}

}  // namespace hf

/// Defaults of absent keys: Qwen2MoeConfig of transformers.
inline constexpr std::string_view kQwen2MoeDefaults = R"({
    "vocab_size": 151936, "hidden_size": 2048, "intermediate_size": 5632, "num_hidden_layers": 24,
    "num_attention_heads": 16, "num_key_value_heads": 16, "hidden_act": "silu", "max_position_embeddings": 32768,
    "rms_norm_eps": 1e-6, "tie_word_embeddings": false, "rope_theta": 1e4, "use_sliding_window": false,
    "sliding_window": 4096, "max_window_layers": 28, "layer_types": null, "qkv_bias": true, "decoder_sparse_step": 1,
    "mlp_only_layers": null, "moe_intermediate_size": 1408, "shared_expert_intermediate_size": 5632,
    "num_experts": 60, "num_experts_per_tok": 4, "norm_topk_prob": false})";

/// Builder of "model_type": "qwen2_moe". Throws ConfigError, WeightError.
[[nodiscard]] inline ModelParts build_qwen2_moe(const BuildContext& context, const WeightScope& weights) {
  HfConfigReader reader(context, kQwen2MoeDefaults);
  const HfConfig config = reader.common();
  const std::size_t hidden = config.hidden_size;
  const HfConfigReader::Heads heads = reader.heads(hidden);
  const hf::QwenMoeConfig moe = hf::parse_qwen_moe(reader, config.num_hidden_layers);
  const std::size_t shared_ffn = reader.integer("shared_expert_intermediate_size", 1, config_limits::kIntermediateSize);
  GroupedQueryOptions attention;
  if (reader.boolean("qkv_bias")) attention.qkv_bias = Linear::Bias::yes;
  // Without layer_types, transformers 4 and 5 disagree on which layers have a window, so it is required.
  const std::optional<std::size_t> width = hf::read_switched_window(reader);
  reader.ignore({"max_window_layers"});
  if (width && !reader.has("layer_types"))
    reader.fail("use_sliding_window", "expected layer_types beside it, found none: implementations disagree without",
                ErrorKind::unsupported);
  const hf::Windows windows = hf::windows_by_layer(reader, width, std::vector<bool>(config.num_hidden_layers));
  const auto rotary = hf::read_rotary(reader, config, heads.head_dim);
  reader.reject_unknown_keys();

  std::string summary = "grouped-query attention; " + hf::count_of_experts(moe.num_experts_per_tok, moe.num_experts) +
                        ", softmax top-k, a gated shared expert";
  return hf::build_decoder(config, std::move(summary), weights, [&](const WeightScope& scope, std::size_t layer) {
    auto self = hf::grouped_query(context, scope, hidden, heads, rotary, windows.of(layer), attention);
    const WeightScope mlp = scope / "mlp";
    if (moe.is_dense(layer))
      return hf::DecoderLayer{
          std::move(self), std::make_unique<DenseFeedForward>(mlp.as(TensorRole::mlp), hidden, moe.intermediate_size)};
    SharedExperts shared(GatedMlp((mlp / "shared_expert").as(TensorRole::shared_experts), hidden, shared_ffn),
                         Linear((mlp / "shared_expert_gate").as(TensorRole::router), hidden, 1));
    return hf::DecoderLayer{std::move(self),
                            hf::qwen_feed_forward(context, mlp, layer, hidden, moe, std::move(shared))};
  });
}

/// Defaults of absent keys: Qwen3MoeConfig of transformers.
inline constexpr std::string_view kQwen3MoeDefaults = R"({
    "vocab_size": 151936, "hidden_size": 2048, "intermediate_size": 6144, "num_hidden_layers": 24,
    "num_attention_heads": 32, "num_key_value_heads": 4, "hidden_act": "silu", "max_position_embeddings": 32768,
    "rms_norm_eps": 1e-6, "tie_word_embeddings": false, "rope_theta": 1e4, "attention_bias": false,
    "use_sliding_window": false, "sliding_window": 4096, "decoder_sparse_step": 1, "mlp_only_layers": null,
    "moe_intermediate_size": 768, "num_experts": 128, "num_experts_per_tok": 8, "norm_topk_prob": false})";

/// Builder of "model_type": "qwen3_moe". Throws ConfigError, WeightError.
[[nodiscard]] inline ModelParts build_qwen3_moe(const BuildContext& context, const WeightScope& weights) {
  HfConfigReader reader(context, kQwen3MoeDefaults);
  const HfConfig config = reader.common();
  const std::size_t hidden = config.hidden_size;
  const HfConfigReader::Heads heads = reader.heads(hidden);
  const hf::QwenMoeConfig moe = hf::parse_qwen_moe(reader, config.num_hidden_layers);
  GroupedQueryOptions attention{.qk_norm = GroupedQueryOptions::Norm::per_head, .norm_epsilon = config.rms_norm_eps};
  if (reader.boolean("attention_bias")) attention.qkv_bias = attention.o_bias = Linear::Bias::yes;
  reader.require_true("use_qk_norm");
  reader.ignore({"max_window_layers"});
  const hf::Windows windows =
      hf::windows_everywhere(reader, hf::read_switched_window(reader), config.num_hidden_layers);
  const auto rotary = hf::read_rotary(reader, config, heads.head_dim);
  reader.reject_unknown_keys();

  std::string summary = "grouped-query attention, q/k norm; " +
                        hf::count_of_experts(moe.num_experts_per_tok, moe.num_experts) + ", softmax top-k";
  return hf::build_decoder(config, std::move(summary), weights, [&](const WeightScope& scope, std::size_t layer) {
    auto self = hf::grouped_query(context, scope, hidden, heads, rotary, windows.of(layer), attention);
    const WeightScope mlp = scope / "mlp";
    if (moe.is_dense(layer))
      return hf::DecoderLayer{
          std::move(self), std::make_unique<DenseFeedForward>(mlp.as(TensorRole::mlp), hidden, moe.intermediate_size)};
    return hf::DecoderLayer{std::move(self), hf::qwen_feed_forward(context, mlp, layer, hidden, moe, std::nullopt)};
  });
}

}  // namespace trine::inline TRINE_ABI
