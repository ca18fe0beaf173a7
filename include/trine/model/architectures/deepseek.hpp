// SPDX-License-Identifier: Apache-2.0
// DeepSeek-V2 (arXiv:2405.04434) and DeepSeek-V3 (arXiv:2412.19437), with R1 and Kimi K2 (arXiv:2507.20534): multi-head
// latent attention, dense first layers, shared experts, group-limited routing. References: transformers,
// models/deepseek_v2 and models/deepseek_v3; DeepSeek's own inference code.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <trine/attention/multi_head_latent_attention.hpp>
#include <trine/model/architectures/hf_decoder.hpp>

namespace trine::inline TRINE_ABI {

namespace hf {

/// The common options of both generations.
struct DeepseekConfig {
  MlaOptions attention;
  std::shared_ptr<const Rotary> rotary;
  std::size_t intermediate_size = 0;  // of dense layers
  std::size_t moe_intermediate_size = 0;
  std::size_t first_k_dense_replace = 0;
  std::size_t n_routed_experts = 0;
  std::size_t n_shared_experts = 0;
  std::size_t num_experts_per_tok = 0;
  std::optional<GroupLimit> groups;
  CombineWeights combine;
};

[[nodiscard]] inline DeepseekConfig parse_deepseek(HfConfigReader& reader, const HfConfig& common,
                                                   const BuildContext& context, RotaryPairs pairs) {
  DeepseekConfig config;
  MlaOptions& attention = config.attention;
  attention.hidden_size = common.hidden_size;
  attention.num_heads = reader.integer("num_attention_heads", 1, config_limits::kHeads);
  reader.require_integer("num_key_value_heads", attention.num_heads);  // unused here
  if (reader.has("q_lora_rank")) attention.q_lora_rank = reader.integer("q_lora_rank", 1, config_limits::kWidth);
  attention.kv_lora_rank = reader.integer("kv_lora_rank", 1, config_limits::kWidth);
  attention.qk_nope_head_dim = reader.integer("qk_nope_head_dim", 1, config_limits::kHeadDim);
  attention.qk_rope_head_dim = reader.integer("qk_rope_head_dim", 2, config_limits::kHeadDim);
  if (attention.qk_rope_head_dim % 2 != 0)
    reader.fail("qk_rope_head_dim", "expected an even number, found " + std::to_string(attention.qk_rope_head_dim));
  attention.v_head_dim = reader.integer("v_head_dim", 1, config_limits::kHeadDim);
  attention.attention_bias = reader.boolean("attention_bias");
  attention.chunking = context.chunking;
  reader.ignore({"head_dim", "qk_head_dim"});  // transformers 5 writes these derived values
  const RopeOptions rope = read_rope(
      reader, {.head_dim = attention.qk_rope_head_dim, .max_position_embeddings = common.max_position_embeddings},
      reader.notes());
  config.rotary = std::make_shared<const Rotary>(rope_frequencies(rope), pairs, attention.qk_rope_head_dim,
                                                 common.max_position_embeddings);
  const auto width = static_cast<double>(attention.qk_nope_head_dim + attention.qk_rope_head_dim);
  attention.softmax_scale = static_cast<float>(latent_softmax_correction(rope) / std::sqrt(width));

  config.intermediate_size = reader.integer("intermediate_size", 1, config_limits::kIntermediateSize);
  config.moe_intermediate_size = reader.integer("moe_intermediate_size", 1, config_limits::kIntermediateSize);
  config.first_k_dense_replace = reader.integer("first_k_dense_replace", 0, config_limits::kLayers);
  const std::string_view experts = reader.first_present({"n_routed_experts", "num_local_experts", "num_experts"});
  config.n_routed_experts = reader.integer(experts, 1, config_limits::kWidth);
  config.n_shared_experts = reader.integer_or("n_shared_experts", 0, 1024, 0);
  config.num_experts_per_tok = reader.integer("num_experts_per_tok", 1, config.n_routed_experts);
  config.combine.routed_scale = static_cast<float>(reader.number("routed_scaling_factor", 0.0, 1e6));
  reader.require_integer("moe_layer_freq", 1);
  static_cast<void>(without_windows(reader, common.num_hidden_layers));
  return config;
}

/// "n_group" and "topk_group"; nullopt for a single group.
[[nodiscard]] inline std::optional<GroupLimit> read_groups(HfConfigReader& reader, const DeepseekConfig& config,
                                                           std::size_t best_of) {
  GroupLimit groups{.n_group = reader.integer("n_group", 1, config.n_routed_experts), .best_of = best_of};
  if (config.n_routed_experts % groups.n_group != 0) {
    reader.fail("n_group", "a divisor of n_routed_experts = " + std::to_string(config.n_routed_experts),
                reader.at("n_group"));
  }
  groups.topk_group = reader.integer("topk_group", 1, groups.n_group);
  const std::size_t eligible = config.n_routed_experts / groups.n_group * groups.topk_group;
  if (config.num_experts_per_tok > eligible) {
    reader.fail(
        "num_experts_per_tok",
        "at most the " + std::to_string(eligible) + " experts of " + std::to_string(groups.topk_group) + " groups",
        reader.at("num_experts_per_tok"));
  }
  return groups.n_group == 1 ? std::nullopt : std::optional(groups);
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

[[nodiscard]] inline ModelParts build_deepseek(const BuildContext& context, const HfConfig& common,
                                               const DeepseekConfig& config, RouterScore score,
                                               const WeightScope& weights) {
  const std::size_t hidden = common.hidden_size;
  const std::size_t experts = config.n_routed_experts;
  std::string summary = "multi-head latent attention; " + count_of_experts(config.num_experts_per_tok, experts) + ", " +
                        (score == RouterScore::sigmoid ? "sigmoid" : "softmax") +
                        (config.groups ? " limited to " + std::to_string(config.groups->topk_group) + " of " +
                                             std::to_string(config.groups->n_group) + " groups"
                                       : "") +
                        (config.n_shared_experts > 0 ? ", " + std::to_string(config.n_shared_experts) + " shared" : "");
  return build_decoder(common, std::move(summary), weights, [&](const WeightScope& scope, std::size_t layer) {
    auto attention = std::make_unique<MultiHeadLatentAttention>((scope / "self_attn").as(TensorRole::attention),
                                                                config.attention, config.rotary);
    const WeightScope mlp = scope / "mlp";
    if (layer < config.first_k_dense_replace)
      return DecoderLayer{std::move(attention), std::make_unique<DenseFeedForward>(mlp.as(TensorRole::mlp), hidden,
                                                                                   config.intermediate_size)};
    const WeightScope gate = (mlp / "gate").as(TensorRole::router);
    std::optional<Tensor<float, 1>> bias;
    if (score == RouterScore::sigmoid && gate.contains("e_score_correction_bias"))
      bias = read_balance_bias(gate, "e_score_correction_bias", experts);
    auto router = std::make_unique<LinearRouter>(Linear(gate, hidden, experts), score,
                                                 TopKOptions{.k = config.num_experts_per_tok, .threshold = {}},
                                                 config.combine, config.groups, std::move(bias));
    std::optional<SharedExperts> shared;
    if (config.n_shared_experts > 0)
      shared = GatedMlp((mlp / "shared_experts").as(TensorRole::shared_experts), hidden,
                        config.n_shared_experts * config.moe_intermediate_size);
    return DecoderLayer{
        std::move(attention),
        moe_layer(context, layer, std::move(router),
                  read_experts(mlp / "experts", experts, hidden, config.moe_intermediate_size), std::move(shared))};
  });
}

}  // namespace hf

/// Defaults of absent keys: DeepseekV3Config of transformers, from which that of Kimi K2 derives.
inline constexpr std::string_view kDeepseekV3Defaults = R"({
    "vocab_size": 129280, "hidden_size": 7168, "intermediate_size": 18432, "moe_intermediate_size": 2048,
    "num_hidden_layers": 61, "num_attention_heads": 128, "hidden_act": "silu", "max_position_embeddings": 4096,
    "rms_norm_eps": 1e-6, "tie_word_embeddings": false, "rope_theta": 1e4, "rope_interleave": true,
    "attention_bias": false, "q_lora_rank": 1536, "kv_lora_rank": 512, "qk_nope_head_dim": 128,
    "qk_rope_head_dim": 64, "v_head_dim": 128, "first_k_dense_replace": 3, "n_routed_experts": 256,
    "n_shared_experts": 1, "num_experts_per_tok": 8, "n_group": 8, "topk_group": 4, "norm_topk_prob": true,
    "routed_scaling_factor": 2.5, "num_nextn_predict_layers": 1})";

