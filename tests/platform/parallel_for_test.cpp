// SPDX-License-Identifier: Apache-2.0
#include <trine/platform/parallel_for.hpp>

#include <atomic>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>

#include "support/test_executor.hpp"

namespace trine {
namespace {

using testing::Each;

ExecutionContext on(std::size_t threads) { return {.num_threads = threads, .executor = test::test_executor()}; }

TEST(ParallelFor, CallsEachIndexOnceForAnyNumberOfThreads) {
  for (const std::size_t threads : {0U, 1U, 2U, 3U, 8U, 1000U}) {
    for (const std::size_t count : {0U, 1U, 2U, 7U, 1000U}) {
      std::vector<int> calls(count);
      parallel_for(on(threads), count, [&](std::size_t i) { ++calls[i]; });
      EXPECT_THAT(calls, Each(1)) << threads << " threads, " << count << " calls";
    }
  }
}

TEST(ParallelFor, StaysInTheThreadOfTheCallerWithoutAnExecutor) {
  const std::thread::id caller = std::this_thread::get_id();
  parallel_for(ExecutionContext{.num_threads = 8}, 100,
               [&](std::size_t) { EXPECT_EQ(std::this_thread::get_id(), caller); });
}

TEST(ParallelFor, UsesNoMoreWorkersThanItIsTold) {
  parallel_for(on(8), 2, 100, [&](std::size_t, std::size_t worker) { EXPECT_LT(worker, 2U); });
  parallel_for(on(3), 100, [&](std::size_t, std::size_t worker) { EXPECT_LT(worker, 3U); });
  parallel_for(on(8), 5, [&](std::size_t, std::size_t worker) { EXPECT_LT(worker, 5U); });
}

TEST(ParallelFor, RethrowsWhatABodyThrew) {
  for (const std::size_t threads : {1U, 2U, 8U}) {
    try {
      parallel_for(on(threads), 100, [](std::size_t i) {
        if (i == 37) throw std::invalid_argument("thirty-seven");
      });
      FAIL() << threads << " threads: expected an exception";
    } catch (const std::invalid_argument& error) {
      EXPECT_STREQ(error.what(), "thirty-seven");
    }
  }
}

TEST(ParallelFor, RethrowsOneExceptionWhenEveryBodyThrows) {
  for (const std::size_t threads : {1U, 2U, 8U}) {
    int caught = 0;
    try {
      parallel_for(on(threads), 1000, [](std::size_t i) { throw std::runtime_error(std::to_string(i)); });
    } catch (const std::runtime_error&) {
      ++caught;
    }
    EXPECT_EQ(caught, 1);
  }
}

TEST(ParallelFor, HandsOutNoFurtherCallsAfterAnException) {
  std::atomic<std::size_t> calls{0};
  constexpr std::size_t kCount = 100000000;  // would take seconds
  EXPECT_THROW(parallel_for(on(2), kCount,
                            [&](std::size_t) {
                              ++calls;
                              throw std::runtime_error("at once");
                            }),
               std::runtime_error);
  EXPECT_LE(calls, 2U);  // at most what each thread had in hand
}

TEST(ParallelFor, WorksAgainAfterAnException) {
  EXPECT_THROW(parallel_for(on(4), 4, [](std::size_t) { throw 1; }), int);
  std::vector<int> calls(100);
  parallel_for(on(4), 100, [&](std::size_t i) { ++calls[i]; });
  EXPECT_THAT(calls, Each(1));
}

TEST(ParallelFor, MayBeNested) {
  std::vector<std::atomic<int>> calls(64);
  parallel_for(on(4), 8, [&](std::size_t i) { parallel_for(on(4), 8, [&](std::size_t j) { ++calls[i * 8 + j]; }); });
  for (const auto& count : calls) EXPECT_EQ(count, 1);
}

TEST(ParallelFor, CarriesAnExceptionOutOfTheInnerOfTwo) {
  EXPECT_THROW(parallel_for(on(2), 4,
                            [](std::size_t) {
                              parallel_for(on(2), 4, [](std::size_t) { throw std::runtime_error("inside"); });
                            }),
               std::runtime_error);
}

TEST(ParallelForConcurrency, MayBeCalledFromSeveralThreadsOfTheUser) {
  std::vector<std::vector<int>> calls(4, std::vector<int>(200));
  std::vector<std::thread> users;
  for (auto& mine : calls)
    users.emplace_back([&mine] { parallel_for(on(2), mine.size(), [&](std::size_t i) { ++mine[i]; }); });
  for (auto& user : users) user.join();
  for (const auto& mine : calls) EXPECT_THAT(mine, Each(1));
}

}  // namespace
}  // namespace trine
