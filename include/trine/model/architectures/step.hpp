// SPDX-License-Identifier: Apache-2.0
// Step-3.5-Flash and the text part of Step-3.7-Flash: heads and rope by layer type, output gates, norms of weight + 1,
// sigmoid routing with a balance bias, a shared expert, SwiGLU whose factors are clamped in some layers.
// Reference: transformers, models/step3p7.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <trine/model/architectures/hf_layer_lists.hpp>
#include <trine/model/architectures/hf_moe.hpp>
#include <trine/model/architectures/hf_text_part.hpp>

namespace trine::inline TRINE_ABI {

/// Defaults of absent keys: Step3p7TextConfig of transformers.
inline constexpr std::string_view kStep35Defaults = R"({
    "vocab_size": 128815, "hidden_size": 4096, "intermediate_size": 11264, "num_hidden_layers": 45,
    "num_attention_heads": 64, "num_key_value_heads": 8, "head_dim": 128, "hidden_act": "silu",
    "max_position_embeddings": 128000, "rms_norm_eps": 1e-5, "tie_word_embeddings": false, "rope_theta": 1e4,
    "rope_parameters": null, "mlp_layer_types": null, "layer_types": null, "sliding_window": null,
    "moe_intermediate_size": 1280, "n_routed_experts": 288, "num_experts_per_tok": 8, "share_expert_dim": 1280,
    "num_sliding_attention_heads": null, "attention_bias": false, "mlp_bias": false, "query_pre_attn_scalar": null,
    "moe_router_scaling_factor": 1.0, "swiglu_limits": null, "swiglu_limits_shared": null})";

