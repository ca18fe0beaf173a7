// SPDX-License-Identifier: Apache-2.0
// MiMo-V2-Flash: values narrower than keys, windows with sinks and twice the key heads of full layers, heads that
// rotate in part, sigmoid routing with a balance bias. Reference: transformers, models/mimo_v2_flash.
#pragma once

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <trine/model/architectures/hf_decoder.hpp>
#include <trine/model/architectures/hf_layer_lists.hpp>
#include <trine/model/architectures/hf_moe.hpp>

namespace trine::inline TRINE_ABI {

namespace hf {

/// Keys of the published code that transformers does not read, with the values that it takes for granted.
inline void check_published_mimo(HfConfigReader& reader, const HfConfigReader::Heads& heads, std::size_t v_head_dim,
                                 const std::vector<bool>& slides, const std::vector<bool>& sparse) {
  reader.require_integer("swa_num_attention_heads", heads.num_attention_heads);
  reader.require_integer("swa_num_key_value_heads", 2 * heads.num_key_value_heads);
  reader.require_integer("swa_head_dim", heads.head_dim);
  reader.require_integer("swa_v_head_dim", v_head_dim);
  const auto agrees = [&](std::string_view key, const std::vector<bool>& layers) {
    const auto given = read_integers(reader, key, layers.size(), 0, 1);
    if (!given) return;
    for (std::size_t layer = 0; layer < layers.size(); ++layer)
      if (((*given)[layer] == 1) != layers[layer])
        reader.fail(key, "the same layers as layer_types and mlp_layer_types have", reader.at(key));
  };
  agrees("hybrid_layer_pattern", slides);
  agrees("moe_layer_freq", sparse);
  if (reader.boolean_or("add_full_attention_sink_bias", false))
    reader.fail("add_full_attention_sink_bias", "expected false, true is not supported", ErrorKind::unsupported);
  reader.require_true("add_swa_attention_sink_bias");
  if (reader.has("scoring_func")) static_cast<void>(reader.choice<bool>("scoring_func", {{"sigmoid", true}}));
  if (reader.has("topk_method")) static_cast<void>(reader.choice<bool>("topk_method", {{"noaux_tc", true}}));
  reader.ignore({"n_shared_experts", "attention_chunk_size", "hybrid_block_size"});
}

}  // namespace hf

/// Defaults of absent keys: MiMoV2FlashConfig of transformers.
inline constexpr std::string_view kMimoV2FlashDefaults = R"({
    "vocab_size": 152576, "hidden_size": 4096, "intermediate_size": 16384, "moe_intermediate_size": 2048,
    "num_hidden_layers": 48, "num_attention_heads": 64, "num_key_value_heads": 4, "hidden_act": "silu",
    "max_position_embeddings": 131072, "rms_norm_eps": 1e-5, "tie_word_embeddings": false,
    "rope_parameters": {
        "full_attention": {"rope_type": "default", "rope_theta": 5000000.0, "partial_rotary_factor": 0.334},
        "sliding_attention": {"rope_type": "default", "rope_theta": 10000.0, "partial_rotary_factor": 0.334}},
    "attention_bias": false, "n_routed_experts": 256, "num_experts_per_tok": 8, "n_group": 1, "topk_group": 1,
    "norm_topk_prob": true, "routed_scaling_factor": 1.0, "head_dim": 192, "v_head_dim": 128, "sliding_window": 129,
    "layer_types": null, "mlp_layer_types": null, "attention_value_scale": 0.707})";

