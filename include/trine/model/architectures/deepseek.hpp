// SPDX-License-Identifier: Apache-2.0
// DeepSeek-V2 (arXiv:2405.04434) and DeepSeek-V3 (arXiv:2412.19437), with R1 and Kimi K2 (arXiv:2507.20534): multi-head
// latent attention, dense first layers, shared experts, group-limited routing. References: transformers,
// models/deepseek_v2 and models/deepseek_v3; DeepSeek's own inference code.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include <trine/attention/latent.hpp>
#include <trine/model/architectures/hf_decoder.hpp>

namespace trine::inline TRINE_ABI {

namespace hf {

/// What both generations have.
struct DeepseekConfig {
  LatentAttentionOptions attention;
  std::shared_ptr<const Rotary> rotary;
  std::size_t intermediate_size = 0;  // of dense layers
  std::size_t moe_intermediate_size = 0;
  std::size_t first_k_dense_replace = 0;
  std::size_t n_routed_experts = 0;
  std::size_t n_shared_experts = 0;
  std::size_t num_experts_per_tok = 0;
  std::optional<GroupLimit> groups;
  MixingRule mixing;
};

[[nodiscard]] inline DeepseekConfig parse_deepseek(HfConfigReader& reader, const HfConfig& common,
                                                   const BuildContext& context) {
  DeepseekConfig config;
  LatentAttentionOptions& attention = config.attention;
  attention.hidden_size = common.hidden_size;
  attention.num_heads = reader.integer("num_attention_heads", 1, config_limits::kHeads);
  reader.require_integer("num_key_value_heads", attention.num_heads);  // no meaning here
  if (reader.has("q_lora_rank")) attention.q_lora_rank = reader.integer("q_lora_rank", 1, config_limits::kWidth);
  attention.kv_lora_rank = reader.integer("kv_lora_rank", 1, config_limits::kWidth);
  attention.qk_nope_head_dim = reader.integer("qk_nope_head_dim", 1, config_limits::kHeadDim);
  attention.qk_rope_head_dim = reader.integer("qk_rope_head_dim", 2, config_limits::kHeadDim);
  if (attention.qk_rope_head_dim % 2 != 0)
    reader.fail("qk_rope_head_dim", "expected an even number, found " + std::to_string(attention.qk_rope_head_dim));
  attention.v_head_dim = reader.integer("v_head_dim", 1, config_limits::kHeadDim);
  attention.attention_bias = reader.boolean_or("attention_bias", false);
  attention.chunking = context.chunking;
  reader.ignore({"head_dim", "qk_head_dim"});  // transformers 5 writes what follows from the others
  const bool interleaved = reader.boolean_or("rope_interleave", true);
  const RopeOptions rope = read_rope(
      reader, {.head_dim = attention.qk_rope_head_dim, .max_position_embeddings = common.max_position_embeddings});
  config.rotary = std::make_shared<const Rotary>(rope_frequencies(rope),
                                                 interleaved ? RotaryPairs::interleaved : RotaryPairs::half_split,
                                                 attention.qk_rope_head_dim, common.max_position_embeddings);
  const auto width = static_cast<double>(attention.qk_nope_head_dim + attention.qk_rope_head_dim);
  attention.softmax_scale = static_cast<float>(latent_softmax_correction(rope) / std::sqrt(width));

  config.intermediate_size = reader.integer("intermediate_size", 1, config_limits::kFfn);
  config.moe_intermediate_size = reader.integer("moe_intermediate_size", 1, config_limits::kFfn);
  config.first_k_dense_replace = reader.integer_or("first_k_dense_replace", 0, config_limits::kLayers, 0);
  config.n_routed_experts =
      reader.integer(reader.spelling({"n_routed_experts", "num_local_experts"}), 1, config_limits::kWidth);
  config.n_shared_experts = reader.integer_or("n_shared_experts", 0, 1024, 0);
  config.num_experts_per_tok = reader.integer("num_experts_per_tok", 1, config.n_routed_experts);
  config.mixing.routed_scale = static_cast<float>(reader.number_or("routed_scaling_factor", 0.0, 1e6, 1.0));
  reader.require_integer("moe_layer_freq", 1);
  return config;
}

/// "n_group" and "topk_group", both 1 where they are not set; nothing where there is one group.
[[nodiscard]] inline std::optional<GroupLimit> read_groups(HfConfigReader& reader, const DeepseekConfig& config,
                                                           std::size_t best_of) {
  GroupLimit groups{.n_group = reader.integer_or("n_group", 1, config.n_routed_experts, 1), .best_of = best_of};
  if (config.n_routed_experts % groups.n_group != 0) {
    reader.fail("n_group", "expected a divisor of n_routed_experts = " + std::to_string(config.n_routed_experts) +
                               ", found " + std::to_string(groups.n_group));
  }
  groups.topk_group = reader.integer_or("topk_group", 1, groups.n_group, groups.n_group);
  const std::size_t eligible = config.n_routed_experts / groups.n_group * groups.topk_group;
  if (config.num_experts_per_tok > eligible) {
    reader.fail("num_experts_per_tok", "expected at most the " + std::to_string(eligible) + " experts of " +
                                           std::to_string(groups.topk_group) + " groups, found " +
                                           std::to_string(config.num_experts_per_tok));
  }
  return groups.n_group == 1 ? std::nullopt : std::optional(groups);
}

[[nodiscard]] inline BuiltModel build_deepseek(const BuildContext& context, const HfConfig& common,
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
    auto attention = std::make_unique<LatentAttention>(scope / "self_attn", config.attention, config.rotary);
    const WeightScope mlp = scope / "mlp";
    if (layer < config.first_k_dense_replace)
      return DecoderLayer{std::move(attention),
                          std::make_unique<DenseFeedForward>(mlp, hidden, config.intermediate_size)};
    const WeightScope gate = mlp / "gate";
    std::optional<Tensor<float, 1>> bias;
    if (score == RouterScore::sigmoid && gate.contains("e_score_correction_bias"))
      bias = read_balance_bias(gate, "e_score_correction_bias", experts);
    auto router = std::make_unique<LinearRouter>(Linear(gate, hidden, experts), score,
                                                 ExpertChoice{.k = config.num_experts_per_tok, .threshold = {}},
                                                 config.mixing, config.groups, std::move(bias));
    std::optional<SharedExperts> shared;
    if (config.n_shared_experts > 0)
      shared = GatedMlp(mlp / "shared_experts", hidden, config.n_shared_experts * config.moe_intermediate_size);
    return DecoderLayer{
        std::move(attention),
        moe_layer(context, layer, std::move(router),
                  read_experts(mlp / "experts", experts, hidden, config.moe_intermediate_size), std::move(shared))};
  });
}

}  // namespace hf

