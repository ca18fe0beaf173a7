// SPDX-License-Identifier: Apache-2.0
// Qwen3-Next and the mixtures of Qwen3.5 and 3.6: layers of Gated DeltaNet, every fourth one of full attention with an
// output gate; zero-centred norms; a gated shared expert. References: transformers, models/qwen3_next and
// models/qwen3_5_moe.
#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <trine/attention/gated_delta_net.hpp>
#include <trine/model/architectures/hf_decoder.hpp>
#include <trine/model/architectures/hf_layer_lists.hpp>
#include <trine/model/architectures/hf_text_part.hpp>
#include <trine/model/architectures/qwen_moe.hpp>

namespace trine::inline TRINE_ABI {

namespace hf {

/// The options of both generations besides the mixture.
struct QwenNextConfig {
  GatedDeltaShape delta;
  HfConfigReader::Heads heads;
  GroupedQueryOptions attention;
  std::shared_ptr<const Rotary> rotary;
  std::vector<bool> is_linear;   // [layers]
  std::size_t draft_layers = 0;  // of multi-token prediction, behind the others in converted files
  DecoderOptions decoder;
};

/// "layer_types", or every full_attention_interval-th layer of full attention. Throws ConfigError.
[[nodiscard]] inline std::vector<bool> read_linear_layers(HfConfigReader& reader, std::size_t layers) {
  const std::size_t interval = reader.integer_or("full_attention_interval", 1, config_limits::kLayers, 4);
  std::vector<bool> is_linear(layers);
  for (std::size_t layer = 0; layer < layers; ++layer) is_linear[layer] = (layer + 1) % interval != 0;
  return read_linear_layers(reader, std::move(is_linear));
}

/// Rows of converted files may have another order, and norms be stored as they are: "linear_value_heads_tiled" and
/// "norms_plus_one" of GGUF. Throws ConfigError.
[[nodiscard]] inline QwenNextConfig parse_qwen_next(HfConfigReader& reader, const HfConfig& common) {
  QwenNextConfig config;
  GatedDeltaShape& delta = config.delta;
  delta.hidden = common.hidden_size;
  delta.key_heads = reader.integer("linear_num_key_heads", 1, config_limits::kHeads);
  delta.value_heads = reader.integer("linear_num_value_heads", 1, config_limits::kHeads);
  if (delta.value_heads % delta.key_heads != 0)
    reader.fail("linear_num_value_heads", "a multiple of linear_num_key_heads = " + std::to_string(delta.key_heads),
                reader.at("linear_num_value_heads"));
  delta.key_dim = reader.integer("linear_key_head_dim", 1, config_limits::kHeadDim);
  delta.value_dim = reader.integer("linear_value_head_dim", 1, config_limits::kHeadDim);
  delta.taps = reader.integer("linear_conv_kernel_dim", 1, GatedDeltaNet::kMaxTaps);
  delta.norm_epsilon = common.rms_norm_eps;
  if (reader.boolean_or("linear_value_heads_tiled", false)) delta.order = GatedDeltaShape::ValueHeads::tiled;
  const bool is_centred = !reader.boolean_or("norms_plus_one", false);
  config.decoder.norm_stored = is_centred ? RmsNorm::Stored::gain_minus_one : RmsNorm::Stored::gain;
  config.is_linear = read_linear_layers(reader, common.num_hidden_layers);

  config.heads = reader.heads(common.hidden_size);
  config.attention = {.qk_norm = GroupedQueryOptions::Norm::per_head,
                      .norm_epsilon = common.rms_norm_eps,
                      .norm_stored = config.decoder.norm_stored,
                      .output_gate = OutputGateOptions{.in_q_proj = true}};
  if (reader.boolean("attention_bias")) config.attention.qkv_bias = config.attention.o_bias = Linear::Bias::yes;
  reader.require_true("attn_output_gate");
  config.rotary = read_rotary(reader, common, config.heads.head_dim, {.rotary_dim = config.heads.head_dim / 4});
  reader.ignore({"mamba_ssm_dtype"});  // the state is in f32, whatever it says
  return config;
}

/// Layers of both generations.
[[nodiscard]] inline ModelParts build_qwen_next(const BuildContext& context, const WeightScope& weights,
                                                const HfConfig& common, const QwenNextConfig& config,
                                                const QwenMoeConfig& moe, std::size_t shared_ffn) {
  const std::size_t hidden = common.hidden_size;
  const auto linear = static_cast<std::size_t>(std::ranges::count(config.is_linear, true));
  std::string summary = "Gated DeltaNet in " + std::to_string(linear) + " layers, gated grouped-query attention in " +
                        std::to_string(config.is_linear.size() - linear) + "; " +
                        count_of_experts(moe.num_experts_per_tok, moe.num_experts) +
                        ", softmax top-k, a gated shared expert";
  constexpr const char* kDrafts = "of multi-token prediction: the model generates without drafts";
  weights.ignore("mtp", kDrafts);
  weights.ignore({"blk.*.nextn.*", kDrafts});
  const WeightScope layers = text_part(weights).model / "layers";
  for (std::size_t i = 0; i < config.draft_layers; ++i)
    layers.ignore_like(std::to_string(common.num_hidden_layers + i), {layers / (common.num_hidden_layers - 1)},
                       kDrafts);
  const auto make_layer = [&](const WeightScope& scope, std::size_t layer) {
    std::unique_ptr<const Attention> self;
    if (config.is_linear[layer]) {
      self = std::make_unique<GatedDeltaNet>((scope / "linear_attn").as(TensorRole::attention), config.delta);
    } else {
      self = grouped_query(context, scope, hidden, config.heads, config.rotary, std::nullopt, config.attention);
    }
    const WeightScope mlp = scope / "mlp";
    if (moe.is_dense(layer))
      return DecoderLayer{std::move(self),
                          std::make_unique<DenseFeedForward>(mlp.as(TensorRole::mlp), hidden, moe.intermediate_size)};
    SharedExperts shared(GatedMlp((mlp / "shared_expert").as(TensorRole::shared_experts), hidden, shared_ffn),
                         Linear((mlp / "shared_expert_gate").as(TensorRole::router), hidden, 1));
    return DecoderLayer{std::move(self), qwen_feed_forward(context, mlp, layer, hidden, moe, std::move(shared))};
  };
  return build_decoder(common, std::move(summary), weights, make_layer, config.decoder);
}

}  // namespace hf

/// Defaults of absent keys: Qwen3NextConfig of transformers.
inline constexpr std::string_view kQwen3NextDefaults = R"({
    "vocab_size": 151936, "hidden_size": 2048, "intermediate_size": 5632, "num_hidden_layers": 48,
    "num_attention_heads": 16, "num_key_value_heads": 2, "hidden_act": "silu", "max_position_embeddings": 32768,
    "rms_norm_eps": 1e-6, "tie_word_embeddings": false, "rope_theta": 1e4, "attention_bias": false, "head_dim": 256,
    "linear_conv_kernel_dim": 4, "linear_key_head_dim": 128, "linear_value_head_dim": 128, "linear_num_key_heads": 16,
    "linear_num_value_heads": 32, "decoder_sparse_step": 1, "moe_intermediate_size": 512,
    "shared_expert_intermediate_size": 512, "num_experts_per_tok": 10, "num_experts": 512, "norm_topk_prob": true, "partial_rotary_factor": 0.25,
    "mlp_only_layers": null, "layer_types": null})";

