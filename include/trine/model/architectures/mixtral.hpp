// SPDX-License-Identifier: Apache-2.0
// Mixtral: grouped-query attention, softmax top-k routing, no shared expert. Jiang et al. 2024, arXiv:2401.04088.
// Reference: transformers, models/mixtral.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <trine/model/architectures/hf_decoder.hpp>

namespace trine::inline TRINE_ABI {

/// Defaults of absent keys: MixtralConfig of transformers.
inline constexpr std::string_view kMixtralDefaults = R"({
    "vocab_size": 32000, "hidden_size": 4096, "intermediate_size": 14336, "num_hidden_layers": 32,
    "num_attention_heads": 32, "num_key_value_heads": 8, "head_dim": null, "hidden_act": "silu",
    "max_position_embeddings": 131072, "rms_norm_eps": 1e-5, "tie_word_embeddings": false, "rope_theta": 1e6,
    "sliding_window": null, "num_local_experts": 8, "num_experts_per_tok": 2})";

/// Builder of "model_type": "mixtral". Throws ConfigError, WeightError.
[[nodiscard]] inline ModelParts build_mixtral(const BuildContext& context, const WeightScope& weights) {
  HfConfigReader reader(context, kMixtralDefaults);
  const HfConfig config = reader.common();
  const HfConfigReader::Heads heads = reader.heads(config.hidden_size);
  const std::size_t experts =
      reader.integer(reader.first_present({"num_local_experts", "num_experts"}), 1, config_limits::kWidth);
  const std::size_t k = reader.integer("num_experts_per_tok", 1, experts);
  const std::size_t ffn = reader.integer("intermediate_size", 1, config_limits::kIntermediateSize);
  const hf::Windows windows = hf::windows_everywhere(reader, hf::read_window(reader), config.num_hidden_layers);
  const auto rotary = hf::read_rotary(reader, config, heads.head_dim);
  reader.reject_unknown_keys();

  std::string summary =
      "grouped-query attention" + hf::window_of(windows) + "; " + hf::count_of_experts(k, experts) + ", softmax top-k";
  return hf::build_decoder(config, std::move(summary), weights, [&](const WeightScope& scope, std::size_t layer) {
    const bool fused = scope.contains("mlp.gate.weight");  // the native layout of transformers 5
    const WeightScope moe = scope / (fused ? "mlp" : "block_sparse_moe");
    auto router = std::make_unique<LinearRouter>(
        Linear((moe / "gate").as(TensorRole::router), config.hidden_size, experts), RouterScore::softmax,
        TopKOptions{.k = k, .threshold = {}}, CombineWeights{.normalize = true});
    return hf::DecoderLayer{hf::grouped_query(context, scope, config.hidden_size, heads, rotary, windows.of(layer)),
                            hf::moe_layer(context, layer, std::move(router),
                                          hf::read_experts(moe / "experts", experts, config.hidden_size, ffn,
                                                           {.gate = "w1", .up = "w3", .down = "w2"}))};
  });
}

}  // namespace trine::inline TRINE_ABI
