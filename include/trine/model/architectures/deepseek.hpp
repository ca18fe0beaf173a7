// SPDX-License-Identifier: Apache-2.0
// DeepSeek-V2 (arXiv:2405.04434) and DeepSeek-V3 (arXiv:2412.19437), with R1 and Kimi K2 (arXiv:2507.20534): multi-head
// latent attention, dense first layers, shared experts, group-limited routing. References: transformers,
// models/deepseek_v2 and models/deepseek_v3; DeepSeek's own inference code.
#pragma once

#include <cmath>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <trine/attention/multi_head_latent_attention.hpp>
#include <trine/model/architectures/hf_moe.hpp>

namespace trine::inline TRINE_ABI {

namespace hf {

/// Options besides the feed-forward layers.
struct DeepseekConfig {
  MlaOptions attention;
  std::shared_ptr<const Rotary> rotary;
};

/// The keys of latent attention, and of the rotation of its heads.   rope_key: of the rotated width
/// is_share: partial_rotary_factor gives that width, too, as a share of the head, and the rope has a temperature.
/// Throws ConfigError.
[[nodiscard]] inline DeepseekConfig parse_deepseek(HfConfigReader& reader, const HfConfig& common,
                                                   const BuildContext& context, RotaryPairs pairs,
                                                   std::string_view rope_key = "qk_rope_head_dim",
                                                   bool is_share = false) {
  DeepseekConfig config;
  MlaOptions& attention = config.attention;
  attention.hidden_size = common.hidden_size;
  attention.num_heads = reader.integer("num_attention_heads", 1, config_limits::kHeads);
  reader.require_integer("num_key_value_heads", attention.num_heads);  // unused here
  if (reader.has("q_lora_rank")) attention.q_lora_rank = reader.integer("q_lora_rank", 1, config_limits::kWidth);
  attention.kv_lora_rank = reader.integer("kv_lora_rank", 1, config_limits::kWidth);
  attention.qk_nope_head_dim = reader.integer("qk_nope_head_dim", 1, config_limits::kHeadDim);
  attention.qk_rope_head_dim = reader.integer(rope_key, 2, config_limits::kHeadDim);
  if (attention.qk_rope_head_dim % 2 != 0)
    reader.fail(rope_key, "expected an even number, found " + std::to_string(attention.qk_rope_head_dim));
  attention.v_head_dim = reader.integer("v_head_dim", 1, config_limits::kHeadDim);
  attention.attention_bias = reader.boolean("attention_bias");
  attention.chunking = context.chunking;
  reader.ignore({"head_dim", "qk_head_dim"});  // transformers 5 writes these derived values
  const std::size_t head_dim = attention.qk_nope_head_dim + attention.qk_rope_head_dim;
  RopeContext rotated{.head_dim = attention.qk_rope_head_dim,
                      .max_position_embeddings = common.max_position_embeddings};
  if (is_share) {
    rotated.head_dim = head_dim;
    rotated.rotary_dim = attention.qk_rope_head_dim;
    rotated.has_temperature = true;
  }
  const RopeOptions rope = read_rope(reader, rotated, reader.notes());
  if (rope.rotary_dim != attention.qk_rope_head_dim)
    reader.fail(rope_key, "expected the " + std::to_string(rope.rotary_dim) + " of " + std::to_string(head_dim) +
                              " elements that partial_rotary_factor rotates, found " +
                              std::to_string(attention.qk_rope_head_dim));
  attention.temperature = rope.temperature;
  config.rotary = std::make_shared<const Rotary>(rope_frequencies(rope), pairs, attention.qk_rope_head_dim,
                                                 common.max_position_embeddings);
  attention.softmax_scale =
      static_cast<float>(latent_softmax_correction(rope) / std::sqrt(static_cast<double>(head_dim)));
  return config;
}

/// The indexer of a layer, whose attention is `scope`; nullopt if it has none.
using IndexerRecipe = std::function<std::optional<LightningIndexer>(const WeightScope& scope, std::size_t layer)>;

[[nodiscard]] inline ModelParts build_deepseek(const BuildContext& context, const HfConfig& common,
                                               const DeepseekConfig& config, const MoeConfig& moe,
                                               const WeightScope& weights, const MoeNames& names = {},
                                               const IndexerRecipe& indexer_of = {}) {
  const std::size_t selected = config.attention.index_topk;
  const std::string to = selected == 0 ? "" : " to " + std::to_string(selected) + " selected positions";
  return build_decoder(common, "multi-head latent attention" + to + "; " + summary_of(moe), weights,
                       [&](const WeightScope& scope, std::size_t layer) {
                         const WeightScope attention = (scope / "self_attn").as(TensorRole::attention);
                         return DecoderLayer{std::make_unique<MultiHeadLatentAttention>(
                                                 attention, config.attention, config.rotary,
                                                 indexer_of ? indexer_of(attention, layer) : std::nullopt),
                                             feed_forward(context, scope, layer, common.hidden_size, moe, names)};
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
  const hf::DeepseekConfig config = hf::parse_deepseek(reader, common, context, pairs);
  const hf::MoeConfig moe = hf::read_v3_moe(reader, hf::read_first_dense(reader, common.num_hidden_layers));
  static_cast<void>(hf::without_windows(reader, common.num_hidden_layers));
  const std::size_t drafts = hf::read_draft_layers(reader);
  reader.reject_unknown_keys();
  hf::ignore_draft_layers(weights / "model", common.num_hidden_layers, drafts);
  return hf::build_deepseek(context, common, config, moe, weights);
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
  const hf::DeepseekConfig config = hf::parse_deepseek(reader, common, context, RotaryPairs::interleaved);
  hf::MoeConfig moe = hf::read_moe(reader, hf::read_first_dense(reader, common.num_hidden_layers));
  moe.score = RouterScore::softmax;
  if (reader.choice<bool>("topk_method", {{"greedy", false}, {"group_limited_greedy", true}}))
    moe.groups = hf::read_groups(reader, moe, 1);
  reader.ignore({"n_group", "topk_group"});  // only for group_limited_greedy
  moe.combine.normalize = false;
  reader.require_false("norm_topk_prob");  // DeepSeek's code and transformers disagree on its effect on the scale
  reader.require_false("mlp_bias");
  static_cast<void>(hf::without_windows(reader, common.num_hidden_layers));
  if (reader.has("scoring_func")) static_cast<void>(reader.choice<bool>("scoring_func", {{"softmax", true}}));
  reader.reject_unknown_keys();
  return hf::build_deepseek(context, common, config, moe, weights, {.balance_bias = ""});
}

}  // namespace trine::inline TRINE_ABI
