// SPDX-License-Identifier: Apache-2.0
#include <trine/platform/openmp_executor.hpp>

#include <atomic>
#include <stdexcept>
#include <vector>

#include <gmock/gmock.h>

#include <trine/platform/parallel_for.hpp>

#if TRINE_HAS_OPENMP

namespace trine {
namespace {

TEST(OpenMpExecutor, CallsEachIndexOnce) {
  for (const std::size_t workers : {0U, 1U, 2U, 3U, 8U}) {
    OpenMpExecutor executor(workers);
    for (const std::size_t count : {0U, 1U, 2U, 7U, 1000U}) {
      std::vector<int> calls(count);
      parallel_for({.num_threads = 8, .executor = &executor}, count, [&](std::size_t i, std::size_t worker) {
        EXPECT_LT(worker, executor.max_workers());
        ++calls[i];
      });
      EXPECT_THAT(calls, testing::Each(1)) << workers << " workers, " << count << " calls";
    }
  }
}

TEST(OpenMpExecutor, CarriesExceptionsOut) {
  OpenMpExecutor executor(2);
  EXPECT_THROW(parallel_for({.num_threads = 2, .executor = &executor}, 100,
                            [](std::size_t i) {
                              if (i == 50) throw std::runtime_error("fifty");
                            }),
               std::runtime_error);
}

// Counts the threads that it was used in.
struct StartedThread {
  static inline std::atomic<int> count{0};
  StartedThread() { ++count; }
  int used = 0;
};
thread_local StartedThread started_thread;

TEST(OpenMpExecutor, KeepsItsThreadsWhileCountsChange) {
  OpenMpExecutor executor(4);
  for (std::size_t i = 0; i < 20; ++i)
    parallel_for({.num_threads = 4, .executor = &executor}, i % 2 == 0 ? 8 : 2,
                 [](std::size_t) { ++started_thread.used; });
  EXPECT_LE(StartedThread::count, 4);
}

}  // namespace
}  // namespace trine

#endif
