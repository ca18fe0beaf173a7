// SPDX-License-Identifier: Apache-2.0
// The text part of a multimodal checkpoint: the object "text_config" of its config.json is the configuration of a
// language model of its own. Pictures and sound are not read.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <utility>

#include <trine/model/architectures/hf_config.hpp>
#include <trine/model/model_builder.hpp>
#include <trine/model/transformer.hpp>
#include <trine/weights/weight_scope.hpp>

namespace trine::inline TRINE_ABI::hf {

/// Keys of the outer object that say nothing about the text part.
inline constexpr std::array kKeysOfOtherModalities = std::to_array<IgnoredNames>({
    {"*_config", "of another modality: pictures and sound are not read"},
    {"*_token_id", "of another modality: pictures and sound are not read"},
    {"*_token_index", "of another modality: pictures and sound are not read"},
    {"*_soft_tokens*", "of another modality: pictures and sound are not read"},
    {"*_token_len", "of another modality: pictures and sound are not read"},
    {"spatial_merge_size", "of another modality: pictures and sound are not read"},
    {"vision_feature_*", "of another modality: pictures and sound are not read"},
    {"*projector_*", "of another modality: pictures and sound are not read"},
});

/// Tensors of other modalities.
inline constexpr std::array kTensorsOfOtherModalities = std::to_array<std::string_view>({
    "*vision_tower.*",
    "*vision_model.*",
    "*visual.*",
    "*audio_tower.*",
    "*embed_vision.*",
    "*embed_audio.*",
    "*multi_modal_projector.*",
    "vit_large_projector.*",
});

/// Builds the model of "text_config" by `build`. Keys of the outer object that it lacks count for it, too. Throws
/// ConfigError, WeightError.
[[nodiscard]] inline ModelParts build_text_part(const BuildContext& context, const WeightScope& weights,
                                                const ModelBuilder& build) {
  Notes own_notes;
  Notes& notes = context.notes == nullptr ? own_notes : *context.notes;
  ObjectReader reader(context.config, context.source_name);
  const std::string type = reader.string("model_type");
  static_cast<void>(reader.object("text_config"));
  Json text = reader.at("text_config");
  for (const std::string_view key : {"tie_word_embeddings", "quantization_config"})
    if (reader.has(key) && !text.contains(key)) text[key] = reader.at(key);
  for (const std::string_view key : kUnusedHfKeys) static_cast<void>(reader.has(key));
  reader.reject_unknown_keys(notes, kKeysOfOtherModalities);
  for (const std::string_view names : kTensorsOfOtherModalities)
    weights.ignore({names, "of another modality: pictures and sound are not read"});
  const BuildContext inner{text,   context.source_name, context.routers, context.router_decorator, context.chunking,
                           &notes, "text_config"};
  ModelParts parts = build(inner, weights);
  parts.info.model_type = type;
  return parts;
}

}  // namespace trine::inline TRINE_ABI::hf
