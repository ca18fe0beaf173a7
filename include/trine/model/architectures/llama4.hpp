// SPDX-License-Identifier: Apache-2.0
// Llama 4: chunked layers that rotate beside full layers that do not and whose scores grow with the position; experts
// whose inputs are weighted by a sigmoid, one shared expert. Reference: transformers, models/llama4.
#pragma once

#include <algorithm>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <trine/model/architectures/hf_decoder.hpp>
#include <trine/model/architectures/hf_layer_lists.hpp>
#include <trine/model/architectures/hf_text_part.hpp>

namespace trine::inline TRINE_ABI {

namespace hf {

/// "no_rope_layers": which layers rotate, 1 for those that do; without it all but every no_rope_layer_interval-th.
[[nodiscard]] inline std::vector<bool> read_rotating_layers(HfConfigReader& reader, std::size_t layers) {
  const std::size_t interval = reader.integer("no_rope_layer_interval", 1, config_limits::kLayers);
  std::vector<bool> rotates(layers);
  for (std::size_t layer = 0; layer < layers; ++layer) rotates[layer] = (layer + 1) % interval != 0;
  if (reader.has("no_rope_layers") && reader.at("no_rope_layers").empty()) return rotates;
  if (const auto given = read_integers(reader, "no_rope_layers", layers, 0, 1))
    for (std::size_t layer = 0; layer < layers; ++layer) rotates[layer] = (*given)[layer] == 1;
  return rotates;
}

/// "layer_types": which layers attend in chunks; without it those that rotate.
[[nodiscard]] inline std::vector<bool> read_chunked_layers(HfConfigReader& reader, std::vector<bool> rotates) {
  const bool has_size = reader.has("attention_chunk_size");
  if (!reader.has("layer_types")) {
    if (!has_size) std::fill(rotates.begin(), rotates.end(), false);
    return rotates;
  }
  const Json& list = reader.at("layer_types");
  if (!list.is_array() || list.size() != rotates.size())
    reader.fail("layer_types", "a list of " + std::to_string(rotates.size()) + " names", list);
  for (std::size_t layer = 0; layer < rotates.size(); ++layer) {
    if (list[layer] != "full_attention" && list[layer] != "chunked_attention")
      reader.fail("layer_types", "full_attention or chunked_attention", list[layer], ErrorKind::unsupported);
    rotates[layer] = list[layer] == "chunked_attention";
  }
  if (!has_size && std::ranges::count(rotates, true) > 0)
    reader.fail("layer_types", "expected an attention_chunk_size for layers of chunked_attention, found none");
  return rotates;
}

/// "moe_layers": which layers have experts; without it every interleave_moe_layer_step-th.
[[nodiscard]] inline std::vector<bool> read_moe_layers(HfConfigReader& reader, std::size_t layers) {
  const std::size_t step = reader.integer("interleave_moe_layer_step", 0, config_limits::kLayers);
  std::vector<bool> sparse(layers);
  if (!reader.has("moe_layers")) {
    if (step == 0)
      reader.fail("interleave_moe_layer_step", "an integer from 1", reader.at("interleave_moe_layer_step"));
    for (std::size_t layer = step - 1; layer < layers; layer += step) sparse[layer] = true;
    return sparse;
  }
  const Json& list = reader.at("moe_layers");
  if (!list.is_array()) reader.fail("moe_layers", "a list of layers", list);
  for (const Json& layer : list) {
    if (!layer.is_number_unsigned()) reader.fail("moe_layers", "layers", layer);
    if (layer.get<std::size_t>() < layers) sparse[layer.get<std::size_t>()] = true;
  }
  return sparse;
}

/// A transposed stack, gate before up; or one by one, as converted files have them.
[[nodiscard]] inline std::unique_ptr<const ExpertExecutor> read_llama4_experts(const WeightScope& scope,
                                                                               std::size_t experts, std::size_t hidden,
                                                                               std::size_t ffn) {
  const WeightScope weights = scope.as(TensorRole::experts).stacked_as(StackLayout::transposed);
  std::vector<GatedMlp> bank;
  if (weights.contains("0.gate_proj.weight")) {
    for (std::size_t e = 0; e < experts; ++e) bank.emplace_back(weights / e, hidden, ffn);
  } else {
    const WeightStack gate_up = weights.stack("gate_up_proj", {experts, 2, ffn, hidden, StackLayout::transposed});
    const WeightStack down = weights.stack("down_proj", {experts, 1, hidden, ffn, StackLayout::transposed});
    for (std::size_t e = 0; e < experts; ++e)
      bank.emplace_back(Linear(gate_up, e, 0), Linear(gate_up, e, 1), Linear(down, e));
  }
  return std::make_unique<LocalExperts>(std::move(bank), GateWeightOf::input);
}

}  // namespace hf

/// Defaults of absent keys: Llama4TextConfig of transformers.
inline constexpr std::string_view kLlama4Defaults = R"({
    "vocab_size": 202048, "hidden_size": 5120, "intermediate_size": 8192, "intermediate_size_mlp": 16384,
    "num_hidden_layers": 48, "num_attention_heads": 40, "num_key_value_heads": 8, "head_dim": 128,
    "hidden_act": "silu", "max_position_embeddings": 131072, "rms_norm_eps": 1e-5, "tie_word_embeddings": false,
    "rope_theta": 5e5, "num_experts_per_tok": 1, "num_local_experts": 16, "moe_layers": null,
    "interleave_moe_layer_step": 1, "use_qk_norm": true, "no_rope_layers": null, "no_rope_layer_interval": 4,
    "attention_chunk_size": 8192, "layer_types": null, "attn_temperature_tuning": true, "floor_scale": 8192,
    "attn_scale": 0.1, "attention_bias": false})";

