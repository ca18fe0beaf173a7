// SPDX-License-Identifier: Apache-2.0
// The interface between trine and a thread pool, its own or the program's, that supplies threads to a pass.
#pragma once

#include <cstddef>

#include <trine/core/function_ref.hpp>

namespace trine::inline TRINE_ABI {

/// Does one piece of a region's work as worker w. Returns false if no piece is left. Does not throw.
using RegionWork = FunctionRef<bool(std::size_t w)>;

/// Supplies threads. Implementations: ThreadPool (the default), OpenMpExecutor, and those of programs with their own
/// pool (examples/custom_executor).
class Executor {
 public:
  virtual ~Executor() = default;
  Executor() = default;
  Executor(const Executor&) = delete;
  Executor& operator=(const Executor&) = delete;

  /// The maximum number of threads for one region, including the caller's; at least 1, and constant.
  [[nodiscard]] virtual std::size_t max_workers() const noexcept = 0;

  /// Calls `while (work(0)) {}` in the calling thread and, on other threads that are free, `while (work(w)) {}` with a
  /// different w in [1, workers) each. Returns after every started call has ended. Threads need not start after the
  /// caller's loop has ended. `workers` <= max_workers(). Called from several threads at once, and from inside `work`.
  virtual void run(std::size_t workers, RegionWork work) = 0;
};

}  // namespace trine::inline TRINE_ABI
