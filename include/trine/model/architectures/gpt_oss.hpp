// SPDX-License-Identifier: Apache-2.0
// gpt-oss: alternating sliding-window and full layers, attention sinks, biases everywhere, clamped SwiGLU, MXFP4
// experts.
// OpenAI 2025, arXiv:2508.10925. Reference: transformers, models/gpt_oss.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <trine/model/architectures/hf_decoder.hpp>

namespace trine::inline TRINE_ABI {

namespace hf {

/// Row `index` of a small matrix as a vector.
[[nodiscard]] inline Tensor<float, 1> part_of(const Tensor<float, 2>& matrix, std::size_t index, std::size_t begin,
                                              std::size_t step, std::size_t count) {
  Tensor<float, 1> part({count});
  for (std::size_t i = 0; i < count; ++i) part.view()[i] = matrix.view()(index, begin + i * step);
  return part;
}

/// Gate and up share a matrix whose even rows are those of the gate: an interleaved stack (weights/weight_stack.hpp),
/// usually in MXFP4. Converted files have them apart: "0.gate_proj.weight", "0.gate_proj.bias" and so on.
[[nodiscard]] inline std::unique_ptr<const ExpertExecutor> read_gpt_oss_experts(const WeightScope& scope,
                                                                                std::size_t experts, std::size_t hidden,
                                                                                std::size_t ffn,
                                                                                const GatedActivation& activation) {
  const WeightScope weights = scope.as(TensorRole::experts).stacked_as(StackLayout::interleaved);
  std::vector<GatedMlp> bank;
  if (weights.contains("0.gate_proj.weight")) {
    for (std::size_t e = 0; e < experts; ++e) {
      const WeightScope expert = weights / e;
      bank.emplace_back(Linear(expert / "gate_proj", hidden, ffn, Linear::Bias::yes),
                        Linear(expert / "up_proj", hidden, ffn, Linear::Bias::yes),
                        Linear(expert / "down_proj", ffn, hidden, Linear::Bias::yes), activation);
    }
    return std::make_unique<LocalExperts>(std::move(bank));
  }
  const WeightStack gate_up = weights.stack("gate_up_proj", {experts, 2, ffn, hidden, StackLayout::interleaved});
  const WeightStack down = weights.stack("down_proj", {experts, 1, hidden, ffn, StackLayout::interleaved});
  const Tensor<float, 2> gate_up_bias = weights.read_f32("gate_up_proj_bias", experts, 2 * ffn);
  const Tensor<float, 2> down_bias = weights.read_f32("down_proj_bias", experts, hidden);
  for (std::size_t e = 0; e < experts; ++e) {
    bank.emplace_back(Linear(gate_up, e, 0, part_of(gate_up_bias, e, 0, 2, ffn)),
                      Linear(gate_up, e, 1, part_of(gate_up_bias, e, 1, 2, ffn)),
                      Linear(down, e, 0, part_of(down_bias, e, 0, 1, hidden)), activation);
  }
  return std::make_unique<LocalExperts>(std::move(bank));
}

}  // namespace hf

/// Defaults of absent keys: GptOssConfig of transformers.
inline constexpr std::string_view kGptOssDefaults = R"({
    "vocab_size": 201088, "hidden_size": 2880, "intermediate_size": 2880, "num_hidden_layers": 36,
    "num_attention_heads": 64, "num_key_value_heads": 8, "head_dim": 64, "hidden_act": "silu",
    "max_position_embeddings": 131072, "rms_norm_eps": 1e-5, "tie_word_embeddings": false, "rope_theta": 1.5e5,
    "rope_parameters": {"rope_type": "yarn", "factor": 32, "beta_fast": 32, "beta_slow": 1, "truncate": false,
                        "original_max_position_embeddings": 4096},
    "attention_bias": true, "sliding_window": 128, "layer_types": null, "num_local_experts": 128,
    "num_experts_per_tok": 4, "swiglu_alpha": 1.702, "swiglu_limit": 7.0})";

/// Builder of "model_type": "gpt_oss". Throws ConfigError, WeightError.
[[nodiscard]] inline ModelParts build_gpt_oss(const BuildContext& context, const WeightScope& weights) {
  HfConfigReader reader(context, kGptOssDefaults);
  const HfConfig config = reader.common();
  const HfConfigReader::Heads heads = reader.heads(config.hidden_size);
  const std::size_t experts =
      reader.integer(reader.first_present({"num_local_experts", "num_experts"}), 1, config_limits::kWidth);
  const std::size_t k = reader.integer("num_experts_per_tok", 1, experts);
  const std::size_t ffn = reader.integer("intermediate_size", 1, config_limits::kIntermediateSize);
  const GatedActivation activation{.kind = GatedActivation::Kind::clamped_swiglu,
                                   .alpha = static_cast<float>(reader.number("swiglu_alpha", 0.0, 1e3)),
                                   .limit = static_cast<float>(reader.number("swiglu_limit", 0.0, 1e6))};
  GroupedQueryOptions attention{.sinks = true};
  if (reader.boolean("attention_bias")) attention.qkv_bias = attention.o_bias = Linear::Bias::yes;
  std::vector<bool> slides(config.num_hidden_layers);
  for (std::size_t layer = 0; layer < slides.size(); ++layer) slides[layer] = layer % 2 == 0;
  const hf::Windows windows = hf::windows_by_layer(reader, hf::read_window(reader), std::move(slides));
  reader.ignore({"initial_context_length"});       // for training; rope's own field applies
  reader.require_integer("experts_per_token", k);  // OpenAI's name for the same
  const auto rotary = hf::read_rotary(reader, config, heads.head_dim);
  reader.reject_unknown_keys();

  std::string summary = "grouped-query attention with sinks" + hf::window_of(windows) + "; " +
                        hf::count_of_experts(k, experts) + ", softmax of the chosen";
  return hf::build_decoder(config, std::move(summary), weights, [&](const WeightScope& scope, std::size_t layer) {
    const WeightScope mlp = scope / "mlp";
    auto router = std::make_unique<LinearRouter>(
        Linear((mlp / "router").as(TensorRole::router), config.hidden_size, experts, Linear::Bias::yes),
        RouterScore::logit, TopKOptions{.k = k, .threshold = {}}, CombineWeights{.normalize = false, .softmax = true});
    return hf::DecoderLayer{
        hf::grouped_query(context, scope, config.hidden_size, heads, rotary, windows.of(layer), attention),
        hf::moe_layer(context, layer, std::move(router),
                      hf::read_gpt_oss_experts(mlp / "experts", experts, config.hidden_size, ffn, activation))};
  });
}

}  // namespace trine::inline TRINE_ABI
