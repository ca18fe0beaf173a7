// SPDX-License-Identifier: Apache-2.0
// The interface of an architecture: a builder from a config.json and its weights to a Transformer.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <trine/attention/chunking.hpp>
#include <trine/core/notes.hpp>
#include <trine/json/fwd.hpp>
#include <trine/routing/router_registry.hpp>

namespace trine::inline TRINE_ABI {

class Router;       // routing/router.hpp
class Transformer;  // model/transformer.hpp
class WeightScope;  // weights/weight_scope.hpp

/// What the head of a model computes: logits [tokens, vocab] of the next token, or `num_outputs` values per frame.
enum class OutputKind : std::uint8_t {
  language_model,  ///< logits over the vocabulary, for each token
  classification,  ///< logits over classes, for each frame
  regression,      ///< values, for each frame
};

/// The name of the enumerator, as `output.kind` of a config.json spells it.
[[nodiscard]] constexpr std::string_view to_string(OutputKind kind) noexcept {
  switch (kind) {
    case OutputKind::language_model:
      return "language_model";
    case OutputKind::classification:
      return "classification";
    case OutputKind::regression:
      return "regression";
  }
  return "?";
}

/// Properties of a model, independent of its architecture.
struct ModelInfo {
  std::string model_type;                          ///< of config.json
  std::string summary;                             ///< the architecture in one line, for display
  std::size_t vocab_size = 0;                      ///< 0 for feature models
  std::size_t num_features = 0;                    ///< 0 for token models
  std::size_t hidden_size = 0;                     ///< width of the rows between layers
  std::size_t num_hidden_layers = 0;               ///< layers with and without experts
  std::size_t max_position_embeddings = 0;         ///< maximum context of a sequence
  std::size_t frame_size = 1;                      ///< sites of a frame
  bool whole_frames = false;                       ///< every call must bring whole frames
  OutputKind output = OutputKind::language_model;  ///< what the head computes
  std::vector<std::size_t> experts;                ///< [layers] 0 for a layer without a router
  std::vector<Note> notes;                         ///< what the files contain and the model does not use
  std::vector<std::string> unknown_tensors;        ///< unknown tensors that the caller allowed, or no index lists

  /// Returns whether any layer has a router. Otherwise the model is dense.
  [[nodiscard]] bool is_routed() const noexcept {
    return std::ranges::any_of(experts, [](std::size_t count) { return count > 0; });
  }
};

/// Decorates or replaces the router of a layer; see routing/router_decorators.hpp.
using RouterDecoratorFactory =
    std::function<std::unique_ptr<Router>(std::size_t layer, std::unique_ptr<Router> router)>;

/// What a builder returns.
struct ModelParts {
  ModelInfo info;                                  ///< properties for programs
  std::unique_ptr<const Transformer> transformer;  ///< the layers
};

/// The inputs of a builder.
struct BuildContext {
  const Json& config;                               ///< the whole config.json, or its part for text
  std::string source_name;                          ///< the file named in errors about the configuration
  const RouterRegistry& routers;                    ///< kinds of routers, including those of the program
  const RouterDecoratorFactory& router_decorator;   ///< may be empty
  std::optional<Chunking> chunking = std::nullopt;  ///< approximates full attention
  Notes* notes = nullptr;                           ///< collects unread keys of the configuration
  std::string config_path = {};                     ///< of `config` in its file: "text_config"; empty for all of it
};

/// Checks the whole configuration, then fetches every tensor. Throws ConfigError, WeightError.
using ModelBuilder = std::function<ModelParts(const BuildContext& context, const WeightScope& weights)>;

}  // namespace trine::inline TRINE_ABI
