// SPDX-License-Identifier: Apache-2.0
// config.json of the native architecture: plain structs and their only reader. docs/architecture.md explains each
// field.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include <trine/json/object_reader.hpp>
#include <trine/model/architectures/config_limits.hpp>
#include <trine/model/model_builder.hpp>
#include <trine/routing/router_options.hpp>

namespace trine::inline TRINE_ABI {

enum class AttentionKind : std::uint8_t { full, chunked, three_axis };
enum class TemporalPattern : std::uint8_t { summary, strided, routed };

struct TrineConfig {
  struct Heads {
    std::size_t num_heads = 0;
    std::size_t num_kv_heads = 0;
  };
  struct AttentionOptions {
    AttentionKind kind = AttentionKind::full;
    std::size_t head_dim = 0;
    std::size_t frame_size = 1;
    Heads heads;     // full, chunked
    Heads spatial;   // 3d
    Heads temporal;  // 3d
    std::size_t lookback = 0;
    bool causal = true;
    TemporalPattern pattern = TemporalPattern::summary;
    std::size_t top_k = 0;  // routed: frames that a query chooses
  };
  struct ExpertAttentionOptions {
    std::size_t num_heads = 0;
    std::size_t head_dim = 0;
  };
  struct MoeOptions {
    std::size_t num_experts = 0;
    std::size_t intermediate_size = 0;
    std::size_t num_shared_experts = 0;
    std::size_t first_dense_layers = 0;
    std::size_t dense_intermediate_size = 0;
    std::string router_kind;
    RouterBuilder router;
    std::optional<ExpertAttentionOptions> expert_attention;
  };

