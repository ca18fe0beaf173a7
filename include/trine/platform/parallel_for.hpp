// SPDX-License-Identifier: Apache-2.0
// The only user of OpenMP. Without OpenMP the same calls run in the caller's thread.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <exception>
#include <type_traits>

#include <trine/core/abi.hpp>

#if TRINE_HAS_OPENMP
#include <omp.h>
#endif

namespace trine::inline TRINE_ABI {

/// Most threads of one team: OpenMP ends the process when the system refuses it a thread, so we do not ask for many
/// more than can run.
[[nodiscard]] inline std::size_t most_threads() noexcept {
#if TRINE_HAS_OPENMP
  return 4 * static_cast<std::size_t>(std::max(1, omp_get_num_procs()));
#else
  return 1;
#endif
}

/// Calls `body(i)` or `body(i, worker)` once for each i in [0, count), on at most `threads` threads; which thread runs
/// which i is not defined, so bodies must write to separate places. `worker` < max(min(threads, count), 1) belongs to
/// one thread at a time: an index of scratch memory. Returns when all calls have ended. The first exception that a body
/// throws stops the handing out of further calls and is rethrown here. Ask for the same threads each time, or for one,
/// however small the count: OpenMP ends threads that a region does not ask for, and starts them again for the next.
template <class Body>
void parallel_for(std::size_t threads, std::size_t count, const Body& body) {
  const auto call = [&body](std::size_t i, std::size_t worker) {
    if constexpr (std::is_invocable_v<const Body&, std::size_t, std::size_t>) {
      body(i, worker);
    } else {
      static_cast<void>(worker);
      body(i);
    }
  };
#if TRINE_HAS_OPENMP
  const std::size_t present = std::min(threads, most_threads());
  const std::size_t team = std::min(present, count);
  if (team > 1) {
    std::atomic<std::size_t> next{0};
    std::atomic<bool> failed{false};
    std::exception_ptr error;
#pragma omp parallel num_threads(static_cast <int>(present))
    {
      const auto worker = static_cast<std::size_t>(omp_get_thread_num());
      for (std::size_t i = worker < team ? next++ : count; i < count; i = next++) {
        try {
          call(i, worker);
        } catch (...) {
          if (!failed.exchange(true)) error = std::current_exception();
          next.store(count);
        }
      }
    }
    if (error) std::rethrow_exception(error);
    return;
  }
#else
  static_cast<void>(threads);
#endif
  for (std::size_t i = 0; i < count; ++i) call(i, 0);
}

/// Threads worth using on this machine: what OpenMP was told (OMP_NUM_THREADS), otherwise the processors this process
/// may run on.
[[nodiscard]] inline std::size_t default_threads() noexcept {
#if TRINE_HAS_OPENMP
  return std::min(static_cast<std::size_t>(std::max(1, omp_get_max_threads())), most_threads());
#else
  return 1;
#endif
}

}  // namespace trine::inline TRINE_ABI