/// Recipe of "model_type": "deepseek_v3" and "kimi_k2". Throws ConfigError, WeightError.
[[nodiscard]] inline BuiltModel build_deepseek_v3(const BuildContext& context, const WeightScope& weights) {
  HfConfigReader reader(context.config, context.place);
  const HfConfig common = reader.common();
  hf::DeepseekConfig config = hf::parse_deepseek(reader, common, context);
  config.groups = hf::read_groups(reader, config, 2);
  config.mixing.normalize = reader.boolean_or("norm_topk_prob", true);
  if (reader.has("scoring_func")) static_cast<void>(reader.choice<bool>("scoring_func", {{"sigmoid", true}}));
  if (reader.has("topk_method")) static_cast<void>(reader.choice<bool>("topk_method", {{"noaux_tc", true}}));
  // Layers that predict further tokens lie behind the others; they draft, and the model answers without them.
  const std::size_t drafts = reader.integer_or("num_nextn_predict_layers", 0, 1024, 0);
  reader.finish();
  for (std::size_t i = 0; i < drafts; ++i)
    (weights / "model" / "layers").ignore(std::to_string(common.num_hidden_layers + i));
  return hf::build_deepseek(context, common, config, RouterScore::sigmoid, weights);
}

/// Recipe of "model_type": "deepseek_v2". Throws ConfigError, WeightError.
[[nodiscard]] inline BuiltModel build_deepseek_v2(const BuildContext& context, const WeightScope& weights) {
  HfConfigReader reader(context.config, context.place);
  const HfConfig common = reader.common();
  hf::DeepseekConfig config = hf::parse_deepseek(reader, common, context);
  config.groups = hf::read_groups(reader, config, 1);
  const bool limited = reader.has("topk_method") &&
                       reader.choice<bool>("topk_method", {{"greedy", false}, {"group_limited_greedy", true}});
  if (!limited) config.groups.reset();
  config.mixing.normalize = false;
  reader.require_false("norm_topk_prob");  // DeepSeek's code and transformers disagree on what it does to the scale
  reader.require_false("mlp_bias");
  if (reader.has("scoring_func")) static_cast<void>(reader.choice<bool>("scoring_func", {{"softmax", true}}));
  reader.finish();
  return hf::build_deepseek(context, common, config, RouterScore::softmax, weights);
}

}  // namespace trine::inline TRINE_ABI
