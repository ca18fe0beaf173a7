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
  float output_scale = 1.0F;  // Block::output_scale
};

/// The names of a layer's norms. Without a name there is none.
struct NormNames {
  std::string_view attention = "input_layernorm";
  std::string_view feed_forward = "post_attention_layernorm";
  std::string_view post_attention = {};
  std::string_view post_feed_forward = {};
  std::string_view last = "norm";  // after all layers
};

/// What some families have besides their layers.
struct DecoderOptions {
  std::string_view embedding = "embed_tokens";
  NormNames norms = {};
  RmsNorm::Stored norm_stored = RmsNorm::Stored::gain;
  RmsNorm::Of norm_of = RmsNorm::Of::values;
  bool parallel = false;  // Block::parallel
  float embedding_scale = 1.0F;
  float update_scale = 1.0F;  // Block::update_scale
  Linear::Bias head_bias = Linear::Bias::no;
  LogitOptions logits = {};
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
  auto embedding = std::make_unique<const TokenEmbedding>((model / options.embedding).as(TensorRole::embedding),
                                                          config.vocab_size, hidden, options.embedding_scale);
  const WeightMatrix table = embedding->weight();
  ModelParts built;
  std::vector<Block> blocks;
  for (std::size_t index = 0; index < config.num_hidden_layers; ++index) {
    const WeightScope scope = model / "layers" / index;
    const auto norm = [&](std::string_view name) -> std::optional<RmsNorm> {
      if (name.empty()) return std::nullopt;
      return RmsNorm(scope / name, hidden, config.rms_norm_eps, options.norm_stored, options.norm_of);
    };
    std::optional<RmsNorm> attention_norm = norm(options.norms.attention);
    std::optional<RmsNorm> feed_forward_norm = norm(options.norms.feed_forward);
    std::optional<RmsNorm> post_attention_norm = norm(options.norms.post_attention);
    std::optional<RmsNorm> post_feed_forward_norm = norm(options.norms.post_feed_forward);
    DecoderLayer layer = make_layer(scope, index);
    built.info.experts.push_back(layer.feed_forward->num_experts());
    blocks.push_back({std::move(attention_norm), std::move(layer.attention), std::move(feed_forward_norm),
                      std::move(layer.feed_forward), std::move(post_attention_norm), std::move(post_feed_forward_norm),
                      options.parallel, options.update_scale, layer.output_scale});
  }
  for (const IgnoredNames& names : kIgnoredTensors) weights.ignore(names);
  if (config.tie_word_embeddings)
    weights.ignore("lm_head", "the embedding counts, by tie_word_embeddings", TensorRole::head);
  const WeightScope head_scope = lm_head.as(TensorRole::head);
  Linear head = config.tie_word_embeddings ? Linear(head_scope, table, options.head_bias)
                                           : Linear(head_scope, hidden, config.vocab_size, options.head_bias);
  built.info.model_type = config.model_type;
  built.info.summary = std::move(summary);
  built.info.vocab_size = config.vocab_size;
  built.info.hidden_size = hidden;
  built.info.num_hidden_layers = config.num_hidden_layers;
  built.info.max_position_embeddings = config.max_position_embeddings;
  built.transformer = std::make_unique<Transformer>(
      std::move(embedding), std::move(blocks),
      OutputHead(RmsNorm(model / options.norms.last, hidden, config.rms_norm_eps, options.norm_stored, options.norm_of),
                 std::move(head), 1, options.logits),
      config.tie_word_embeddings);
  return built;
}

/// How a family rotates the heads of its checkpoints.
struct HeadRotation {
  std::optional<std::size_t> rotary_dim = std::nullopt;  // see RopeContext
  RotaryPairs pairs = RotaryPairs::half_split;
  bool has_alpha = false;  // the same
};

/// Reads the rotary settings of heads of `head_dim`. Rows of converted files may be permuted for interleaved pairs:
/// "rope_interleave".
[[nodiscard]] inline std::shared_ptr<const Rotary> read_rotary(HfConfigReader& reader, const HfConfig& config,
                                                               std::size_t head_dim, const HeadRotation& family = {}) {
  const RopeOptions rope = read_rope(reader,
                                     {.head_dim = head_dim,
                                      .max_position_embeddings = config.max_position_embeddings,
                                      .rotary_dim = family.rotary_dim,
                                      .has_alpha = family.has_alpha},
                                     reader.notes());
  const bool interleaved = reader.boolean_or("rope_interleave", false);
  return std::make_shared<const Rotary>(rope_frequencies(rope), interleaved ? RotaryPairs::interleaved : family.pairs,
                                        head_dim, config.max_position_embeddings);
}

/// The rotations of full and of sliding layers.
struct RotaryByType {
  std::shared_ptr<const Rotary> full;
  std::shared_ptr<const Rotary> sliding;

  [[nodiscard]] const std::shared_ptr<const Rotary>& of(bool slides) const noexcept { return slides ? sliding : full; }
};

/// The same for models whose rope_parameters has an object for each layer type, if there is a layer of it.
/// full, sliding: what their heads are
[[nodiscard]] inline RotaryByType read_rotary_by_type(HfConfigReader& reader, const Windows& windows,
                                                      const RopeContext& full, const RopeContext& sliding) {
  std::vector<RopeLayerType> types;
  const auto count = std::ranges::count(windows.slides, true);
  if (static_cast<std::size_t>(count) < windows.slides.size()) types.push_back({"full_attention", full});
  if (count > 0) types.push_back({"sliding_attention", sliding});
  const std::vector<RopeOptions> ropes =
      read_rope_by_type(reader, reader.notes(), types, {"full_attention", "sliding_attention"});
  RotaryByType result;
  for (std::size_t i = 0; i < types.size(); ++i) {
    auto rotary = std::make_shared<const Rotary>(rope_frequencies(ropes[i]), RotaryPairs::half_split,
                                                 types[i].context.head_dim, types[i].context.max_position_embeddings);
    (types[i].name == "full_attention" ? result.full : result.sliding) = std::move(rotary);
  }
  return result;
}

