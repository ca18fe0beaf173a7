// SPDX-License-Identifier: Apache-2.0
// An executor for programs that already use OpenMP. The only user of OpenMP; empty if it is off.
#pragma once

#include <trine/core/abi.hpp>

#if TRINE_HAS_OPENMP

#include <algorithm>
#include <cstddef>

#include <omp.h>

#include <trine/platform/executor.hpp>

namespace trine::inline TRINE_ABI {

/// Runs regions as OpenMP teams. Unlike with ThreadPool, a region waits for every thread of its team, OpenMP ends the
/// process if the system refuses a thread, and a child created by fork() hangs in its first region. Set
/// OMP_WAIT_POLICY=passive if the processors are shared with other work.
class OpenMpExecutor final : public Executor {
 public:
  /// `workers`: threads of a team. The default is that of OpenMP (OMP_NUM_THREADS), otherwise one per processor.
  explicit OpenMpExecutor(std::size_t workers = static_cast<std::size_t>(std::max(1, omp_get_max_threads()))) noexcept
      : workers_(std::clamp<std::size_t>(workers, 1, 4 * static_cast<std::size_t>(std::max(1, omp_get_num_procs())))) {}

  [[nodiscard]] std::size_t max_workers() const noexcept override { return workers_; }

  /// Always opens a team of max_workers() threads: OpenMP ends threads that a region does not use, and restarts them
  /// for the next.
  void run(std::size_t workers, RegionWork work) override {
#pragma omp parallel num_threads(static_cast <int>(workers_))
    {
      const auto worker = static_cast<std::size_t>(omp_get_thread_num());
      while (worker < workers && work(worker)) {
      }
    }
  }

 private:
  std::size_t workers_;
};

}  // namespace trine::inline TRINE_ABI

#endif
