// SPDX-License-Identifier: Apache-2.0
// A loaded model: weights and layers, const and shareable between threads. Sessions run it (generate/session.hpp).
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <utility>

#include <trine/core/abi.hpp>
#include <trine/json/fwd.hpp>
#include <trine/model/load_options.hpp>
#include <trine/model/model_builder.hpp>
#include <trine/quant/kv_cache_dtype.hpp>

namespace trine::inline TRINE_ABI {

struct LinearMap;    // weights/linear_maps.hpp
class LoadMonitor;   // model/load_monitor.hpp
class Notes;         // core/notes.hpp
class TensorRecord;  // weights/tensor_record.hpp
class WeightReader;  // weights/weight_scope.hpp
class WeightSource;  // weights/weight_source.hpp

/// A handle: copies share the same weights, which exist as long as a copy or a session does.
class Model {
 public:
  /// Opens a model directory: config.json and the weights, in any format of open_weights.hpp; or a GGUF file, the first
  /// part of a split one, whose metadata is the configuration (architectures/gguf/config.hpp). The weights are mapped,
  /// not copied; everything is checked before a tensor is used. Throws FileError, ConfigError, WeightError;
  /// CancelledError after `options.cancel`, and nothing of the load is left then; what `options.progress` and the hooks
  /// throw.
  [[nodiscard]] static Model load(const std::filesystem::path& path, const LoadOptions& options = {});

  /// The same from a configuration, which `source_name` names in errors, and any weight source. `options.access` and
  /// `hooks.wrap_weights` are ignored. Throws ConfigError, WeightError; CancelledError and what the callbacks throw, as
  /// above.
  [[nodiscard]] static Model build(const Json& config, const std::string& source_name,
                                   std::unique_ptr<const WeightSource> source, const LoadOptions& options = {});

  /// The role of each tensor of `source` in the model that `config` describes: builds the model and discards it. Throws
  /// as `build` does.
  [[nodiscard]] static TensorRecord tensor_record(const Json& config, const std::string& source_name,
                                                  const WeightSource& source, const LoadOptions& options = {});

  /// Properties of the model: vocabulary, context, layers, experts, outputs.
  [[nodiscard]] const ModelInfo& info() const noexcept;
  /// The config.json; of a GGUF file, the one that was made from its metadata.
  [[nodiscard]] const Json& config() const noexcept;
  /// The layers, for computing without a Session.
  [[nodiscard]] const Transformer& transformer() const noexcept;
  /// The source of the tensors. Valid as long as a copy of the model exists.
  [[nodiscard]] const WeightSource& weights() const noexcept;
  /// Bytes of all tensors as stored, mapped or read.
  [[nodiscard]] std::size_t weight_bytes() const noexcept;
  /// Its linear maps, by Linear::target(): what adapters may update.
  [[nodiscard]] std::span<const LinearMap> linear_maps() const noexcept;

  /// Identifies a model: a hash of the configuration, of the chunks if attention is approximated, of the names, types
  /// and shapes of all tensors, and of some bytes of each. Reads a few pages per tensor.
  [[nodiscard]] std::uint64_t fingerprint() const;

  /// Bytes of the caches of one sequence of `tokens` tokens.
  [[nodiscard]] std::size_t cache_bytes(std::size_t tokens, KvCacheDtype type = KvCacheDtype::f32) const;

 private:
  struct State;

  explicit Model(std::shared_ptr<const State> state) : state_(std::move(state)) {}

  static Model build(const Json& config, const std::string& source_name, std::unique_ptr<const WeightSource> source,
                     const LoadOptions& options, Notes notes, LoadMonitor& monitor);

  static ModelParts build_parts(const Json& config, const std::string& source_name, const LoadOptions& options,
                                Notes& notes, WeightReader& reader);

  static const ModelBuilder& find_architecture(const Json& config, const std::string& source_name,
                                               const ArchitectureRegistry& known);

  std::shared_ptr<const State> state_;
};

}  // namespace trine::inline TRINE_ABI

#if TRINE_HEADER_ONLY
#include <trine/model/model.inl>
#endif