/// Builder of "model_type": "deepseek_v3" and "kimi_k2". Throws ConfigError, WeightError.
[[nodiscard]] inline ModelParts build_deepseek_v3(const BuildContext& context, const WeightScope& weights) {
  HfConfigReader reader(context, kDeepseekV3Defaults);
  const HfConfig common = reader.common();
  const RotaryPairs pairs = reader.boolean("rope_interleave") ? RotaryPairs::interleaved : RotaryPairs::half_split;
  hf::DeepseekConfig config = hf::parse_deepseek(reader, common, context, pairs);
  config.groups = hf::read_groups(reader, config, 2);
  config.combine.normalize = reader.boolean("norm_topk_prob");
  if (reader.has("scoring_func")) static_cast<void>(reader.choice<bool>("scoring_func", {{"sigmoid", true}}));
  if (reader.has("topk_method")) static_cast<void>(reader.choice<bool>("topk_method", {{"noaux_tc", true}}));
  const std::size_t drafts =
      reader.integer_or(reader.first_present({"num_nextn_predict_layers", "num_mtp_layers"}), 0, 1024, 0);
  reader.reject_unknown_keys();
  hf::ignore_draft_layers(weights / "model", common.num_hidden_layers, drafts);
  return hf::build_deepseek(context, common, config, RouterScore::sigmoid, weights);
}

