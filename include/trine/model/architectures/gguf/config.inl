// SPDX-License-Identifier: Apache-2.0
// The definitions of model/architectures/gguf/config.hpp.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <trine/json/parse.hpp>
#include <trine/model/architectures/config_limits.hpp>
#include <trine/model/architectures/gguf/all.hpp>
#include <trine/model/architectures/gguf/config.hpp>
#include <trine/model/architectures/gguf/keys.hpp>
#include <trine/weights/gguf_metadata.hpp>
#include <trine/weights/weight_source.hpp>

namespace trine::inline TRINE_ABI {

namespace hf {

inline constexpr std::string_view kEpsilon = "attention.layer_norm_rms_epsilon";

inline constexpr std::array kCommonGgufKeys = std::to_array<GgufKey>({
    {"context_length", "max_position_embeddings"},
    {"embedding_length", "hidden_size"},
    {kEpsilon, "rms_norm_eps", GgufKind::optional_number},
});

/// Keys that say how other software runs a model, or repeat what tensors say.
inline constexpr std::array kIgnoredGgufKeys = std::to_array<std::string_view>({
    "vocab_size",              // the rows of the embedding
    "tensor_data_layout",      // old files, whose layout is that of the new ones
    "rope.scaling.finetuned",  // says how the weights were made
});

inline void convert_keys(GgufConversion& to, std::span<const GgufKey> keys) {
  constexpr std::uint64_t kMost = config_limits::kPositions;
  for (const auto& [gguf, name, kind] : keys) {
    const bool is_optional = kind == GgufKind::optional_count || kind == GgufKind::optional_number;
    if (is_optional && !to.keys.has(gguf)) continue;
    if (kind == GgufKind::number || kind == GgufKind::optional_number) {
      to.config[name] = to.keys.number(gguf, 0.0, 1e12);
    } else {
      to.config[name] = to.keys.integer(gguf, is_optional ? 0 : 1, kMost);
    }
  }
}

/// The heads of queries: a number, or with `by_layer` also one for each layer.
inline void convert_query_heads(GgufConversion& to, bool by_layer) {
  constexpr std::string_view kHeads = "attention.head_count";
  if (!by_layer) {
    to.config["num_attention_heads"] = to.keys.integer(kHeads, 1, config_limits::kPositions);
    return;
  }
  const std::vector<std::uint64_t> heads =
      to.keys.integers(kHeads, 1, config_limits::kHeads, to.config["num_hidden_layers"].get<std::size_t>());
  to.config["num_attention_heads"] = heads.front();
  to.config["num_attention_heads_per_layer"] = heads;
}

inline void convert_layers(GgufConversion& to) {
  const std::uint64_t blocks = to.keys.integer("block_count", 1, config_limits::kLayers);
  const std::uint64_t drafts = to.keys.integer_or("nextn_predict_layers", 0, blocks - 1, 0);
  to.config["num_hidden_layers"] = blocks - drafts;
}

inline void convert_vocabulary(GgufConversion& to) {
  const StoredTensor* embedding = to.tensors.find("token_embd.weight");
  if (embedding == nullptr || embedding->shape.size() != 2)
    throw WeightError("no matrix named 'token_embd.weight' (" + to.tensors.source_name() + ")",
                      {ErrorKind::mismatch, to.tensors.source_name(), "token_embd.weight"});
  to.config["vocab_size"] = embedding->shape[0];
  to.config["tie_word_embeddings"] = !to.has_tensor("output.weight");
}

}  // namespace hf

TRINE_DECL std::vector<std::string_view> gguf_architectures() {
  std::vector<std::string_view> names;
  for (const auto& list : hf::kGgufArchitectures)
    for (const hf::GgufArchitecture& architecture : list) names.push_back(architecture.name);
  return names;
}

TRINE_DECL Json gguf_config(const GgufMetadata& metadata, const WeightSource& tensors, Notes& notes) {
  if (metadata.string_or("general.type", "model") != "model")
    metadata.fail("general.type", "'model'", ErrorKind::unsupported);
  const std::string_view name = metadata.string("general.architecture");
  const hf::GgufArchitecture* found = hf::find_gguf_architecture(name);
  if (found == nullptr) {
    std::string known;
    for (const std::string_view one : gguf_architectures()) known += (known.empty() ? "" : ", ") + std::string(one);
    metadata.fail("general.architecture", "one of " + known, ErrorKind::unsupported);
  }
  Json config = parse_json(found->constants, SourceName("constants"));
  hf::GgufKeys keys(metadata, name);
  hf::GgufConversion conversion{keys, tensors, config, notes};
  hf::convert_layers(conversion);
  hf::convert_vocabulary(conversion);
  hf::convert_keys(conversion, hf::kCommonGgufKeys);
  hf::convert_query_heads(conversion, found->heads_by_layer);
  hf::convert_keys(conversion, found->keys);
  if (!config.contains("layer_norm_eps")) config["rms_norm_eps"] = keys.number(hf::kEpsilon, 0.0, 1e12);
  hf::convert_rope(conversion);
  if (!keys.boolean_or("attention.causal", true))
    keys.fail("attention.causal", "true: an embedding model does not generate", ErrorKind::unsupported);
  found->finish(conversion);
  keys.ignore(hf::kIgnoredGgufKeys);
  keys.reject_unknown_keys(notes);
  return config;
}

}  // namespace trine::inline TRINE_ABI
