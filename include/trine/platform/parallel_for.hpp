// SPDX-License-Identifier: Apache-2.0
// A loop distributed over the threads of an Executor.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <exception>
#include <type_traits>

#include <trine/platform/execution_context.hpp>

namespace trine::inline TRINE_ABI {

/// Calls `body(i)` or `body(i, worker)` once for each i in [0, count), on up to `threads` workers of the execution
/// context; which thread runs which i is unspecified, so bodies must write to separate memory. `worker` <
/// max(min(execution.num_workers(), threads, count), 1) belongs to one thread at a time, and can index scratch memory.
/// Returns when all calls have ended. The first exception of a body stops further calls and is rethrown here.
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

/// The same on all workers of the execution context.
template <class Body>
void parallel_for(const ExecutionContext& execution, std::size_t count, const Body& body) {
  parallel_for(execution, execution.num_threads, count, body);
}

}  // namespace trine::inline TRINE_ABI