/// Builder of "model_type": "qwen3_next". Throws ConfigError, WeightError.
[[nodiscard]] inline ModelParts build_qwen3_next(const BuildContext& context, const WeightScope& weights) {
  HfConfigReader reader(context, kQwen3NextDefaults);
  const HfConfig common = reader.common();
  const hf::QwenNextConfig config = hf::parse_qwen_next(reader, common);
  const hf::QwenMoeConfig moe = hf::parse_qwen_moe(reader, common.num_hidden_layers);
  const std::size_t shared_ffn = reader.integer("shared_expert_intermediate_size", 1, config_limits::kIntermediateSize);
  reader.ignore({"use_sliding_window", "max_window_layers"});
  reader.ignore_with_note("sliding_window", "not read by this family: every token attends to all before it");
  reader.reject_unknown_keys();
  return hf::build_qwen_next(context, weights, common, config, moe, shared_ffn);
}

/// Defaults of absent keys: Qwen3_5MoeTextConfig of transformers.
inline constexpr std::string_view kQwen35MoeDefaults = R"({
    "vocab_size": 248320, "hidden_size": 2048, "num_hidden_layers": 40, "num_attention_heads": 16,
    "num_key_value_heads": 2, "hidden_act": "silu", "max_position_embeddings": 32768, "rms_norm_eps": 1e-6,
    "tie_word_embeddings": false, "rope_theta": 1e4, "attention_bias": false, "head_dim": 256,
    "linear_conv_kernel_dim": 4, "linear_key_head_dim": 128, "linear_value_head_dim": 128, "linear_num_key_heads": 16,
    "linear_num_value_heads": 32, "moe_intermediate_size": 512, "shared_expert_intermediate_size": 512,
    "num_experts_per_tok": 8, "num_experts": 256, "partial_rotary_factor": 0.25, "layer_types": null})";

/// Builder of "model_type": "qwen3_5_moe_text". Throws ConfigError, WeightError.
[[nodiscard]] inline ModelParts build_qwen3_5_moe_text(const BuildContext& context, const WeightScope& weights) {
  HfConfigReader reader(context, kQwen35MoeDefaults);
  const HfConfig common = reader.common();
  hf::QwenNextConfig config = hf::parse_qwen_next(reader, common);
  config.draft_layers = reader.integer_or("mtp_num_hidden_layers", 0, config_limits::kLayers, 0);
  hf::QwenMoeConfig moe;
  moe.num_experts = reader.integer("num_experts", 1, config_limits::kWidth);
  moe.num_experts_per_tok = reader.integer("num_experts_per_tok", 1, moe.num_experts);
  moe.moe_intermediate_size = reader.integer("moe_intermediate_size", 1, config_limits::kIntermediateSize);
  moe.combine.normalize = true;
  const std::size_t shared_ffn = reader.integer("shared_expert_intermediate_size", 1, config_limits::kIntermediateSize);
  reader.ignore({"mtp_use_dedicated_embeddings"});
  if (reader.has("mlp_only_layers") && !reader.at("mlp_only_layers").empty())
    reader.ignore_with_note("mlp_only_layers", "not read by this family: all layers have experts");
  reader.reject_unknown_keys();
  return hf::build_qwen_next(context, weights, common, config, moe, shared_ffn);
}

/// Builder of "model_type": "qwen3_5_moe": the text part of a multimodal one. Throws ConfigError, WeightError.
[[nodiscard]] inline ModelParts build_qwen3_5_moe(const BuildContext& context, const WeightScope& weights) {
  return hf::build_text_part(context, weights, build_qwen3_5_moe_text);
}

}  // namespace trine::inline TRINE_ABI
