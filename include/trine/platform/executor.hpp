// SPDX-License-Identifier: Apache-2.0
// Who lends threads to a pass: the interface between trine and a pool of threads, its own or the program's.
#pragma once

#include <cstddef>

#include <trine/core/function_ref.hpp>

namespace trine::inline TRINE_ABI {

/// Does one piece of a region's work as worker w, and returns whether it did: false when no piece is left. Does not
/// throw.
using RegionWork = FunctionRef<bool(std::size_t w)>;

/// Lends threads. Implementations: ThreadPool (the default), OpenMpExecutor, and what a program writes for a pool of
/// its own (examples/custom_executor).
class Executor {
 public:
  virtual ~Executor() = default;
  Executor() = default;
  Executor(const Executor&) = delete;
  Executor& operator=(const Executor&) = delete;

  /// The most threads that can work on one region, the caller's among them; at least 1, and the same at every call.
  [[nodiscard]] virtual std::size_t max_workers() const noexcept = 0;

  /// Calls `while (work(0)) {}` in the calling thread and, where threads are free meanwhile, `while (work(w)) {}` in
  /// others, each w in [1, workers) in one of them. Returns when every call that began has ended. A thread that comes
  /// when the caller's loop has ended need not begin. `workers` <= max_workers(). Called from several threads at once,
  /// and from inside `work`.
  virtual void run(std::size_t workers, RegionWork work) = 0;
};

}  // namespace trine::inline TRINE_ABI
