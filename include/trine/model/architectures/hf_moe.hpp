// SPDX-License-Identifier: Apache-2.0
// The feed-forward layers of DeepSeek-V3 (arXiv:2412.19437), which many families took over: some layers are dense, the
// others mix experts that a router with a balance bias chooses, perhaps among groups, and shared experts.
#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <trine/model/architectures/hf_decoder.hpp>

namespace trine::inline TRINE_ABI::hf {

/// Sizes and rules of the feed-forward layers.
struct MoeConfig {
  std::size_t intermediate_size = 0;      // of dense layers
  std::size_t moe_intermediate_size = 0;  // of an expert
  std::size_t num_experts = 0;
  std::size_t num_experts_per_tok = 0;
  std::size_t num_shared_experts = 0;  // one MLP of as many times the width
  RouterScore score = RouterScore::sigmoid;
  std::optional<GroupLimit> groups;
  CombineWeights combine;
  Linear::Bias mlp_bias = Linear::Bias::no;  // of dense layers and shared experts
  std::vector<bool> is_dense;                // [layers]
};

/// Where the parts of a mixture lie below its layer.
struct MoeNames {
  std::string_view dense = "mlp";  // of layers without a mixture
  std::string_view block = "mlp";
  std::string_view gate = "gate";
  std::string_view balance_bias = "gate.e_score_correction_bias";  // if present; empty: none
  bool bias_is_row = false;                                        // [1, experts]
  std::string_view shared_experts = "shared_experts";
  ExpertNames experts = {};
};

/// Keys of DeepSeek: sizes and experts, without groups.   is_dense: [layers]. Throws ConfigError.
[[nodiscard]] inline MoeConfig read_moe(HfConfigReader& reader, std::vector<bool> is_dense) {
  MoeConfig config;
  if (std::ranges::count(is_dense, true) > 0)
    config.intermediate_size = reader.integer("intermediate_size", 1, config_limits::kIntermediateSize);
  reader.ignore({"intermediate_size"});
  config.is_dense = std::move(is_dense);
  config.moe_intermediate_size = reader.integer("moe_intermediate_size", 1, config_limits::kIntermediateSize);
  std::string_view experts = reader.first_present({"n_routed_experts", "num_local_experts", "num_experts"});
  if (!reader.has(experts) && reader.has("num_experts")) experts = "num_experts";  // the default may have this name
  config.num_experts = reader.integer(experts, 1, config_limits::kWidth);
  config.num_shared_experts = reader.integer_or("n_shared_experts", 0, 1024, 0);
  config.num_experts_per_tok = reader.integer("num_experts_per_tok", 1, config.num_experts);
  config.combine.routed_scale = static_cast<float>(reader.number("routed_scaling_factor", 0.0, 1e6));
  reader.require_integer("moe_layer_freq", 1);
  return config;
}

/// "n_group" and "topk_group"; nullopt for a single group. Throws ConfigError.
[[nodiscard]] inline std::optional<GroupLimit> read_groups(HfConfigReader& reader, const MoeConfig& config,
                                                           std::size_t best_of) {
  GroupLimit groups{.n_group = reader.integer("n_group", 1, config.num_experts), .best_of = best_of};
  if (config.num_experts % groups.n_group != 0) {
    reader.fail("n_group", "a divisor of n_routed_experts = " + std::to_string(config.num_experts),
                reader.at("n_group"));
  }
  groups.topk_group = reader.integer("topk_group", 1, groups.n_group);
  const std::size_t eligible = config.num_experts / groups.n_group * groups.topk_group;
  if (config.num_experts_per_tok > eligible) {
    reader.fail(
        "num_experts_per_tok",
        "at most the " + std::to_string(eligible) + " experts of " + std::to_string(groups.topk_group) + " groups",
        reader.at("num_experts_per_tok"));
  }
  return groups.n_group == 1 ? std::nullopt : std::optional(groups);
}

/// The same with the router of DeepSeek-V3: sigmoid, and the best two of a group rank it. Throws ConfigError.
[[nodiscard]] inline MoeConfig read_v3_moe(HfConfigReader& reader, std::vector<bool> is_dense) {
  MoeConfig config = read_moe(reader, std::move(is_dense));
  config.groups = read_groups(reader, config, 2);
  config.combine.normalize = reader.boolean("norm_topk_prob");
  if (reader.has("scoring_func")) static_cast<void>(reader.choice<bool>("scoring_func", {{"sigmoid", true}}));
  if (reader.has("topk_method")) static_cast<void>(reader.choice<bool>("topk_method", {{"noaux_tc", true}}));
  return config;
}

/// "first_k_dense_replace": the first layers are dense. Throws ConfigError.
[[nodiscard]] inline std::vector<bool> read_first_dense(HfConfigReader& reader, std::size_t layers) {
  const std::size_t first = reader.integer("first_k_dense_replace", 0, config_limits::kLayers);
  std::vector<bool> is_dense(layers);
  for (std::size_t layer = 0; layer < std::min(first, layers); ++layer) is_dense[layer] = true;
  return is_dense;
}

/// "mlp_layer_types": which layers are dense; `otherwise` if the key is null or absent. Throws ConfigError.
[[nodiscard]] inline std::vector<bool> read_mlp_layer_types(HfConfigReader& reader, std::vector<bool> otherwise) {
  constexpr std::string_view kKey = "mlp_layer_types";
  if (!reader.has(kKey)) return otherwise;
  const Json& list = reader.at(kKey);
  if (!list.is_array() || list.size() != otherwise.size())
    reader.fail(kKey, "a list of " + std::to_string(otherwise.size()) + " names", list);
  for (std::size_t layer = 0; layer < otherwise.size(); ++layer) {
    if (list[layer] != "dense" && list[layer] != "sparse")
      reader.fail(kKey, "dense or sparse", list[layer], ErrorKind::unsupported);
    otherwise[layer] = list[layer] == "dense";
  }
  return otherwise;
}

/// The same for families without another key: the first layer is dense if it is null. Throws ConfigError, also for a
/// first_k_dense_replace that disagrees, which transformers does not read in these families, but other software does.
[[nodiscard]] inline std::vector<bool> read_mlp_layers(HfConfigReader& reader, std::size_t layers) {
  std::vector<bool> is_dense(layers);
  is_dense.front() = true;
  is_dense = read_mlp_layer_types(reader, std::move(is_dense));
  if (reader.is_given("first_k_dense_replace") && read_first_dense(reader, layers) != is_dense)
    reader.fail("first_k_dense_replace", "expected the dense layers of mlp_layer_types (without it, the first layer)",
                ErrorKind::unsupported);
  return is_dense;
}

/// The number of layers for multi-token prediction. Throws ConfigError.
[[nodiscard]] inline std::size_t read_draft_layers(HfConfigReader& reader) {
  return reader.integer_or(reader.first_present({"num_nextn_predict_layers", "num_mtp_layers"}), 0, 1024, 0);
}

/// Layers for multi-token prediction follow the others. They only draft tokens and are not used. There are at least
/// `count`, plus any others whose projection exists. Their tensors are named as in the last layer, and as those outside
/// of layers.
inline void ignore_draft_layers(const WeightScope& model, std::size_t first, std::size_t count) {
  const WeightScope layers = model / "layers";
  for (std::size_t i = 0; i < count || (layers / (first + i)).contains("eh_proj.weight"); ++i)
    layers.ignore_like(std::to_string(first + i), {layers / (first - 1), model},
                       "a layer for multi-token prediction; the model answers without it");
}

/// "8 of 256 experts, sigmoid limited to 4 of 8 groups, 1 shared": for the summary of a model.
[[nodiscard]] inline std::string summary_of(const MoeConfig& config) {
  return count_of_experts(config.num_experts_per_tok, config.num_experts) + ", " +
         (config.score == RouterScore::sigmoid ? "sigmoid" : "softmax") +
         (config.groups ? " limited to " + std::to_string(config.groups->topk_group) + " of " +
                              std::to_string(config.groups->n_group) + " groups"
                        : "") +
         (config.num_shared_experts > 0 ? ", " + std::to_string(config.num_shared_experts) + " shared" : "");
}

/// The first layer with a mixture, for the names that it has; the first layer if there is none.
[[nodiscard]] inline WeightScope first_mixture(const WeightScope& weights, const MoeConfig& config) {
  const auto found = std::ranges::find(config.is_dense, false);
  const bool none = found == config.is_dense.end();
  return weights / "model" / "layers" / (none ? 0 : static_cast<std::size_t>(found - config.is_dense.begin()));
}

/// The feed-forward part of layer number `layer`, whose weights are below `scope`. Throws WeightError.
[[nodiscard]] inline std::unique_ptr<const FeedForward> feed_forward(const BuildContext& context,
                                                                     const WeightScope& scope, std::size_t layer,
                                                                     std::size_t hidden, const MoeConfig& config,
                                                                     const MoeNames& names = {}) {
  if (config.is_dense[layer])
    return std::make_unique<DenseFeedForward>(
        gated_mlp((scope / names.dense).as(TensorRole::mlp), hidden, config.intermediate_size, config.mlp_bias));
  const WeightScope block = scope / names.block;
  std::optional<Tensor<float, 1>> bias;
  if (!names.balance_bias.empty() && block.contains(names.balance_bias))
    bias = read_balance_bias(block, names.balance_bias, config.num_experts, names.bias_is_row);
  auto router = std::make_unique<LinearRouter>(
      Linear((block / names.gate).as(TensorRole::router), hidden, config.num_experts), config.score,
      TopKOptions{.k = config.num_experts_per_tok, .threshold = {}}, config.combine, config.groups, std::move(bias));
  std::optional<SharedExperts> shared;
  if (config.num_shared_experts > 0)
    shared = gated_mlp((block / names.shared_experts).as(TensorRole::shared_experts), hidden,
                       config.num_shared_experts * config.moe_intermediate_size, config.mlp_bias);
  return moe_layer(
      context, layer, std::move(router),
      read_experts(block / "experts", config.num_experts, hidden, config.moe_intermediate_size, names.experts),
      std::move(shared));
}

/// A decoder of grouped-query attention and these feed-forward layers.
struct MoeDecoder {
  HfConfigReader::Heads heads;
  HeadRotation rotation = {};
  std::shared_ptr<const Rotary> rotary = {};
  GroupedQueryOptions attention = {};
  Windows windows = {};
  bool full_layers_rotate = true;
  MoeConfig moe = {};
  MoeNames names = {};
  DecoderOptions options = {};
};

[[nodiscard]] inline ModelParts build_moe_decoder(const BuildContext& context, const HfConfig& config,
                                                  const WeightScope& weights, const MoeDecoder& parts) {
  const bool has_norm = parts.attention.qk_norm != GroupedQueryOptions::Norm::none;
  std::string summary = std::string("grouped-query attention") + (has_norm ? ", q/k norm" : "") +
                        window_of(parts.windows) + "; " + summary_of(parts.moe);
  const auto make_layer = [&](const WeightScope& scope, std::size_t layer) {
    const bool rotates = parts.full_layers_rotate || parts.windows.slides[layer];
    return DecoderLayer{grouped_query(context, scope, config.hidden_size, parts.heads, rotates ? parts.rotary : nullptr,
                                      parts.windows.of(layer), parts.attention, parts.rotation.pairs),
                        feed_forward(context, scope, layer, config.hidden_size, parts.moe, parts.names)};
  };
  return build_decoder(config, std::move(summary), weights, make_layer, parts.options);
}

}  // namespace trine::inline TRINE_ABI::hf