/// Builder of "model_type": "mimo_v2_flash". Throws ConfigError, WeightError.
[[nodiscard]] inline ModelParts build_mimo_v2_flash(const BuildContext& context, const WeightScope& weights) {
  HfConfigReader reader(context, kMimoV2FlashDefaults);
  const HfConfig config = reader.common();
  const std::size_t hidden = config.hidden_size;
  const std::size_t layers = config.num_hidden_layers;
  const HfConfigReader::Heads heads = reader.heads(hidden);
  HfConfigReader::Heads sliding_heads = heads;
  sliding_heads.num_key_value_heads *= 2;
  if (heads.num_attention_heads % sliding_heads.num_key_value_heads != 0)
    reader.fail("num_key_value_heads",
                "a divisor of half of num_attention_heads = " + std::to_string(heads.num_attention_heads),
                reader.at("num_key_value_heads"));
  GroupedQueryOptions attention{
      .v_head_dim = reader.integer("v_head_dim", 1, config_limits::kHeadDim),
      .v_scale = static_cast<float>(reader.number_or("attention_value_scale", 0.0, 1e3, 1.0))};
  if (reader.boolean("attention_bias")) attention.qkv_bias = Linear::Bias::yes;

  std::vector<bool> slides(layers);
  for (std::size_t layer = 0; layer < layers; ++layer) slides[layer] = layer != 0 && (layer + 1) % 6 != 0;
  std::optional<std::size_t> width = hf::read_window(reader);
  if (reader.has("sliding_window_size"))  // of the published code: without the query itself
    width = reader.integer("sliding_window_size", 0, config_limits::kPositions) + 1;
  const hf::Windows windows = hf::windows_by_layer(reader, width, std::move(slides));
  const RopeContext rope{.head_dim = heads.head_dim,
                         .max_position_embeddings = config.max_position_embeddings,
                         .rotary_dim = static_cast<std::size_t>(0.334 * static_cast<double>(heads.head_dim)),
                         .scaled_are_whole = true};
  const hf::RotaryByType rotary = hf::read_rotary_by_type(reader, windows, rope, rope);

  const std::vector<bool> sparse = hf::read_sparse_layers(reader, hf::layers_from(1, layers));
  const std::size_t ffn = reader.integer("intermediate_size", 1, config_limits::kIntermediateSize);
  const std::size_t expert_ffn = reader.integer("moe_intermediate_size", 1, config_limits::kIntermediateSize);
  const std::size_t experts =
      reader.integer(reader.first_present({"n_routed_experts", "num_local_experts"}), 1, config_limits::kWidth);
  const std::size_t k = reader.integer("num_experts_per_tok", 1, experts);
  for (const char* key : {"n_group", "topk_group"}) static_cast<void>(reader.integer(key, 1, 1));
  const CombineWeights combine{
      .normalize = reader.boolean("norm_topk_prob"),
      .routed_scale = static_cast<float>(reader.number_or("routed_scaling_factor", 0.0, 1e6, 1.0))};
  hf::check_published_mimo(reader, heads, *attention.v_head_dim, windows.slides, sparse);
  reader.reject_unknown_keys();
  weights.ignore({"model.mtp.*", "layers for multi-token prediction; the model answers without them"});
  hf::ignore_draft_layers(weights / "model", layers, 0);  // of converted files

  std::string summary = "grouped-query attention with sinks" + hf::window_of(windows) + "; " +
                        hf::count_of_experts(k, experts) + ", sigmoid";
  return hf::build_decoder(config, std::move(summary), weights, [&](const WeightScope& scope, std::size_t layer) {
    const bool slides_here = windows.slides[layer];
    GroupedQueryOptions own = attention;
    own.sinks = slides_here;
    own.sinks_name = scope.contains("self_attn.sinks") ? "sinks" : "attention_sink_bias";
    auto self = hf::grouped_query(context, scope, hidden, slides_here ? sliding_heads : heads, rotary.of(slides_here),
                                  windows.of(layer), own);
    const WeightScope mlp = scope / "mlp";
    if (!sparse[layer])
      return hf::DecoderLayer{std::move(self),
                              std::make_unique<DenseFeedForward>(mlp.as(TensorRole::mlp), hidden, ffn)};
    const WeightScope gate = (mlp / "gate").as(TensorRole::router);
    auto router = std::make_unique<LinearRouter>(Linear(gate, hidden, experts), RouterScore::sigmoid,
                                                 TopKOptions{.k = k, .threshold = {}}, combine, std::nullopt,
                                                 hf::read_balance_bias(gate, "e_score_correction_bias", experts));
    return hf::DecoderLayer{std::move(self),
                            hf::moe_layer(context, layer, std::move(router),
                                          hf::read_experts(mlp / "experts", experts, hidden, expert_ffn))};
  });
}

}  // namespace trine::inline TRINE_ABI
