// SPDX-License-Identifier: Apache-2.0
// A loaded model: weights and layers, const and shareable between threads. Sessions run it (generate/session.hpp).
#pragma once

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <trine/core/hash.hpp>
#include <trine/model/architectures/all.hpp>
#include <trine/model/quantization_config.hpp>
#include <trine/weights/open_weights.hpp>

namespace trine::inline TRINE_ABI {

/// Wraps or replaces the weights that Model::load opened.
using WeightWrapper = std::function<std::unique_ptr<const WeightSource>(std::unique_ptr<const WeightSource>)>;

/// How a model is loaded. The defaults suit every published model.
struct LoadOptions {
  FileAccess access = FileAccess::map;              ///< map weight files, or read them into memory
  RouterRegistry routers = {};                      ///< add your own kinds here
  RouterDecoratorFactory router_decorator = {};     ///< force, mask, record, replay or replace routers
  WeightWrapper wrap_weights = {};                  ///< wraps the weight source before layers read it
  std::optional<Chunking> chunking = std::nullopt;  ///< approximates full attention: docs/how-to/long-contexts.md
  ArchitectureRegistry architectures = all_architectures();  ///< builders by model_type; add your own here
  /// Names of config keys and tensors, `*` and `?` as in a shell, that are ignored although they are unknown.
  std::vector<std::string> allow_unknown = {};
};

/// A handle: copies share the same weights, which exist as long as a copy or a session does.
class Model {
 public:
  /// Opens a model directory: config.json and the weights, in any format of open_weights.hpp. The weights are mapped,
  /// not copied; everything is checked before a tensor is used. Throws FileError, ConfigError, WeightError.
  [[nodiscard]] static Model load(const std::filesystem::path& directory, const LoadOptions& options = {}) {
    const std::string source_name = (directory / "config.json").string();
    const Json config = read_json_file(source_name);
    static_cast<void>(find_architecture(config, source_name, options.architectures));  // before the weights are opened
    Notes notes(options.allow_unknown);
    auto source = open_weights(directory, options.access, &notes);
    if (options.wrap_weights) source = options.wrap_weights(std::move(source));
    return build(config, source_name, std::move(source), options, std::move(notes));
  }

  /// The same from a configuration, which `source_name` names in errors, and any weight source. `options.access` and
  /// `wrap_weights` are ignored. Throws ConfigError, WeightError.
  [[nodiscard]] static Model build(const Json& config, const std::string& source_name,
                                   std::unique_ptr<const WeightSource> source, const LoadOptions& options = {}) {
    return build(config, source_name, std::move(source), options, Notes(options.allow_unknown));
  }

  /// The role of each tensor of `source` in the model that `config` describes: builds the model and discards it. Throws
  /// as `build` does.
  [[nodiscard]] static TensorRecord tensor_record(const Json& config, const std::string& source_name,
                                                  const WeightSource& source, const LoadOptions& options = {}) {
    LoadOptions dry = options;
    dry.router_decorator = {};  // must only see routers of real models
    Notes notes(options.allow_unknown);
    WeightReader reader(source, parse_quantization_config(config, source_name, notes), &notes);
    static_cast<void>(build_parts(config, source_name, dry, notes, reader));
    return reader.record();
  }

  /// Properties of the model: vocabulary, context, layers, experts, outputs.
  [[nodiscard]] const ModelInfo& info() const noexcept { return state_->built.info; }
  /// The layers, for computing without a Session.
  [[nodiscard]] const Transformer& transformer() const noexcept { return *state_->built.transformer; }
  /// The source of the tensors. Valid as long as a copy of the model exists.
  [[nodiscard]] const WeightSource& weights() const noexcept { return *state_->source; }
  /// Bytes of all tensors as stored, mapped or read.
  [[nodiscard]] std::size_t weight_bytes() const noexcept { return state_->weight_bytes; }

  /// Identifies a model: a hash of the configuration, of the chunks if attention is approximated, of the names, types
  /// and shapes of all tensors, and of some bytes of each. Reads a few pages per tensor.
  [[nodiscard]] std::uint64_t fingerprint() const {
    constexpr std::size_t kSample = 1024;  // bytes at the beginning, in the middle and at the end
    Hash hash;
    hash.add(state_->config_hash);
    for (const std::string_view name : weights().names()) {
      const StoredTensor& tensor = *weights().find(name);
      hash.add(name);
      hash.add(to_string(tensor.dtype));
      for (const std::size_t extent : tensor.shape) hash.add(std::uint64_t{extent});
      const std::span<const std::byte> bytes = tensor.bytes;
      const std::size_t count = std::min(kSample, bytes.size());
      hash.add(bytes.first(count));
      hash.add(bytes.subspan((bytes.size() - count) / 2, count));
      hash.add(bytes.last(count));
    }
    return hash.value();
  }

  /// Bytes of the caches of one sequence of `tokens` tokens.
  [[nodiscard]] std::size_t cache_bytes(std::size_t tokens, KvCacheDtype type = KvCacheDtype::f32) const {
    std::size_t total = 0;
    for (const Block& block : transformer().blocks()) total += block.attention->cache_bytes(tokens, type);
    return total;
  }

 private:
  struct State {
    std::unique_ptr<const WeightSource> source;  // declared before `built`, whose layers borrow from it
    ModelParts built;
    std::size_t weight_bytes = 0;
    std::uint64_t config_hash = 0;
  };

  explicit Model(std::shared_ptr<const State> state) : state_(std::move(state)) {}

  static Model build(const Json& config, const std::string& source_name, std::unique_ptr<const WeightSource> source,
                     const LoadOptions& options, Notes notes) {
    auto state = std::make_shared<State>();
    state->source = std::move(source);
    WeightReader reader(*state->source, parse_quantization_config(config, source_name, notes), &notes);
    state->built = build_parts(config, source_name, options, notes, reader);
    state->built.info.notes = notes.all();
    state->built.info.unknown_tensors = notes.unknown_tensors();
    Hash hash;
    hash.add(config.dump());
    if (options.chunking) {
      hash.add(std::uint64_t{options.chunking->size});
      hash.add(std::uint64_t{options.chunking->overlap});
    }
    state->config_hash = hash.value();
    for (const std::string_view name : state->source->names())
      state->weight_bytes += state->source->find(name)->bytes.size();
    return Model(std::move(state));
  }

  static ModelParts build_parts(const Json& config, const std::string& source_name, const LoadOptions& options,
                                Notes& notes, WeightReader& reader) {
    const ModelBuilder& architecture = find_architecture(config, source_name, options.architectures);
    ModelParts built =
        architecture({config, source_name, options.routers, options.router_decorator, options.chunking, &notes},
                     WeightScope(reader));
    reader.require_all_fetched();
    return built;
  }

  static const ModelBuilder& find_architecture(const Json& config, const std::string& source_name,
                                               const ArchitectureRegistry& known) {
    ObjectReader reader(config, source_name);
    const std::string type = reader.string("model_type");
    const auto found = known.find(type);
    if (found != known.end()) return found->second;
    std::string names;
    for (const auto& [name, architecture] : known) names += (names.empty() ? "" : ", ") + name;
    reader.fail("model_type", in_quotes(type) + " is not supported; supported are " + names, ErrorKind::unsupported);
  }

  std::shared_ptr<const State> state_;
};

}  // namespace trine::inline TRINE_ABI
