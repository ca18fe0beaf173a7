// SPDX-License-Identifier: Apache-2.0
// The native architecture, "model_type": "trine": spatial and temporal attention, dynamically routed experts, and
// expert attention. docs/architecture.md has the equations.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <trine/attention/grouped_query_attention.hpp>
#include <trine/experts/local_experts.hpp>
#include <trine/experts/moe_layer.hpp>
#include <trine/model/architectures/trine_config.hpp>
#include <trine/model/transformer.hpp>

namespace trine::inline TRINE_ABI {

namespace detail {

inline std::vector<HeadGroup> trine_axes(const TrineConfig::AttentionOptions& options,
                                         const std::optional<Chunking>& chunking) {
  std::vector<HeadGroup> axes;
  const auto add = [&axes](std::unique_ptr<const AttentionPattern> axis, const TrineConfig::Heads& heads) {
    axes.push_back({std::move(axis), heads.num_heads, heads.num_kv_heads});
  };
  switch (options.kind) {
    case AttentionKind::full:
      add(full_pattern(chunking), options.heads);
      break;
    case AttentionKind::chunked:
      add(std::make_unique<FrameWindowPattern>(options.frame_size, 0, true), options.heads);
      break;
    case AttentionKind::three_axis:
      add(std::make_unique<FrameWindowPattern>(options.frame_size, options.lookback, options.causal), options.spatial);
      switch (options.pattern) {
        case TemporalPattern::summary:
          add(std::make_unique<SummaryPattern>(options.frame_size), options.temporal);
          break;
        case TemporalPattern::strided:
          add(std::make_unique<StridedPattern>(options.frame_size), options.temporal);
          break;
        case TemporalPattern::routed:
          add(std::make_unique<RoutedPattern>(options.frame_size, options.top_k), options.temporal);
          break;
      }
      break;
  }
  return axes;
}

inline std::unique_ptr<const FeedForward> trine_feed_forward(const TrineConfig& config,
                                                             const RouterDecoratorFactory& router_decorator,
                                                             const WeightScope& scope, std::size_t layer) {
  const TrineConfig::MoeOptions& moe = config.moe;
  const std::size_t hidden = config.hidden_size;
  if (layer < moe.first_dense_layers)
    return std::make_unique<DenseFeedForward>((scope / "mlp").as(TensorRole::mlp), hidden, moe.dense_intermediate_size);
  const WeightScope weights = scope / "moe";
  std::unique_ptr<Router> router = moe.router((weights / "router").as(TensorRole::router), layer);
  if (router_decorator) router = router_decorator(layer, std::move(router));
  auto experts = std::make_unique<LocalExperts>((weights / "experts").as(TensorRole::experts), moe.num_experts, hidden,
                                                moe.intermediate_size);
  std::optional<ExpertAttention> expert_attention;
  if (moe.expert_attention) {
    expert_attention.emplace((weights / "expert_attention").as(TensorRole::attention), hidden,
                             moe.expert_attention->num_heads, moe.expert_attention->head_dim, config.rms_norm_eps);
  }
  std::optional<SharedExperts> shared_experts;
  if (moe.num_shared_experts > 0)
    shared_experts = GatedMlp((weights / "shared_experts").as(TensorRole::shared_experts), hidden,
                              moe.num_shared_experts * moe.intermediate_size);
  return std::make_unique<MoeLayer>(layer, std::move(router), std::move(experts), std::move(expert_attention),
                                    std::move(shared_experts));
}

inline std::string trine_summary(const TrineConfig& config) {
  const auto& attention = config.attention;
  std::string text;
  switch (attention.kind) {
    case AttentionKind::full:
      text = "full attention";
      break;
    case AttentionKind::chunked:
      text = "chunked attention, frames of " + std::to_string(attention.frame_size);
      break;
    case AttentionKind::three_axis:
      text = "3d attention, frames of " + std::to_string(attention.frame_size) + ", lookback " +
             std::to_string(attention.lookback) + (attention.causal ? "" : ", not causal") +
             (attention.pattern == TemporalPattern::summary ? ", temporal summary" : ", temporal strided");
      break;
  }
  text += "; " + std::to_string(config.moe.num_experts) + " experts, " + config.moe.router_kind + " router";
  if (config.moe.expert_attention) text += ", expert attention";
  if (config.moe.num_shared_experts > 0) text += ", " + std::to_string(config.moe.num_shared_experts) + " shared";
  if (config.moe.first_dense_layers > 0)
    text += ", first " + std::to_string(config.moe.first_dense_layers) + " layers dense";
  return text;
}

}  // namespace detail

/// Builder of "model_type": "trine". Throws ConfigError, WeightError.
[[nodiscard]] inline ModelParts build_trine(const BuildContext& context, const WeightScope& weights) {
  const TrineConfig config = parse_trine_config(context.config, context.source_name, context.routers);
  const std::size_t hidden = config.hidden_size;
  const bool tokens = config.num_features == 0;

  std::unique_ptr<const Embedding> embedding;
  WeightMatrix token_table;
  if (tokens) {
    auto table = std::make_unique<const TokenEmbedding>((weights / "embed_tokens").as(TensorRole::embedding),
                                                        config.vocab_size, hidden);
    token_table = table->weight();
    embedding = std::move(table);
  } else {
    embedding =
        std::make_unique<const FeatureEmbedding>(weights, config.num_features, config.attention.frame_size, hidden);
  }
  if (context.chunking && config.attention.kind != AttentionKind::full)
    throw InputError(
        "attention: only full attention can be approximated by chunks, that of " + context.source_name + " is none",
        {ErrorKind::unsupported, context.source_name, "attention.kind"});
  const auto rotary =
      std::make_shared<const Rotary>(config.attention.head_dim, config.rope_theta, config.max_position_embeddings);
  std::vector<Block> blocks;
  ModelParts built;
  for (std::size_t layer = 0; layer < config.num_hidden_layers; ++layer) {
    const WeightScope scope = weights / "layers" / layer;
    blocks.push_back({RmsNorm(scope / "attention_norm", hidden, config.rms_norm_eps),
                      std::make_unique<GroupedQueryAttention>(
                          (scope / "attention").as(TensorRole::attention), hidden, config.attention.head_dim,
                          detail::trine_axes(config.attention, context.chunking), rotary),
                      RmsNorm(scope / "moe_norm", hidden, config.rms_norm_eps),
                      detail::trine_feed_forward(config, context.router_decorator, scope, layer)});
    built.info.experts.push_back(blocks.back().feed_forward->num_experts());
  }
  const bool language_model = config.output == OutputKind::language_model;
  Linear head = !language_model ? Linear(weights / "head", hidden, config.num_outputs, Linear::Bias::yes)
                : config.tie_word_embeddings
                    ? Linear(weights / "lm_head", token_table)
                    : Linear((weights / "lm_head").as(TensorRole::head), hidden, config.vocab_size);
  const std::size_t pool = language_model ? 1 : config.attention.frame_size;

  built.info.model_type = "trine";
  built.info.summary = detail::trine_summary(config);
  built.info.vocab_size = config.vocab_size;
  built.info.num_features = config.num_features;
  built.info.hidden_size = hidden;
  built.info.num_hidden_layers = config.num_hidden_layers;
  built.info.max_position_embeddings = config.max_position_embeddings;
  built.info.frame_size = config.attention.frame_size;
  built.info.whole_frames = pool > 1 || !config.attention.causal || !tokens;
  built.info.output = config.output;
  built.transformer = std::make_unique<Transformer>(
      std::move(embedding), std::move(blocks),
      OutputHead(RmsNorm(weights / "norm", hidden, config.rms_norm_eps), std::move(head), pool),
      config.tie_word_embeddings);
  return built;
}

}  // namespace trine::inline TRINE_ABI
