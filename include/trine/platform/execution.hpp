// SPDX-License-Identifier: Apache-2.0
// How a computation runs: instruction set, threads, and the caller's wish to stop. Passed down, never global.
#pragma once

#include <algorithm>
#include <cstddef>
#include <stop_token>

#include <trine/core/error.hpp>
#include <trine/platform/cpu_features.hpp>
#include <trine/platform/parallel_for.hpp>

namespace trine::inline TRINE_ABI {

/// Results do not depend on `threads`; they may differ in the last bits between instruction sets.
struct Execution {
  Isa isa = Isa::portable;
  std::size_t threads = 1;
  std::stop_token stop = {};

  /// Throws CancelledError when the caller asked for an end. Called between layers.
  void check_stop() const {
    if (stop.stop_requested()) throw CancelledError("cancelled by the caller");
  }
};

}  // namespace trine::inline TRINE_ABI
