// SPDX-License-Identifier: Apache-2.0
// Hy3 of Tencent's Hunyuan: grouped-query attention with a norm of each head, experts chosen by a sigmoid with a
// balance bias, shared experts. Hunyuan-A13B: a softmax, and the norm after the rotation. References: transformers,
// models/hy_v3 and models/hunyuan_v1_moe.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <trine/model/architectures/hf_layer_lists.hpp>
#include <trine/model/architectures/hf_moe.hpp>

namespace trine::inline TRINE_ABI {

/// Defaults of absent keys: HYV3Config of transformers.
inline constexpr std::string_view kHyV3Defaults = R"({
    "vocab_size": 120832, "hidden_size": 4096, "intermediate_size": 13312, "moe_intermediate_size": 1536,
    "num_hidden_layers": 80, "num_attention_heads": 64, "num_key_value_heads": 8, "head_dim": 128,
    "hidden_act": "silu", "max_position_embeddings": 131072, "rms_norm_eps": 1e-5, "tie_word_embeddings": false,
    "rope_theta": 11158840.0, "attention_bias": false, "mlp_bias": false, "mlp_layer_types": null,
    "num_experts": 192, "num_experts_per_tok": 8, "num_shared_experts": 1, "router_scaling_factor": 2.826,
    "enable_moe_fp32_combine": true})";

/// Builder of "model_type": "hy_v3". Throws ConfigError, WeightError.
[[nodiscard]] inline ModelParts build_hy_v3(const BuildContext& context, const WeightScope& weights) {
  HfConfigReader reader(context, kHyV3Defaults);
  const HfConfig config = reader.common();
  hf::MoeDecoder parts{.heads = reader.heads(config.hidden_size)};
  parts.attention = {.qk_norm = GroupedQueryOptions::Norm::per_head, .norm_epsilon = config.rms_norm_eps};
  if (reader.boolean("attention_bias")) parts.attention.qkv_bias = parts.attention.o_bias = Linear::Bias::yes;
  hf::MoeConfig& moe = parts.moe;
  moe.is_dense = hf::read_mlp_layers(reader, config.num_hidden_layers);
  moe.intermediate_size = reader.integer("intermediate_size", 1, config_limits::kIntermediateSize);
  moe.moe_intermediate_size = reader.integer("moe_intermediate_size", 1, config_limits::kIntermediateSize);
  moe.num_experts =
      reader.integer(reader.first_present({"num_experts", "num_local_experts"}), 1, config_limits::kWidth);
  moe.num_experts_per_tok = reader.integer("num_experts_per_tok", 1, moe.num_experts);
  moe.num_shared_experts = reader.integer("num_shared_experts", 1, 1024);  // transformers reads 0 as something else
  moe.combine.routed_scale = static_cast<float>(reader.number("router_scaling_factor", 0.0, 1e6));
  if (reader.boolean("mlp_bias")) moe.mlp_bias = Linear::Bias::yes;
  for (const std::string_view key :
       {"route_norm", "qk_norm", "moe_router_use_sigmoid", "moe_router_enable_expert_bias"})
    reader.require_true(key);
  static_cast<void>(reader.boolean("enable_moe_fp32_combine"));            // all of it is f32 here
  reader.require_integer("expert_hidden_dim", moe.moe_intermediate_size);  // Tencent's name for the same
  reader.ignore({"enable_lm_head_fp32", "enable_attention_fp32_softmax"});
  parts.windows = hf::without_windows(reader, config.num_hidden_layers);
  parts.rotary = hf::read_rotary(reader, config, parts.heads.head_dim, parts.rotation);
  const std::size_t drafts = hf::read_draft_layers(reader);
  reader.reject_unknown_keys();
  weights.add_synonyms({{"router.gate", "gate"}, {"shared_mlp", "shared_experts"}});
  const bool published = hf::first_mixture(weights, moe).contains("mlp.router.gate.weight");
  parts.names = published
                    ? hf::MoeNames{.gate = "router.gate", .balance_bias = "expert_bias", .shared_experts = "shared_mlp"}
                    : hf::MoeNames{.balance_bias = "e_score_correction_bias"};
  hf::ignore_draft_layers(weights / "model", config.num_hidden_layers, drafts);
  return hf::build_moe_decoder(context, config, weights, parts);
}

namespace hf {

/// "moe_topk", a number or one for each layer. Throws ConfigError.
[[nodiscard]] inline std::vector<std::size_t> read_moe_topk(HfConfigReader& reader, std::size_t layers,
                                                            std::size_t experts) {
  const std::string_view key = reader.first_present({"moe_topk", "num_experts_per_tok"});
  if (reader.at(key).is_array()) return *read_integers(reader, key, layers, 1, experts);
  return std::vector<std::size_t>(layers, reader.integer(key, 1, experts));
}

}  // namespace hf

