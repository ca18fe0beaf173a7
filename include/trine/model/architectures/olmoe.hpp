// SPDX-License-Identifier: Apache-2.0
// OLMoE: queries and keys normalised over all heads together, many small experts. Muennighoff et al. 2024,
// arXiv:2409.02060. Reference: transformers, models/olmoe.
#pragma once

#include <memory>
#include <optional>
#include <string_view>
#include <utility>

#include <trine/model/architectures/hf_decoder.hpp>

namespace trine::inline TRINE_ABI {

/// Defaults of absent keys: OlmoeConfig of transformers.
inline constexpr std::string_view kOlmoeDefaults = R"({
    "vocab_size": 50304, "hidden_size": 2048, "intermediate_size": 2048, "num_hidden_layers": 16,
    "num_attention_heads": 16, "num_key_value_heads": null, "hidden_act": "silu", "max_position_embeddings": 4096,
    "rms_norm_eps": 1e-5, "tie_word_embeddings": false, "rope_theta": 1e4, "attention_bias": false, "clip_qkv": null,
    "num_experts": 64, "num_experts_per_tok": 8, "norm_topk_prob": false})";

/// Builder of "model_type": "olmoe". Throws ConfigError, WeightError.
[[nodiscard]] inline ModelParts build_olmoe(const BuildContext& context, const WeightScope& weights) {
  HfConfigReader reader(context, kOlmoeDefaults);
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
  const hf::Windows windows = hf::without_windows(reader, config.num_hidden_layers);
  const auto rotary = hf::read_rotary(reader, config, heads.head_dim);
  reader.reject_unknown_keys();

  std::string summary = "grouped-query attention, q/k norm; " + hf::count_of_experts(k, experts) + ", softmax top-k";
  return hf::build_decoder(config, std::move(summary), weights, [&](const WeightScope& scope, std::size_t layer) {
    const WeightScope moe = scope / "mlp";
    auto router =
        std::make_unique<LinearRouter>(Linear((moe / "gate").as(TensorRole::router), config.hidden_size, experts),
                                       RouterScore::softmax, TopKOptions{.k = k, .threshold = {}}, combine);
    return hf::DecoderLayer{
        hf::grouped_query(context, scope, config.hidden_size, heads, rotary, windows.of(layer), attention),
        hf::moe_layer(context, layer, std::move(router),
                      hf::read_experts(moe / "experts", experts, config.hidden_size, ffn))};
  });
}

}  // namespace trine::inline TRINE_ABI