/// Full attention, in chunks if requested, or a sliding window.
[[nodiscard]] inline std::unique_ptr<const AttentionPattern> pattern_of(const BuildContext& context,
                                                                        std::optional<std::size_t> window) {
  if (window) return std::make_unique<SlidingWindowPattern>(*window);
  return full_pattern(context.chunking);
}

/// Grouped-query attention below "self_attn", or options.names.module.   rotary: null for layers that do not rotate
/// pairs: of the published checkpoint
[[nodiscard]] inline std::unique_ptr<const Attention> grouped_query(const WeightScope& layer, std::size_t hidden_size,
                                                                    const HfConfigReader::Heads& heads,
                                                                    std::shared_ptr<const Rotary> rotary,
                                                                    std::unique_ptr<const AttentionPattern> pattern,
                                                                    GroupedQueryOptions options = {},
                                                                    RotaryPairs pairs = RotaryPairs::half_split) {
  options.permuted_rows = rotary != nullptr && rotary->pairs() != pairs;
  std::vector<HeadGroup> groups;
  groups.push_back({std::move(pattern), heads.num_attention_heads, heads.num_key_value_heads});
  return std::make_unique<GroupedQueryAttention>((layer / options.names.module).as(TensorRole::attention), hidden_size,
                                                 heads.head_dim, std::move(groups), std::move(rotary), options);
}
/// The same with full attention or a window.
[[nodiscard]] inline std::unique_ptr<const Attention> grouped_query(
    const BuildContext& context, const WeightScope& layer, std::size_t hidden_size, const HfConfigReader::Heads& heads,
    std::shared_ptr<const Rotary> rotary, std::optional<std::size_t> window, const GroupedQueryOptions& options = {},
    RotaryPairs pairs = RotaryPairs::half_split) {
  return grouped_query(layer, hidden_size, heads, std::move(rotary), pattern_of(context, window), options, pairs);
}

/// An MLP whose three projections have biases, or not. Throws WeightError.
[[nodiscard]] inline GatedMlp gated_mlp(const WeightScope& scope, std::size_t hidden, std::size_t ffn,
                                        Linear::Bias bias, const GatedActivation& activation = {}) {
  return {Linear(scope / "gate_proj", hidden, ffn, bias), Linear(scope / "up_proj", hidden, ffn, bias),
          Linear(scope / "down_proj", ffn, hidden, bias), activation};
}

/// The names of an expert's projections.
struct ExpertNames {
  std::string_view gate = "gate_proj";
  std::string_view up = "up_proj";
  std::string_view down = "down_proj";
};

/// Experts in either layout: separate, "0.gate_proj.weight" [ffn, hidden] and so on; or fused, "gate_up_proj"
/// [experts, 2 ffn, hidden] with the gate's rows first and "down_proj" [experts, hidden, ffn]. Throws WeightError.
[[nodiscard]] inline std::unique_ptr<const ExpertExecutor> read_experts(const WeightScope& scope, std::size_t experts,
                                                                        std::size_t hidden, std::size_t ffn,
                                                                        const ExpertNames& names = {},
                                                                        const GatedActivation& activation = {}) {
  const WeightScope weights = scope.as(TensorRole::experts);
  std::vector<GatedMlp> bank;
  bank.reserve(std::min<std::size_t>(experts, 4096));
  if (weights.contains("gate_up_proj")) {
    const WeightStack gate_up = weights.stack("gate_up_proj", {experts, 2, ffn, hidden});
    const WeightStack down = weights.stack("down_proj", {experts, 1, hidden, ffn});
    for (std::size_t e = 0; e < experts; ++e)
      bank.emplace_back(Linear(gate_up, e, 0), Linear(gate_up, e, 1), Linear(down, e), activation);
  } else {
    for (std::size_t e = 0; e < experts; ++e) {
      const WeightScope expert = weights / e;
      bank.emplace_back(Linear(expert / names.gate, hidden, ffn), Linear(expert / names.up, hidden, ffn),
                        Linear(expert / names.down, ffn, hidden), activation);
    }
  }
  return std::make_unique<LocalExperts>(std::move(bank));
}

/// A mixture of experts, with the caller's router decorator applied if there is one.
[[nodiscard]] inline std::unique_ptr<const FeedForward> moe_layer(
    const BuildContext& context, std::size_t layer, std::unique_ptr<Router> router,
    std::unique_ptr<const ExpertExecutor> experts, std::optional<SharedExperts> shared_experts = std::nullopt,
    std::optional<RmsNorm> expert_norm = std::nullopt) {
  if (context.router_decorator) router = context.router_decorator(layer, std::move(router));
  return std::make_unique<MoeLayer>(layer, std::move(router), std::move(experts), std::nullopt,
                                    std::move(shared_experts), std::move(expert_norm));
}

/// The bias that affects the choice of experts: always f32, and finite.   is_row: [1, experts]. Throws WeightError.
[[nodiscard]] inline Tensor<float, 1> read_balance_bias(const WeightScope& scope, std::string_view name,
                                                        std::size_t experts, bool is_row = false) {
  Tensor<float, 1> bias({experts});
  if (is_row) {
    std::ranges::copy(scope.read_f32(name, 1, experts).view().span(), bias.data());
  } else {
    bias = scope.read_f32(name, experts);
  }
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