namespace hf {

/// The configuration without the entries of lists by layer that belong to layers for multi-token prediction.
[[nodiscard]] inline Json without_draft_entries(Json config, std::size_t layers, std::size_t drafts) {
  for (const char* key : {"layer_types", "mlp_layer_types", "swiglu_limits", "swiglu_limits_shared", "rope_theta",
                          "partial_rotary_factors"}) {
    const auto list = config.find(key);
    if (list == config.end() || !list->is_array() || list->size() != layers + drafts) continue;
    list->erase(list->begin() + static_cast<std::ptrdiff_t>(layers), list->end());
  }
  return config;
}

/// A number for each layer type, from one for all, or from a list that is the same within a type. Throws ConfigError.
[[nodiscard]] inline std::array<double, 2> read_numbers_by_type(HfConfigReader& reader, std::string_view key,
                                                                const std::vector<bool>& slides) {
  std::array<double, 2> of{};  // full, sliding
  const Json& given = reader.at(key);
  if (given.is_number()) return {given.get<double>(), given.get<double>()};
  if (!given.is_array() || given.size() != slides.size())
    reader.fail(key, "a number, or a list of " + std::to_string(slides.size()) + " numbers", given);
  std::array<bool, 2> found{};
  for (std::size_t layer = 0; layer < slides.size(); ++layer) {
    const std::size_t type = slides[layer] ? 1 : 0;
    if (!given[layer].is_number()) reader.fail(key, "numbers", given[layer]);
    const double value = given[layer].get<double>();
    if (found[type] && value != of[type])
      reader.fail(key, "the same number for all layers of a type", given[layer], ErrorKind::unsupported);
    of[type] = value;
    found[type] = true;
  }
  return of;
}

/// "rope_parameters" by layer type, as given; or as the published keys mean them: "rope_theta" and
/// "partial_rotary_factors", and "rope_scaling" of full layers. Throws ConfigError.
[[nodiscard]] inline Json step_rope_parameters(HfConfigReader& reader, const std::vector<bool>& slides) {
  reader.ignore({"yarn_only_types"});
  if (reader.is_given("rope_parameters")) {
    reader.ignore({"rope_theta", "partial_rotary_factors", "rope_scaling"});
    return reader.at("rope_parameters");
  }
  const std::array<double, 2> theta = read_numbers_by_type(reader, "rope_theta", slides);
  std::array<double, 2> share{1.0, 1.0};
  if (reader.has("partial_rotary_factors")) share = read_numbers_by_type(reader, "partial_rotary_factors", slides);
  Json full = {{"rope_theta", theta[0]}, {"partial_rotary_factor", share[0]}};
  if (reader.has("rope_scaling")) {
    static_cast<void>(reader.object("rope_scaling"));  // is one
    full.update(reader.at("rope_scaling"));
  }
  return {{"full_attention", std::move(full)},
          {"sliding_attention", {{"rope_theta", theta[1]}, {"partial_rotary_factor", share[1]}}}};
}

/// Query heads of each layer: "per_layer_config", as transformers writes it; or those of sliding layers from
/// "num_sliding_attention_heads" or the published "attention_other_setting". Throws ConfigError.
[[nodiscard]] inline std::vector<std::size_t> read_step_heads(HfConfigReader& reader,
                                                              const HfConfigReader::Heads& heads,
                                                              const std::vector<bool>& slides) {
  constexpr std::string_view kHeads = "num_attention_heads";
  const auto read = [&](ObjectReader& object, std::string_view key, std::size_t otherwise) {
    const std::size_t count = object.integer_or(key, 1, config_limits::kHeads, otherwise);
    if (count % heads.num_key_value_heads != 0)
      object.fail(key, "a multiple of num_key_value_heads = " + std::to_string(heads.num_key_value_heads), count);
    return count;
  };
  std::size_t sliding = heads.num_attention_heads;
  if (reader.has("attention_other_setting")) {
    ObjectReader other = reader.object("attention_other_setting");
    static_cast<void>(other.has("attention_type"));
    static_cast<void>(other.has("true_head_dim"));
    sliding = read(other, kHeads, sliding);
    static_cast<void>(
        other.integer_or("num_attention_groups", heads.num_key_value_heads, heads.num_key_value_heads, 0));
    static_cast<void>(other.integer_or("head_dim", heads.head_dim, heads.head_dim, 0));
    other.reject_unknown_keys(reader.notes());
  }
  sliding = read(reader, "num_sliding_attention_heads", sliding);
  std::vector<std::size_t> counts;
  for (const bool slides_here : slides) counts.push_back(slides_here ? sliding : heads.num_attention_heads);
  if (!reader.is_given("per_layer_config")) return counts;
  ObjectReader layers = reader.object("per_layer_config");
  for (std::size_t layer = 0; layer < slides.size(); ++layer) {
    counts[layer] = heads.num_attention_heads;
    const std::string key = std::to_string(layer);
    if (!layers.has(key)) continue;
    ObjectReader own = layers.object(key);
    counts[layer] = read(own, kHeads, heads.num_attention_heads);
    own.reject_unknown_keys(reader.notes());
  }
  layers.reject_unknown_keys(reader.notes());
  return counts;
}

/// Which layers have experts: "mlp_layer_types", or the published "moe_layers_enum", "3,4,5" or [3, 4, 5]; without
/// either, all but the first three. Throws ConfigError.
[[nodiscard]] inline std::vector<bool> read_step_sparse_layers(HfConfigReader& reader, std::size_t layers) {
  constexpr std::string_view kKey = "moe_layers_enum";
  std::vector<bool> sparse = layers_from(3, layers);
  if (reader.has(kKey)) {
    const Json& given = reader.at(kKey);
    const Json list = given.is_string() ? parse_json("[" + given.get<std::string>() + "]", "moe_layers_enum") : given;
    if (!list.is_array()) reader.fail(kKey, "a list of layers", given);
    sparse.assign(layers, false);
    for (const Json& layer : list) {
      if (!layer.is_number_unsigned() || layer.get<std::uint64_t>() > config_limits::kLayers)
        reader.fail(kKey, "numbers of layers", layer);
      if (layer.get<std::size_t>() < layers) sparse[layer.get<std::size_t>()] = true;  // others draft
    }
  }
  return read_sparse_layers(reader, std::move(sparse));
}

/// A list of bounds, of which null and 0 mean none. Throws ConfigError.
[[nodiscard]] inline std::vector<GatedActivation> read_limits(HfConfigReader& reader, std::string_view key,
                                                              std::size_t layers) {
  std::vector<GatedActivation> result(layers);
  if (!reader.has(key)) return result;
  const Json& list = reader.at(key);
  if (!list.is_array() || list.size() != layers)
    reader.fail(key, "a list of " + std::to_string(layers) + " numbers", list);
  for (std::size_t layer = 0; layer < layers; ++layer) {
    if (list[layer].is_null()) continue;
    if (!list[layer].is_number() || !(list[layer].get<double>() >= 0.0 && list[layer].get<double>() <= 1e6))
      reader.fail(key, "numbers from 0 to 1e6", list[layer]);
    const auto limit = list[layer].get<float>();
    if (limit > 0.0F) result[layer] = {.kind = GatedActivation::Kind::limited_silu, .limit = limit};
  }
  return result;
}

/// Experts below "mlp.experts"; or, as published, three stacks below "moe". Throws WeightError.
[[nodiscard]] inline std::unique_ptr<const ExpertExecutor> read_step_experts(const WeightScope& layer,
                                                                             std::size_t experts, std::size_t hidden,
                                                                             std::size_t ffn,
                                                                             const GatedActivation& activation) {
  const WeightScope published = (layer / "moe").as(TensorRole::experts);
  if (!published.contains("gate_proj.weight"))
    return read_experts(layer / "mlp" / "experts", experts, hidden, ffn, {}, activation);
  const WeightStack gate = published.stack("gate_proj.weight", {experts, 1, ffn, hidden});
  const WeightStack up = published.stack("up_proj.weight", {experts, 1, ffn, hidden});
  const WeightStack down = published.stack("down_proj.weight", {experts, 1, hidden, ffn});
  std::vector<GatedMlp> bank;
  bank.reserve(std::min<std::size_t>(experts, 4096));
  for (std::size_t e = 0; e < experts; ++e)
    bank.emplace_back(Linear(gate, e), Linear(up, e), Linear(down, e), activation);
  return std::make_unique<LocalExperts>(std::move(bank));
}

/// What other options the published files name, of which there is one each. Throws ConfigError.
inline void require_step_options(HfConfigReader& reader) {
  for (const char* key : {"use_qk_norm", "use_moe", "norm_expert_weight", "use_moe_router_bias",
                          "use_head_wise_attn_gate", "zero_centered"})
    reader.require_true(key);
  for (const char* key : {"sink", "use_bidirectional_attention"})
    if (reader.has(key)) reader.require_false(key);
  if (reader.has("gating") && reader.at("gating") != true && reader.at("gating") != "per-head")
    reader.fail("gating", "true or \"per-head\"", reader.at("gating"), ErrorKind::unsupported);
  if (reader.has("moe_router_activation"))
    static_cast<void>(reader.choice<bool>("moe_router_activation", {{"sigmoid", true}}));
  if (reader.has("att_impl_type")) static_cast<void>(reader.choice<bool>("att_impl_type", {{"GQA", true}}));
  if (reader.has("use_rope_layers") && !reader.at("use_rope_layers").empty())
    reader.fail("use_rope_layers", "an empty list", reader.at("use_rope_layers"), ErrorKind::unsupported);
  reader.require_integer("moe_every_n_layer", 1);
  reader.require_integer("moe_layer_offset", 0);
  reader.ignore({"need_fp32_gate", "max_seq_len", "mtp_layer_types", "mtp_mlp_layer_types"});
}

}  // namespace hf

