// SPDX-License-Identifier: Apache-2.0
// Threads for tests of what lies below a session.
#pragma once

#include <cstddef>

#include <trine/platform/thread_pool.hpp>

namespace trine::test {

/// A pool that the tests of a program share, so that results on several threads come from several threads.
[[nodiscard]] inline Executor* test_executor() {
  static ThreadPool pool(8);
  return &pool;
}

}  // namespace trine::test
