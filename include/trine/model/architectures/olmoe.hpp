// SPDX-License-Identifier: Apache-2.0
// OLMoE: queries and keys normalised over all heads together, many small experts. Muennighoff et al. 2024,
// arXiv:2409.02060. Reference: transformers, models/olmoe.
#pragma once

#include <memory>
#include <optional>
#include <utility>

#include <trine/model/architectures/hf_decoder.hpp>

namespace trine::inline TRINE_ABI {

/// Recipe of "model_type": "olmoe". Throws ConfigError, WeightError.
[[nodiscard]] inline BuiltModel build_olmoe(const BuildContext& context, const WeightScope& weights) {
  HfConfigReader reader(context.config, context.place);
  const HfConfig config = reader.common();
  const HfConfigReader::Heads heads = reader.heads(config.hidden_size);
  const std::size_t experts = reader.integer("num_experts", 1, config_limits::kWidth);
  const std::size_t k = reader.integer("num_experts_per_tok", 1, experts);
  const std::size_t ffn = reader.integer("intermediate_size", 1, config_limits::kFfn);
  const MixingRule mixing{.normalize = reader.boolean_or("norm_topk_prob", false)};
  GroupedQueryOptions attention{.qk_norm = GroupedQueryOptions::Norm::whole_vector,
                                .norm_epsilon = config.rms_norm_eps};
  if (reader.boolean_or("attention_bias", false)) attention.qkv_bias = attention.o_bias = Linear::Bias::yes;
  if (reader.has("clip_qkv")) attention.clip_qkv = static_cast<float>(reader.number("clip_qkv", 0.0, 1e6));
  const auto rotary = hf::read_rotary(reader, config, heads.head_dim);
  reader.finish();

  std::string summary = "grouped-query attention, q/k norm; " + hf::count_of_experts(k, experts) + ", softmax top-k";
  return hf::build_decoder(config, std::move(summary), weights, [&](const WeightScope& scope, std::size_t layer) {
    const WeightScope moe = scope / "mlp";
    auto router = std::make_unique<LinearRouter>(Linear(moe / "gate", config.hidden_size, experts),
                                                 RouterScore::softmax, ExpertChoice{.k = k, .threshold = {}}, mixing);
    return hf::DecoderLayer{
        hf::grouped_query(context, scope, config.hidden_size, heads, rotary, std::nullopt, attention),
        hf::moe_layer(context, layer, std::move(router),
                      hf::read_experts(moe / "experts", experts, config.hidden_size, ffn))};
  });
}

}  // namespace trine::inline TRINE_ABI
