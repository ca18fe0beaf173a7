// SPDX-License-Identifier: Apache-2.0
// Phi-3.5-MoE: LayerNorm, biases, experts weighted by SparseMixer, LongRoPE within its original context.
// Abdin et al. 2024, arXiv:2404.14219; Liu et al. 2024, arXiv:2409.12136. Reference: transformers, models/phimoe.
#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include <trine/model/architectures/hf_decoder.hpp>

namespace trine::inline TRINE_ABI {

/// Defaults of absent keys: PhimoeConfig of transformers.
inline constexpr std::string_view kPhimoeDefaults = R"({
    "vocab_size": 32064, "hidden_size": 4096, "intermediate_size": 6400, "num_hidden_layers": 32,
    "num_attention_heads": 32, "num_key_value_heads": 8, "hidden_act": "silu", "max_position_embeddings": 131072,
    "rms_norm_eps": 1e-5, "tie_word_embeddings": false, "rope_theta": 1e6, "sliding_window": null,
    "num_experts_per_tok": 2, "num_local_experts": 16, "router_jitter_noise": 0.01, "input_jitter_noise": 0.0,
    "attention_bias": false, "lm_head_bias": false})";

/// Builder of "model_type": "phimoe". Throws ConfigError, WeightError.
[[nodiscard]] inline ModelParts build_phimoe(const BuildContext& context, const WeightScope& weights) {
  HfConfigReader reader(context, kPhimoeDefaults);
  HfConfig config = reader.common();
  const std::size_t hidden = config.hidden_size;
  const HfConfigReader::Heads heads = reader.heads(hidden);
  GroupedQueryOptions attention;
  if (reader.boolean("attention_bias")) attention.qkv_bias = attention.o_bias = Linear::Bias::yes;
  const hf::Windows windows = hf::windows_everywhere(reader, hf::read_window(reader), config.num_hidden_layers);
  const RopeOptions rope = read_rope(
      reader,
      {.head_dim = heads.head_dim, .max_position_embeddings = config.max_position_embeddings, .has_mscales = true},
      reader.notes());
  if (const auto* longrope = std::get_if<LongRopeScaling>(&rope.scaling))
    config.max_position_embeddings =
        std::min(config.max_position_embeddings, longrope->original_max_position_embeddings);
  const auto rotary = std::make_shared<const Rotary>(rope_frequencies(rope), RotaryPairs::half_split, heads.head_dim,
                                                     config.max_position_embeddings);

  constexpr std::size_t kChosen = 2;  // SparseMixer is defined for two
  const std::size_t experts = reader.integer("num_local_experts", kChosen, config_limits::kWidth);
  static_cast<void>(reader.integer("num_experts_per_tok", kChosen, kChosen));
  const CombineWeights combine{
      .normalize = false, .sparse_mixer = 2.0F * static_cast<float>(reader.number("router_jitter_noise", 0.0, 1e6))};
  const std::size_t ffn = reader.integer("intermediate_size", 1, config_limits::kIntermediateSize);
  hf::DecoderOptions options{.norm_of = RmsNorm::Of::biased_deviations};
  if (reader.boolean("lm_head_bias")) options.head_bias = Linear::Bias::yes;
  static_cast<void>(reader.number("input_jitter_noise", 0.0, 1e6));  // of training
  reader.reject_unknown_keys();

  std::string summary = "grouped-query attention" + hf::window_of(windows) + "; " +
                        hf::count_of_experts(kChosen, experts) + ", SparseMixer";
  return hf::build_decoder(
      config, std::move(summary), weights,
      [&](const WeightScope& scope, std::size_t layer) {
        const bool fused = scope.contains("mlp.router.weight");  // the native layout of transformers 5
        const WeightScope moe = scope / (fused ? "mlp" : "block_sparse_moe");
        auto router = std::make_unique<LinearRouter>(
            Linear((moe / (fused ? "router" : "gate")).as(TensorRole::router), hidden, experts), RouterScore::logit,
            TopKOptions{.k = kChosen, .threshold = {}}, combine);
        return hf::DecoderLayer{hf::grouped_query(context, scope, hidden, heads, rotary, windows.of(layer), attention),
                                hf::moe_layer(context, layer, std::move(router),
                                              hf::read_experts(moe / "experts", experts, hidden, ffn,
                                                               {.gate = "w1", .up = "w3", .down = "w2"}))};
      },
      options);
}

}  // namespace trine::inline TRINE_ABI