/// Defaults of absent keys: DeepseekV2Config of transformers. num_experts_per_tok is required.
inline constexpr std::string_view kDeepseekV2Defaults = R"({
    "vocab_size": 102400, "hidden_size": 4096, "intermediate_size": 11008, "moe_intermediate_size": 1407,
    "num_hidden_layers": 32, "num_attention_heads": 32, "hidden_act": "silu", "max_position_embeddings": 2048,
    "rms_norm_eps": 1e-6, "tie_word_embeddings": false, "rope_theta": 1e4, "attention_bias": false, "mlp_bias": false,
    "q_lora_rank": 1536, "kv_lora_rank": 512, "qk_nope_head_dim": 128, "qk_rope_head_dim": 64, "v_head_dim": 128,
    "first_k_dense_replace": 0, "n_routed_experts": 64, "n_shared_experts": 2, "num_experts_per_tok": null,
    "topk_method": "greedy", "n_group": null, "topk_group": null, "norm_topk_prob": false,
    "routed_scaling_factor": 1.0})";

/// Builder of "model_type": "deepseek_v2". Throws ConfigError, WeightError.
[[nodiscard]] inline ModelParts build_deepseek_v2(const BuildContext& context, const WeightScope& weights) {
  HfConfigReader reader(context, kDeepseekV2Defaults);
  const HfConfig common = reader.common();
  reader.require_true("rope_interleave");
  hf::DeepseekConfig config = hf::parse_deepseek(reader, common, context, RotaryPairs::interleaved);
  if (reader.choice<bool>("topk_method", {{"greedy", false}, {"group_limited_greedy", true}}))
    config.groups = hf::read_groups(reader, config, 1);
  reader.ignore({"n_group", "topk_group"});  // only for group_limited_greedy
  config.combine.normalize = false;
  reader.require_false("norm_topk_prob");  // DeepSeek's code and transformers disagree on its effect on the scale
  reader.require_false("mlp_bias");
  if (reader.has("scoring_func")) static_cast<void>(reader.choice<bool>("scoring_func", {{"softmax", true}}));
  reader.reject_unknown_keys();
  return hf::build_deepseek(context, common, config, RouterScore::softmax, weights);
}

}  // namespace trine::inline TRINE_ABI