/// Builder of "model_type": "llama4_text". Throws ConfigError, WeightError.
[[nodiscard]] inline ModelParts build_llama4_text(const BuildContext& context, const WeightScope& weights) {
  HfConfigReader reader(context, kLlama4Defaults);
  const HfConfig config = reader.common();
  const std::size_t hidden = config.hidden_size;
  const std::size_t layers = config.num_hidden_layers;
  const HfConfigReader::Heads heads = reader.heads(hidden);
  const std::vector<bool> rotates = hf::read_rotating_layers(reader, layers);
  const std::vector<bool> chunked = hf::read_chunked_layers(reader, rotates);
  const Chunking chunk{reader.integer_or("attention_chunk_size", 1, config_limits::kPositions, 1), 0};
  GroupedQueryOptions plain{.norm_epsilon = config.rms_norm_eps};
  if (reader.boolean("attention_bias")) plain.qkv_bias = plain.o_bias = Linear::Bias::yes;
  GroupedQueryOptions rotated = plain;
  if (reader.boolean("use_qk_norm")) rotated.qk_norm = GroupedQueryOptions::Norm::after_rotation;
  const QueryTemperature temperature{.scale = static_cast<float>(reader.number("attn_scale", 0.0, 1e3)),
                                     .length = reader.integer("floor_scale", 1, config_limits::kPositions),
                                     .offset = 1};
  if (reader.boolean("attn_temperature_tuning")) plain.temperature = temperature;
  const auto rotary = hf::read_rotary(reader, config, heads.head_dim, {.pairs = RotaryPairs::interleaved});

  const std::vector<bool> sparse = hf::read_moe_layers(reader, layers);
  const std::size_t ffn = reader.integer("intermediate_size", 1, config_limits::kIntermediateSize);
  const std::size_t dense_ffn = reader.integer("intermediate_size_mlp", 1, config_limits::kIntermediateSize);
  const std::size_t experts = reader.integer("num_local_experts", 1, config_limits::kWidth);
  const std::size_t k = reader.integer("num_experts_per_tok", 1, experts);
  reader.ignore({"for_llm_compressor"});  // how other software wraps the experts
  reader.reject_unknown_keys();

  const bool in_chunks = std::ranges::count(chunked, true) > 0;
  std::string summary = "grouped-query attention" +
                        (in_chunks ? ", chunks of " + std::to_string(chunk.size) : std::string()) + "; " +
                        hf::count_of_experts(k, experts) + ", sigmoid of the chosen, 1 shared";
  return hf::build_decoder(config, std::move(summary), weights, [&](const WeightScope& scope, std::size_t layer) {
    auto pattern = chunked[layer] ? std::make_unique<ChunkedPattern>(chunk) : hf::pattern_of(context, std::nullopt);
    auto self = hf::grouped_query(scope, hidden, heads, rotates[layer] ? rotary : nullptr, std::move(pattern),
                                  rotates[layer] ? rotated : plain, RotaryPairs::interleaved);
    const WeightScope mlp = scope / "feed_forward";
    if (!sparse[layer])
      return hf::DecoderLayer{std::move(self),
                              std::make_unique<DenseFeedForward>(mlp.as(TensorRole::mlp), hidden, dense_ffn)};
    auto router = std::make_unique<LinearRouter>(Linear((mlp / "router").as(TensorRole::router), hidden, experts),
                                                 RouterScore::logit, TopKOptions{.k = k, .threshold = {}},
                                                 CombineWeights{.normalize = false, .sigmoid = true});
    return hf::DecoderLayer{
        std::move(self),
        hf::moe_layer(context, layer, std::move(router), hf::read_llama4_experts(mlp / "experts", experts, hidden, ffn),
                      GatedMlp((mlp / "shared_expert").as(TensorRole::shared_experts), hidden, ffn))};
  });
}

/// Builder of "model_type": "llama4": the text part of a multimodal one. Throws ConfigError, WeightError.
[[nodiscard]] inline ModelParts build_llama4(const BuildContext& context, const WeightScope& weights) {
  return hf::build_text_part(context, weights, build_llama4_text);
}

}  // namespace trine::inline TRINE_ABI
