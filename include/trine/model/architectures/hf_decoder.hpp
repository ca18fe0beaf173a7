// SPDX-License-Identifier: Apache-2.0
// The common part of published decoders: names of embedding, norms and head, two layouts of experts, heads with a
// window. A builder supplies the attention and the feed-forward of each layer.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <trine/attention/grouped_query_attention.hpp>
#include <trine/experts/local_experts.hpp>
#include <trine/experts/moe_layer.hpp>
#include <trine/model/architectures/hf_config.hpp>
#include <trine/model/architectures/hf_windows.hpp>
#include <trine/model/architectures/rope_config.hpp>
#include <trine/model/model_builder.hpp>
#include <trine/model/transformer.hpp>
#include <trine/routing/linear_router.hpp>

namespace trine::inline TRINE_ABI::hf {

struct DecoderLayer {
  std::unique_ptr<const Attention> attention;
  std::unique_ptr<const FeedForward> feed_forward;
};

/// The names of the norms of a layer, and of the last one.
struct NormNames {
  std::string_view attention = "input_layernorm";
  std::string_view feed_forward = "post_attention_layernorm";
  std::string_view last = "norm";
};

/// What some families have besides their layers.
struct DecoderOptions {
  NormNames norms = {};
  RmsNorm::Stored norm_stored = RmsNorm::Stored::gain;
};

/// Builds layer `index`, whose weights are below `scope`, "model.layers.{index}".
using LayerRecipe = std::function<DecoderLayer(const WeightScope& scope, std::size_t index)>;

/// Tensors of other software in model files. transformers does not read them either.
inline constexpr std::array kIgnoredTensors = std::to_array<IgnoredNames>({
    {"*rotary_emb.inv_freq", "a table of old exports; it is computed"},
    {"*rotary_emb.cos_cached", "a table of old exports; it is computed"},
    {"*rotary_emb.sin_cached", "a table of old exports; it is computed"},
    {"*masked_bias", "a mask of old exports; it is computed"},
    {"*.self_attn.bias", "a mask of old exports; it is computed"},
    {"*.q_scale", "a scale of quantised attention, which is not quantised so here"},
    {"*.k_scale", "a scale of quantised caches, which are not quantised so here"},
    {"*.v_scale", "a scale of quantised caches, which are not quantised so here"},
    {"v_head.*", "the value head of reinforcement learning"},
});

/// The names of the text part: those of a checkpoint that has nothing else, or below "model.language_model" or
/// "language_model".
struct TextPart {
  WeightScope model;
  WeightScope lm_head;
};
[[nodiscard]] inline TextPart text_part(const WeightScope& weights) {
  constexpr std::string_view kEmbedding = "embed_tokens.weight";
  const WeightScope inner = weights / "model" / "language_model";
  if (inner.contains(kEmbedding)) return {inner, weights / "lm_head"};
  const WeightScope outer = weights / "language_model";
  if ((outer / "model").contains(kEmbedding)) return {outer / "model", outer / "lm_head"};
  return {weights / "model", weights / "lm_head"};
}

/// The whole decoder:  h = embed[token];  h += attention(RMSNorm(h)), h += feed_forward(RMSNorm(h)) for each layer;
/// logits = lm_head RMSNorm(h). Throws WeightError.
[[nodiscard]] inline ModelParts build_decoder(const HfConfig& config, std::string summary, const WeightScope& weights,
                                              const LayerRecipe& make_layer, const DecoderOptions& options = {}) {
  const auto [model, lm_head] = text_part(weights);
  const std::size_t hidden = config.hidden_size;
  auto embedding = std::make_unique<const TokenEmbedding>((model / "embed_tokens").as(TensorRole::embedding),
                                                          config.vocab_size, hidden);
  const WeightMatrix table = embedding->weight();
  ModelParts built;
  std::vector<Block> blocks;
  for (std::size_t index = 0; index < config.num_hidden_layers; ++index) {
    const WeightScope scope = model / "layers" / index;
    RmsNorm attention_norm(scope / options.norms.attention, hidden, config.rms_norm_eps, options.norm_stored);
    RmsNorm feed_forward_norm(scope / options.norms.feed_forward, hidden, config.rms_norm_eps, options.norm_stored);
    DecoderLayer layer = make_layer(scope, index);
    built.info.experts.push_back(layer.feed_forward->num_experts());
    blocks.push_back({std::move(attention_norm), std::move(layer.attention), std::move(feed_forward_norm),
                      std::move(layer.feed_forward)});
  }
  for (const IgnoredNames& names : kIgnoredTensors) weights.ignore(names);
  if (config.tie_word_embeddings)
    weights.ignore("lm_head", "the embedding counts, by tie_word_embeddings", TensorRole::head);
  Linear head = config.tie_word_embeddings ? Linear(lm_head, table)
                                           : Linear(lm_head.as(TensorRole::head), hidden, config.vocab_size);
  built.info.model_type = config.model_type;
  built.info.summary = std::move(summary);
  built.info.vocab_size = config.vocab_size;
  built.info.hidden_size = hidden;
  built.info.num_hidden_layers = config.num_hidden_layers;
  built.info.max_position_embeddings = config.max_position_embeddings;
  built.transformer = std::make_unique<Transformer>(
      std::move(embedding), std::move(blocks),
      OutputHead(RmsNorm(model / options.norms.last, hidden, config.rms_norm_eps, options.norm_stored), std::move(head),
                 1),
      config.tie_word_embeddings);
  return built;
}

/// Reads the rotary settings. head_dim: the width of a head, or of its rotated part. Rows of converted files may be
/// permuted for interleaved pairs: "rope_interleave".   partial_rotary_factor: see RopeContext
[[nodiscard]] inline std::shared_ptr<const Rotary> read_rotary(
    HfConfigReader& reader, const HfConfig& config, std::size_t head_dim,
    std::optional<double> partial_rotary_factor = std::nullopt) {
  const RopeOptions rope =
      read_rope(reader, {head_dim, config.max_position_embeddings, partial_rotary_factor}, reader.notes());
  const bool interleaved = reader.boolean_or("rope_interleave", false);
  return std::make_shared<const Rotary>(rope_frequencies(rope),
                                        interleaved ? RotaryPairs::interleaved : RotaryPairs::half_split, head_dim,
                                        config.max_position_embeddings);
}

/// Causal heads with full attention, chunked attention if requested, or a sliding window.
[[nodiscard]] inline std::vector<HeadGroup> causal_heads(const BuildContext& context,
                                                         const HfConfigReader::Heads& heads,
                                                         std::optional<std::size_t> window) {
  std::vector<HeadGroup> axes;
  std::unique_ptr<const AttentionPattern> axis;
  if (window) {
    axis = std::make_unique<SlidingWindowPattern>(*window);
  } else {
    axis = full_pattern(context.chunking);
  }
  axes.push_back({std::move(axis), heads.num_attention_heads, heads.num_key_value_heads});
  return axes;
}

/// Grouped-query attention below "self_attn".
[[nodiscard]] inline std::unique_ptr<const Attention> grouped_query(
    const BuildContext& context, const WeightScope& layer, std::size_t hidden_size, const HfConfigReader::Heads& heads,
    std::shared_ptr<const Rotary> rotary, std::optional<std::size_t> window, GroupedQueryOptions options = {}) {
  options.permuted_rows = rotary->pairs() == RotaryPairs::interleaved;
  return std::make_unique<GroupedQueryAttention>((layer / "self_attn").as(TensorRole::attention), hidden_size,
                                                 heads.head_dim, causal_heads(context, heads, window),
                                                 std::move(rotary), options);
}

/// The names of an expert's projections.
struct ExpertNames {
  std::string_view gate = "gate_proj";
  std::string_view up = "up_proj";
  std::string_view down = "down_proj";
};

/// SwiGLU experts in either layout: separate, "0.gate_proj.weight" [ffn, hidden] and so on; or fused, "gate_up_proj"
/// [experts, 2 ffn, hidden] with the gate's rows first and "down_proj" [experts, hidden, ffn]. Throws WeightError.
[[nodiscard]] inline std::unique_ptr<const ExpertExecutor> read_experts(const WeightScope& scope, std::size_t experts,
                                                                        std::size_t hidden, std::size_t ffn,
                                                                        const ExpertNames& names = {}) {
  const WeightScope weights = scope.as(TensorRole::experts);
  std::vector<GatedMlp> bank;
  bank.reserve(std::min<std::size_t>(experts, 4096));
  if (weights.contains("gate_up_proj")) {
    const WeightStack gate_up = weights.stack("gate_up_proj", {experts, 2, ffn, hidden});
    const WeightStack down = weights.stack("down_proj", {experts, 1, hidden, ffn});
    for (std::size_t e = 0; e < experts; ++e)
      bank.emplace_back(Linear(gate_up, e, 0), Linear(gate_up, e, 1), Linear(down, e));
  } else {
    for (std::size_t e = 0; e < experts; ++e) {
      const WeightScope expert = weights / e;
      bank.emplace_back(Linear(expert / names.gate, hidden, ffn), Linear(expert / names.up, hidden, ffn),
                        Linear(expert / names.down, ffn, hidden));
    }
  }
  return std::make_unique<LocalExperts>(std::move(bank));
}

/// A mixture of experts, with the caller's router decorator applied if there is one.
[[nodiscard]] inline std::unique_ptr<const FeedForward> moe_layer(
    const BuildContext& context, std::size_t layer, std::unique_ptr<Router> router,
    std::unique_ptr<const ExpertExecutor> experts, std::optional<SharedExperts> shared_experts = std::nullopt) {
  if (context.router_decorator) router = context.router_decorator(layer, std::move(router));
  return std::make_unique<MoeLayer>(layer, std::move(router), std::move(experts), std::nullopt,
                                    std::move(shared_experts));
}

/// The bias that affects the choice of experts: always f32, and finite. Throws WeightError.
[[nodiscard]] inline Tensor<float, 1> read_balance_bias(const WeightScope& scope, std::string_view name,
                                                        std::size_t experts) {
  Tensor<float, 1> bias = scope.read_f32(name, experts);
  for (std::size_t e = 0; e < experts; ++e)
    if (!std::isfinite(bias.view()[e]))
      scope.fail(name, "expected finite numbers, found another for expert " + std::to_string(e), ErrorKind::not_finite);
  return bias;
}

/// "8 of 128 experts": for the summary of a model.
[[nodiscard]] inline std::string count_of_experts(std::size_t k, std::size_t experts) {
  return std::to_string(k) + " of " + std::to_string(experts) + " experts";
}

}  // namespace trine::inline TRINE_ABI::hf
