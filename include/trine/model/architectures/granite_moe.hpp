// SPDX-License-Identifier: Apache-2.0
// Granite MoE: the blocks of Mixtral with multipliers of embeddings, scores, what layers add, and logits.
// Reference: transformers, models/granitemoe.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <trine/model/architectures/hf_decoder.hpp>

namespace trine::inline TRINE_ABI {

namespace hf {

/// "input_linear" [experts, 2 ffn, hidden] and "output_linear" [experts, hidden, ffn] of the published checkpoint;
/// those of read_experts otherwise.
[[nodiscard]] inline std::unique_ptr<const ExpertExecutor> read_granite_experts(const WeightScope& moe,
                                                                                std::size_t experts, std::size_t hidden,
                                                                                std::size_t ffn) {
  if (!moe.contains("input_linear.weight")) return read_experts(moe / "experts", experts, hidden, ffn);
  const WeightScope scope = moe.as(TensorRole::experts);
  const WeightStack gate_up = scope.stack("input_linear.weight", {experts, 2, ffn, hidden});
  const WeightStack down = scope.stack("output_linear.weight", {experts, 1, hidden, ffn});
  std::vector<GatedMlp> bank;
  for (std::size_t e = 0; e < experts; ++e)
    bank.emplace_back(Linear(gate_up, e, 0), Linear(gate_up, e, 1), Linear(down, e));
  return std::make_unique<LocalExperts>(std::move(bank));
}

}  // namespace hf

/// Defaults of absent keys: GraniteMoeConfig of transformers.
inline constexpr std::string_view kGraniteMoeDefaults = R"({
    "vocab_size": 32000, "hidden_size": 4096, "intermediate_size": 11008, "num_hidden_layers": 32,
    "num_attention_heads": 32, "num_key_value_heads": null, "hidden_act": "silu", "max_position_embeddings": 2048,
    "rms_norm_eps": 1e-6, "tie_word_embeddings": false, "rope_theta": 1e4, "attention_bias": false,
    "embedding_multiplier": 1.0, "logits_scaling": 1.0, "residual_multiplier": 1.0, "attention_multiplier": 1.0,
    "num_local_experts": 8, "num_experts_per_tok": 2})";

/// Builder of "model_type": "granitemoe". Throws ConfigError, WeightError.
[[nodiscard]] inline ModelParts build_granite_moe(const BuildContext& context, const WeightScope& weights) {
  HfConfigReader reader(context, kGraniteMoeDefaults);
  const HfConfig config = reader.common();
  const std::size_t hidden = config.hidden_size;
  const HfConfigReader::Heads heads = reader.heads(hidden);
  const std::size_t experts = reader.integer("num_local_experts", 1, config_limits::kWidth);
  const std::size_t k = reader.integer("num_experts_per_tok", 1, experts);
  const std::size_t ffn = reader.integer("intermediate_size", 1, config_limits::kIntermediateSize);
  const auto multiplier = [&](std::string_view key) { return static_cast<float>(reader.number(key, 1e-6, 1e6)); };
  GroupedQueryOptions attention{.scale = multiplier("attention_multiplier")};
  if (reader.boolean("attention_bias")) attention.qkv_bias = attention.o_bias = Linear::Bias::yes;
  const hf::DecoderOptions options{.embedding_scale = multiplier("embedding_multiplier"),
                                   .update_scale = multiplier("residual_multiplier"),
                                   .logits = {.scale = 1.0F / multiplier("logits_scaling")}};
  static_cast<void>(hf::without_windows(reader, config.num_hidden_layers));
  const auto rotary = hf::read_rotary(reader, config, heads.head_dim);
  reader.reject_unknown_keys();

  weights.add_synonyms({{"input_linear.weight", "experts.gate_up_proj"},
                        {"output_linear.weight", "experts.down_proj"},
                        {"router.layer", "router"}});
  std::string summary = "grouped-query attention; " + hf::count_of_experts(k, experts) + ", softmax of the chosen";
  const auto make_layer = [&](const WeightScope& scope, std::size_t layer) {
    const WeightScope moe = scope / "block_sparse_moe";
    const WeightScope gate = moe / (moe.contains("router.weight") ? "router" : "router.layer");
    auto router = std::make_unique<LinearRouter>(Linear(gate.as(TensorRole::router), hidden, experts),
                                                 RouterScore::logit, TopKOptions{.k = k, .threshold = {}},
                                                 CombineWeights{.normalize = false, .softmax = true});
    return hf::DecoderLayer{
        hf::grouped_query(context, scope, hidden, heads, rotary, std::nullopt, attention),
        hf::moe_layer(context, layer, std::move(router), hf::read_granite_experts(moe, experts, hidden, ffn))};
  };
  return hf::build_decoder(config, std::move(summary), weights, make_layer, options);
}

}  // namespace trine::inline TRINE_ABI