/// Defaults of absent keys: HunYuanMoEV1Config of transformers.
inline constexpr std::string_view kHunyuanV1MoeDefaults = R"({
    "vocab_size": 290943, "hidden_size": 4096, "intermediate_size": 11008, "num_hidden_layers": 32,
    "num_attention_heads": 32, "num_key_value_heads": null, "head_dim": null, "hidden_act": "silu",
    "max_position_embeddings": 2048, "rms_norm_eps": 1e-5, "tie_word_embeddings": false, "rope_theta": 1e4,
    "attention_bias": false, "num_experts": 1, "moe_topk": 1})";

/// Builder of "model_type": "hunyuan_v1_moe". Throws ConfigError, WeightError.
[[nodiscard]] inline ModelParts build_hunyuan_v1_moe(const BuildContext& context, const WeightScope& weights) {
  HfConfigReader reader(context, kHunyuanV1MoeDefaults);
  const HfConfig config = reader.common();
  const std::size_t hidden = config.hidden_size;
  const std::size_t layers = config.num_hidden_layers;
  if (!reader.has("head_dim")) reader.fail("head_dim", "an even integer", reader.at("head_dim"));
  const HfConfigReader::Heads heads = reader.heads(hidden);
  GroupedQueryOptions attention{.qk_norm = GroupedQueryOptions::Norm::per_head_after_rotation,
                                .norm_epsilon = config.rms_norm_eps};
  attention.names.query_norm = "query_layernorm";
  attention.names.key_norm = "key_layernorm";
  if (reader.boolean("attention_bias")) attention.qkv_bias = attention.o_bias = Linear::Bias::yes;
  const auto rotary = hf::read_rotary(reader, config, heads.head_dim, {.has_alpha = true});
  const hf::Windows windows = hf::without_windows(reader, layers);
  const std::size_t ffn = reader.integer("intermediate_size", 1, config_limits::kIntermediateSize);
  const std::size_t experts =
      reader.integer(reader.first_present({"num_experts", "num_local_experts"}), 1, config_limits::kWidth);
  const std::vector<std::size_t> topk = hf::read_moe_topk(reader, layers, experts);
  // Of the published code, with the values that transformers takes for granted.
  for (const char* key : {"use_qk_norm", "use_mixed_mlp_moe", "use_rotary_pos_emb", "norm_topk_prob"})
    reader.require_true(key);
  for (const char* key : {"use_cla", "mlp_bias", "position_embedding_xdrope", "group_limited_greedy", "use_mla"})
    if (reader.has(key)) reader.require_false(key);
  reader.require_integer("attention_head_dim", heads.head_dim);
  reader.require_integer("moe_layer_num_skipped", 0);
  for (const auto& [key, value] :
       {std::pair{"moe_intermediate_size", ffn}, std::pair{"num_shared_expert", std::size_t{1}}}) {
    if (reader.has(key) && reader.at(key).is_array()) {
      static_cast<void>(hf::read_integers(reader, key, layers, value, value));
    } else {
      reader.require_integer(key, value);
    }
  }
  reader.ignore({"add_classification_head",
                 "class_num",
                 "cla_share_factor",
                 "dense_list",
                 "mask_init_id",
                 "norm_type",
                 "org_vocab_size",
                 "pool_type",
                 "skip_cls_token",
                 "moe_drop_tokens",
                 "moe_random_routing_dropped_token",
                 "capacity_factor",
                 "kv_lora_rank",
                 "q_lora_rank",
                 "qk_nope_head_dim",
                 "qk_rope_head_dim",
                 "v_head_dim",
                 "n_group",
                 "topk_group",
                 "routed_scaling_factor"});
  reader.reject_unknown_keys();

  std::string summary =
      "grouped-query attention, q/k norm; " + hf::count_of_experts(topk.front(), experts) + ", softmax top-k, 1 shared";
  return hf::build_decoder(config, std::move(summary), weights, [&](const WeightScope& scope, std::size_t layer) {
    const WeightScope mlp = scope / "mlp";
    auto router = std::make_unique<LinearRouter>(Linear((mlp / "gate" / "wg").as(TensorRole::router), hidden, experts),
                                                 RouterScore::softmax, TopKOptions{.k = topk[layer], .threshold = {}},
                                                 CombineWeights{.normalize = true});
    return hf::DecoderLayer{
        hf::grouped_query(context, scope, hidden, heads, rotary, windows.of(layer), attention),
        hf::moe_layer(context, layer, std::move(router), hf::read_experts(mlp / "experts", experts, hidden, ffn),
                      GatedMlp((mlp / "shared_mlp").as(TensorRole::shared_experts), hidden, ffn))};
  });
}

}  // namespace trine::inline TRINE_ABI