/// Builder of "model_type": "step3p5". Throws ConfigError, WeightError.
[[nodiscard]] inline ModelParts build_step3p5(const BuildContext& given, const WeightScope& weights) {
  HfConfigReader sizes(given, kStep35Defaults);
  const std::size_t layers = sizes.integer("num_hidden_layers", 1, config_limits::kLayers);
  const std::size_t drafts = hf::read_draft_layers(sizes);
  const auto with = [&](const Json& config) {
    return BuildContext{config,         given.source_name, given.routers,    given.router_decorator,
                        given.chunking, given.notes,       given.config_path};
  };
  const Json trimmed = hf::without_draft_entries(given.config, layers, drafts);
  const BuildContext context = with(trimmed);
  HfConfigReader reader(context, kStep35Defaults);
  const HfConfig config = reader.sizes();
  static_cast<void>(hf::read_draft_layers(reader));
  static_cast<void>(
      reader.choice<bool>("hidden_act", {{"silu", true}, {"swish", true}, {"swigluoai", true}}));  // all mean silu
  const std::size_t hidden = config.hidden_size;
  HfConfigReader::Heads heads;
  heads.num_attention_heads = reader.integer("num_attention_heads", 1, config_limits::kHeads);
  const std::string_view kv_heads = reader.first_present({"num_key_value_heads", "num_attention_groups"});
  heads.num_key_value_heads = reader.integer(kv_heads, 1, heads.num_attention_heads);
  if (heads.num_attention_heads % heads.num_key_value_heads != 0)
    reader.fail(kv_heads, "a divisor of num_attention_heads = " + std::to_string(heads.num_attention_heads),
                heads.num_key_value_heads);
  heads.head_dim = reader.integer("head_dim", 2, config_limits::kHeadDim);
  GroupedQueryOptions attention{.qk_norm = GroupedQueryOptions::Norm::per_head,
                                .norm_epsilon = config.rms_norm_eps,
                                .norm_stored = RmsNorm::Stored::gain_minus_one};
  attention.output_gate = OutputGateOptions{.name = "g_proj"};
  if (reader.boolean("attention_bias")) attention.qkv_bias = attention.o_bias = Linear::Bias::yes;
  if (reader.has("query_pre_attn_scalar"))
    attention.scale = static_cast<float>(1.0 / std::sqrt(reader.number("query_pre_attn_scalar", 1e-6, 1e6)));
  const hf::Windows windows = hf::windows_by_layer(reader, hf::read_window(reader), std::vector<bool>(layers));
  const std::vector<std::size_t> head_counts = hf::read_step_heads(reader, heads, windows.slides);
  const Json ropes = {{"rope_parameters", hf::step_rope_parameters(reader, windows.slides)}};
  HfConfigReader rope_reader(with(ropes), "{}");
  const RopeContext rope{heads.head_dim, config.max_position_embeddings, heads.head_dim};
  const hf::RotaryByType rotary = hf::read_rotary_by_type(rope_reader, windows, rope, rope);

  const std::vector<bool> sparse = hf::read_step_sparse_layers(reader, layers);
  const std::size_t ffn = reader.integer("intermediate_size", 1, config_limits::kIntermediateSize);
  const std::size_t expert_ffn = reader.integer("moe_intermediate_size", 1, config_limits::kIntermediateSize);
  const std::size_t shared_ffn = reader.integer(reader.first_present({"share_expert_dim", "share_expert_dims"}), 1,
                                                config_limits::kIntermediateSize);
  const std::size_t experts =
      reader.integer(reader.first_present({"n_routed_experts", "moe_num_experts", "num_local_experts", "num_experts"}),
                     1, config_limits::kWidth);
  const std::size_t k = reader.integer(reader.first_present({"num_experts_per_tok", "moe_top_k"}), 1, experts);
  const CombineWeights combine{
      .normalize = true, .routed_scale = static_cast<float>(reader.number("moe_router_scaling_factor", 0.0, 1e6))};
  const Linear::Bias mlp_bias = reader.boolean("mlp_bias") ? Linear::Bias::yes : Linear::Bias::no;
  const std::vector<GatedActivation> routed_limits = hf::read_limits(reader, "swiglu_limits", layers);
  const std::vector<GatedActivation> shared_limits = hf::read_limits(reader, "swiglu_limits_shared", layers);
  hf::require_step_options(reader);
  reader.reject_unknown_keys();
  hf::ignore_draft_layers(hf::text_part(weights).model, layers, drafts);

  std::string summary = "grouped-query attention, q/k norm, output gate" + hf::window_of(windows) + "; " +
                        hf::count_of_experts(k, experts) + ", sigmoid, 1 shared";
  const auto make_layer = [&](const WeightScope& scope, std::size_t layer) {
    HfConfigReader::Heads own = heads;
    own.num_attention_heads = head_counts[layer];
    auto self =
        hf::grouped_query(context, scope, hidden, own, rotary.of(windows.slides[layer]), windows.of(layer), attention);
    const WeightScope mlp = scope / "mlp";
    if (!sparse[layer])
      return hf::DecoderLayer{std::move(self),
                              std::make_unique<DenseFeedForward>(
                                  hf::gated_mlp(mlp.as(TensorRole::mlp), hidden, ffn, mlp_bias, shared_limits[layer]))};
    const bool published = (scope / "moe").contains("gate.weight");
    const WeightScope gate = (published ? scope / "moe" / "gate" : mlp / "gate").as(TensorRole::router);
    const WeightScope bias = published ? (scope / "moe").as(TensorRole::router) : gate;
    auto router = std::make_unique<LinearRouter>(
        Linear(gate, hidden, experts), RouterScore::sigmoid, TopKOptions{.k = k, .threshold = {}}, combine,
        std::nullopt, hf::read_balance_bias(bias, published ? "router_bias" : "e_score_correction_bias", experts));
    const WeightScope shared = published ? scope / "share_expert" : mlp / "shared_experts";
    return hf::DecoderLayer{
        std::move(self), hf::moe_layer(context, layer, std::move(router),
                                       hf::read_step_experts(scope, experts, hidden, expert_ffn, routed_limits[layer]),
                                       hf::gated_mlp(shared.as(TensorRole::shared_experts), hidden, shared_ffn,
                                                     mlp_bias, shared_limits[layer]))};
  };
  return hf::build_decoder(config, std::move(summary), weights, make_layer,
                           {.norm_stored = RmsNorm::Stored::gain_minus_one});
}

/// Builder of "model_type": "step3p7", whose text part is one of these. Throws ConfigError, WeightError.
[[nodiscard]] inline ModelParts build_step3p7(const BuildContext& context, const WeightScope& weights) {
  return hf::build_text_part(context, weights, build_step3p5);
}

}  // namespace trine::inline TRINE_ABI
