// SPDX-License-Identifier: Apache-2.0
// Writes a model directory with adapters merged into its weights.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>

#include <trine/adapters/adapter.hpp>
#include <trine/core/dtype.hpp>
#include <trine/model/load_options.hpp>

namespace trine::inline TRINE_ABI {

/// How a merge runs, and what it writes.
struct MergeOptions {
  /// f32, bf16 or f16: of every matrix. nullopt: the type that it is stored in, and bf16 for quantised ones. Vectors
  /// (norms, biases) keep theirs, but for biases that an adapter changes.
  std::optional<DType> dtype = std::nullopt;
  std::uint64_t max_shard_bytes = 5'000'000'000;  ///< of a file of weights, unless a single tensor is larger
  std::size_t num_threads = 0;                    ///< 0: default_threads(). Changes no byte
  std::stop_token cancel = {};  ///< ends with CancelledError after the next few megabytes, and nothing is kept
  std::function<void(std::uint64_t done, std::uint64_t total)> progress = {};  ///< bytes of the result
};

/// What a merge wrote.
struct MergeInfo {
  std::size_t linear_maps = 0;  ///< whose weights differ from the model's
  std::size_t num_shards = 0;   ///< files of weights
  std::uint64_t bytes = 0;      ///< of all tensors
  bool untied = false;          ///< the head was the embedding, and is a tensor of its own now
};

/// Opens a model directory; then merges adapters that were loaded for its model.
class AdapterMerger {
 public:
  /// Opens a model directory as Model::load does, and throws what it throws.
  explicit AdapterMerger(const std::filesystem::path& directory, const LoadOptions& load = {});
  ~AdapterMerger();
  /// Movable, not copyable.
  AdapterMerger(AdapterMerger&&) noexcept;
  /// Movable, not copyable.
  AdapterMerger& operator=(AdapterMerger&&) noexcept;

  /// The model, for Adapter::load.
  [[nodiscard]] const Model& model() const noexcept;

  /// Writes the directory `target`: the weights as safetensors, in the names of the model's files; config.json, without
  /// a quantization_config; copies of the other files, except other weights, folders and self_test.json. Each weight W
  /// of a linear map becomes what the adapters make of it, in their order: a weight in its place (modules_to_save),
  /// then
  ///   W + s B A, with s = scale times the adapter's own, and g (W + s B A) row by row with DoRA (LowRank),
  /// computed in f32 and rounded once. What a model computes with the adapters, it computes with the merged weights up
  /// to that rounding. The directory appears when it is completely on disk and loads.
  ///
  /// Throws FileError: `target` exists, the disk is full, or a file of the model has changed; InputError: `target` lies
  /// in the model, the adapters are none that AdapterSet takes, an adapter has a bias for a map without one, or the
  /// type is none of the three; WeightError: a merged weight is not finite in its type; CancelledError. Nothing is left
  /// then.
  MergeInfo write(std::span<const AdapterUse> adapters, const std::filesystem::path& target,
                  const MergeOptions& options = {}) const;

 private:
  struct State;
  std::unique_ptr<const State> state_;
};

}  // namespace trine::inline TRINE_ABI

#if TRINE_HEADER_ONLY
#include <trine/adapters/merge.inl>
#endif
