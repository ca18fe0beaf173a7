// SPDX-License-Identifier: Apache-2.0
// Mixtral: grouped-query attention, softmax top-k routing, no shared expert. Jiang et al. 2024, arXiv:2401.04088.
// Reference: transformers, models/mixtral.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include <trine/model/architectures/hf_decoder.hpp>

namespace trine::inline TRINE_ABI {

/// Recipe of "model_type": "mixtral". Throws ConfigError, WeightError.
[[nodiscard]] inline BuiltModel build_mixtral(const BuildContext& context, const WeightScope& weights) {
  HfConfigReader reader(context.config, context.place);
  const HfConfig config = reader.common();
  const HfConfigReader::Heads heads = reader.heads(config.hidden_size);
  const std::size_t experts =
      reader.integer(reader.spelling({"num_local_experts", "num_experts"}), 1, config_limits::kWidth);
  const std::size_t k = reader.integer("num_experts_per_tok", 1, experts);
  const std::size_t ffn = reader.integer("intermediate_size", 1, config_limits::kFfn);
  const std::optional<std::size_t> window = reader.sliding_window();
  const auto rotary = hf::read_rotary(reader, config, heads.head_dim, 1e6);
  reader.finish();

  std::string summary = "grouped-query attention" + (window ? ", window of " + std::to_string(*window) : "") + "; " +
                        hf::count_of_experts(k, experts) + ", softmax top-k";
  return hf::build_decoder(config, std::move(summary), weights, [&](const WeightScope& scope, std::size_t layer) {
    const bool fused = scope.contains("mlp.gate.weight");  // as transformers 5 saves it when asked for its own layout
    const WeightScope moe = scope / (fused ? "mlp" : "block_sparse_moe");
    auto router =
        std::make_unique<LinearRouter>(Linear(moe / "gate", config.hidden_size, experts), RouterScore::softmax,
                                       ExpertChoice{.k = k, .threshold = {}}, MixingRule{.normalize = true});
    return hf::DecoderLayer{hf::grouped_query(context, scope, config.hidden_size, heads, rotary, window),
                            hf::moe_layer(context, layer, std::move(router),
                                          hf::read_experts(moe / "experts", experts, config.hidden_size, ffn,
                                                           {.gate = "w1", .up = "w3", .down = "w2"}))};
  });
}

}  // namespace trine::inline TRINE_ABI
