// SPDX-License-Identifier: Apache-2.0
// A loop shared among the threads that an Executor lends.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <exception>
#include <type_traits>

#include <trine/platform/execution_context.hpp>

namespace trine::inline TRINE_ABI {

/// Calls `body(i)` or `body(i, worker)` once for each i in [0, count), on at most `threads` of the execution's workers;
/// which thread runs which i is not defined, so bodies must write to separate places. `worker` <
/// max(min(execution.num_workers(), threads, count), 1) belongs to one thread at a time: an index of scratch memory.
/// Returns when all calls have ended. The first exception that a body throws stops the handing out of further calls and
/// is rethrown here.
template <class Body>
void parallel_for(const ExecutionContext& execution, std::size_t threads, std::size_t count, const Body& body) {
  const auto call = [&body](std::size_t i, std::size_t worker) {
    if constexpr (std::is_invocable_v<const Body&, std::size_t, std::size_t>) {
      body(i, worker);
    } else {
      static_cast<void>(worker);
      body(i);
    }
  };
  const std::size_t workers = std::min({execution.num_workers(), threads, count});
  if (workers <= 1) {
    for (std::size_t i = 0; i < count; ++i) call(i, 0);
    return;
  }
  std::atomic<std::size_t> next{0};
  std::atomic<bool> failed{false};
  std::exception_ptr error;
  execution.executor->run(workers, [&](std::size_t worker) noexcept {
    const std::size_t i = next++;
    if (i >= count) return false;
    try {
      call(i, worker);
    } catch (...) {
      if (!failed.exchange(true)) error = std::current_exception();
      next.store(count);
    }
    return true;
  });
  if (error) std::rethrow_exception(error);
}

/// The same on all of the execution's workers.
template <class Body>
void parallel_for(const ExecutionContext& execution, std::size_t count, const Body& body) {
  parallel_for(execution, execution.num_threads, count, body);
}

}  // namespace trine::inline TRINE_ABI
