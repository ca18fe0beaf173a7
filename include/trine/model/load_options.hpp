// SPDX-License-Identifier: Apache-2.0
// What a program may ask of a load.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include <trine/attention/chunking.hpp>
#include <trine/model/architectures/all.hpp>
#include <trine/model/model_builder.hpp>
#include <trine/platform/mapped_file.hpp>
#include <trine/routing/router_registry.hpp>

namespace trine::inline TRINE_ABI {

class WeightSource;  // weights/weight_source.hpp

/// How far a load has come: bytes of the weight files with FileAccess::read, which take the time then, otherwise of the
/// tensors that have their place in a layer.
struct LoadProgress {
  std::uint64_t bytes_done = 0;   ///< never less than before
  std::uint64_t bytes_total = 0;  ///< above 0; bytes_done in the last call
  std::string_view name;          ///< of that file or tensor, empty for tensors that the model ignores; for this call
};

/// Called in the thread that loads. What it throws ends the load. Not called where there are no weights to wait for.
using LoadCallback = std::function<void(const LoadProgress& progress)>;

/// Puts something around the weights that Model::load opened, or in their place.
using WeightWrapper = std::function<std::unique_ptr<const WeightSource>(std::unique_ptr<const WeightSource>)>;

/// What a program puts into a model, around its parts or in their place: for research, and for models of one's own.
struct LoadHooks {
  RouterRegistry routers = {};                               ///< add kinds of your own here
  RouterDecoratorFactory router_decorator = {};              ///< force, mask, record, replay or replace routers
  WeightWrapper wrap_weights = {};                           ///< sees every weight source before the layers do
  ArchitectureRegistry architectures = all_architectures();  ///< builders by model_type; add your own here
};

/// How a model is loaded. The defaults suit every published model.
struct LoadOptions {
  FileAccess access = FileAccess::map;              ///< map weight files, or read them into memory
  std::optional<Chunking> chunking = std::nullopt;  ///< approximates full attention: docs/how-to/long-contexts.md
  /// Names of config keys and tensors, `*` and `?` as in a shell, that are ignored although nobody knows what they
  /// mean.
  std::vector<std::string> allow_unknown = {};
  LoadCallback progress = {};   ///< is told how far the load has come
  std::stop_token cancel = {};  ///< ends the load within one tensor, or 16 MiB that are read, with a CancelledError
  LoadHooks hooks = {};         ///< parts of the program's own
};

}  // namespace trine::inline TRINE_ABI
