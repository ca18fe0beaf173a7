// SPDX-License-Identifier: Apache-2.0
// An adapter of a model: low-rank updates of its linear maps, and modules of its own, as PEFT saves them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <trine/core/abi.hpp>
#include <trine/core/notes.hpp>
#include <trine/text/tokenizer/regex.hpp>

namespace trine::inline TRINE_ABI {

class Model;     // model/model.hpp
struct LowRank;  // nn/low_rank.hpp

/// Options of Adapter::load.
struct AdapterOptions {
  /// For keys of rank_pattern and alpha_pattern that are regular expressions, such as trine::pcre2_regex. Without it
  /// such a key is an error.
  RegexCompiler regex = {};
  /// Names of config keys, `*` and `?` as in a shell, that are ignored although they are unknown.
  std::vector<std::string> allow_unknown = {};
};

/// Properties of an adapter.
struct AdapterInfo {
  std::string path;               ///< the directory that it was loaded from
  std::size_t parameters = 0;     ///< of all its tensors
  std::size_t linear_maps = 0;    ///< number of linear maps that it updates
  std::size_t saved_modules = 0;  ///< number of modules that it has whole weights for
  std::size_t min_rank = 0;       ///< smallest rank of its updates
  std::size_t max_rank = 0;       ///< largest rank of its updates
  bool uses_dora = false;         ///< whether an update is a DoRA
  std::vector<Note> notes;        ///< keys of its configuration that have no effect, and why
};

/// A handle: copies share the weights, which exist, and the model with them, as long as a copy or a sequence that uses
/// them does. Const, shareable between threads.
class Adapter {
 public:
  /// Opens a directory with adapter_config.json and adapter_model.safetensors of PEFT for this model. Every tensor must
  /// find the weights that it belongs to, with a matching shape, or nothing is loaded. Throws FileError; ConfigError
  /// and WeightError, also for everything that changes the result and is not supported; what `options.regex` throws
  /// when it gives up.
  [[nodiscard]] static Adapter load(const Model& model, const std::filesystem::path& directory,
                                    const AdapterOptions& options = {});

  /// Properties, for printing.
  [[nodiscard]] const AdapterInfo& info() const noexcept;
  /// [linear maps of the model] its updates by Linear::target(); null where it leaves a map alone.
  [[nodiscard]] std::span<const LowRank* const> maps() const noexcept;
  /// A hash of everything that changes results.
  [[nodiscard]] std::uint64_t fingerprint() const noexcept;
  /// Returns whether it was loaded for this model.
  [[nodiscard]] bool is_for(const Model& model) const noexcept;
  /// Throws InputError unless it was.
  void require_model(const Model& model) const;

 private:
  friend class AdapterReader;
  struct State;
  explicit Adapter(std::shared_ptr<const State> state) : state_(std::move(state)) {}

  std::shared_ptr<const State> state_;
};

/// An adapter as a sequence uses it.
struct AdapterUse {
  Adapter adapter;     ///< loaded for the model of the sequence
  float scale = 1.0F;  ///< multiplies the adapter's own scale, but for whole weights; 0: as without it
};

}  // namespace trine::inline TRINE_ABI

#if TRINE_HEADER_ONLY
#include <trine/adapters/adapter.inl>
#endif