  std::size_t vocab_size = 0;    // token input only
  std::size_t num_features = 0;  // feature input only
  std::size_t hidden_size = 0;
  std::size_t num_hidden_layers = 0;
  std::size_t max_position_embeddings = 0;
  float rms_norm_eps = 1e-6F;
  double rope_theta = 10000.0;
  bool tie_word_embeddings = false;
  AttentionOptions attention;
  MoeOptions moe;
  OutputKind output = OutputKind::language_model;
  std::size_t num_outputs = 0;  // classification, regression
};

namespace detail {

inline TrineConfig::Heads parse_heads(ObjectReader& reader) {
  TrineConfig::Heads heads;
  heads.num_heads = reader.integer("num_heads", 1, 1024);
  heads.num_kv_heads = reader.integer("num_kv_heads", 1, heads.num_heads);
  if (heads.num_heads % heads.num_kv_heads != 0) {
    reader.fail("num_kv_heads", "expected a divisor of num_heads = " + std::to_string(heads.num_heads) + ", found " +
                                    std::to_string(heads.num_kv_heads));
  }
  return heads;
}

inline TrineConfig::AttentionOptions parse_attention(ObjectReader reader, std::size_t max_position) {
  TrineConfig::AttentionOptions result;
  result.kind = reader.choice<AttentionKind>(
      "kind", {{"full", AttentionKind::full}, {"chunked", AttentionKind::chunked}, {"3d", AttentionKind::three_axis}});
  result.head_dim = reader.integer("head_dim", 2, 512);
  if (result.head_dim % 2 != 0)
    reader.fail("head_dim", "expected an even number, found " + std::to_string(result.head_dim));
  if (result.kind != AttentionKind::full) result.frame_size = reader.integer("frame_size", 1, max_position);
  if (result.kind == AttentionKind::three_axis) {
    ObjectReader spatial = reader.object("spatial");
    result.spatial = parse_heads(spatial);
    result.lookback = spatial.integer("lookback", 0, max_position / result.frame_size);
    result.causal = spatial.boolean_or("causal", true);
    spatial.reject_unknown_keys();
    ObjectReader temporal = reader.object("temporal");
    result.temporal = parse_heads(temporal);
    result.pattern = temporal.choice<TemporalPattern>("pattern", {{"summary", TemporalPattern::summary},
                                                                  {"strided", TemporalPattern::strided},
                                                                  {"routed", TemporalPattern::routed}});
    if (result.pattern == TemporalPattern::routed)
      result.top_k = temporal.integer("top_k", 1, max_position / result.frame_size);
    temporal.reject_unknown_keys();
  } else {
    result.heads = parse_heads(reader);
  }
  reader.reject_unknown_keys();
  return result;
}

inline TrineConfig::MoeOptions parse_moe(ObjectReader reader, const TrineConfig& config,
                                         const RouterRegistry& routers) {
  TrineConfig::MoeOptions result;
  result.num_experts = reader.integer("num_experts", 1, config_limits::kWidth);
  result.intermediate_size = reader.integer("intermediate_size", 1, config_limits::kIntermediateSize);
  result.num_shared_experts = reader.integer_or("num_shared_experts", 0, 1024, 0);
  result.first_dense_layers = reader.integer_or("first_dense_layers", 0, config.num_hidden_layers, 0);
  if (result.first_dense_layers > 0)
    result.dense_intermediate_size = reader.integer("dense_intermediate_size", 1, config_limits::kIntermediateSize);
  result.router_kind = reader.object("router").string("kind");
  result.router = routers.parse(reader.object("router"), {config.hidden_size, result.num_experts, config.num_features});
  if (reader.has("expert_attention")) {
    ObjectReader expert = reader.object("expert_attention");
    result.expert_attention = {expert.integer("num_heads", 1, 1024), expert.integer("head_dim", 1, 512)};
    expert.reject_unknown_keys();
  }
  reader.reject_unknown_keys();
  return result;
}

// The kind of input. Sets num_features, and the frame size of full attention over several sites.
inline void parse_input(ObjectReader reader, TrineConfig& config) {
  if (!reader.choice<bool>("kind", {{"tokens", false}, {"features", true}})) {
    reader.reject_unknown_keys();
    return;
  }
  config.num_features = reader.integer("num_features", 1, config_limits::kWidth);
  if (config.attention.kind == AttentionKind::full)
    config.attention.frame_size = reader.integer_or("num_sites", 1, config.max_position_embeddings, 1);
  reader.reject_unknown_keys();
}

inline void parse_output(ObjectReader reader, TrineConfig& config) {
  config.output = reader.choice<OutputKind>("kind", {{"language_model", OutputKind::language_model},
                                                     {"classification", OutputKind::classification},
                                                     {"regression", OutputKind::regression}});
  if (config.output != OutputKind::language_model) {
    config.num_outputs = reader.integer("num_outputs", 1, config_limits::kVocab);
    static_cast<void>(reader.choice<bool>("pool", {{"last_frame_mean", true}}));
  } else if (config.num_features != 0) {
    reader.fail("kind", "expected classification or regression for feature input, found 'language_model'");
  }
  reader.reject_unknown_keys();
}

}  // namespace detail

/// Reads and checks the whole configuration, including relations between fields. Throws ConfigError naming file and
/// field.
[[nodiscard]] inline TrineConfig parse_trine_config(const Json& document, const std::string& source_name,
                                                    const RouterRegistry& routers) {
  ObjectReader reader(document, source_name);
  TrineConfig config;
  static_cast<void>(reader.choice<bool>("model_type", {{"trine", true}}));
  config.hidden_size = reader.integer("hidden_size", 1, config_limits::kWidth);
  config.num_hidden_layers = reader.integer("num_hidden_layers", 1, 4096);
  config.max_position_embeddings = reader.integer("max_position_embeddings", 1, config_limits::kPositions);
  config.rms_norm_eps = static_cast<float>(reader.number_or("rms_norm_eps", 1e-12, 1.0, 1e-6));
  config.rope_theta = reader.number_or("rope_theta", 1.0, 1e12, 10000.0);
  config.attention = detail::parse_attention(reader.object("attention"), config.max_position_embeddings);
  detail::parse_input(reader.object("input"), config);
  config.moe = detail::parse_moe(reader.object("moe"), config, routers);
  detail::parse_output(reader.object("output"), config);
  if (config.num_features == 0) {
    config.vocab_size = reader.integer("vocab_size", 1, config_limits::kVocab);
    config.tie_word_embeddings = reader.boolean_or("tie_word_embeddings", false);
    if (config.tie_word_embeddings && config.output != OutputKind::language_model)
      reader.fail("tie_word_embeddings", "expected false for a model without a language model head, found true");
  }
  reader.reject_unknown_keys();
  return config;
}

}  // namespace trine::inline TRINE_ABI
