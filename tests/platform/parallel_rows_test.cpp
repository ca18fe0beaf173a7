// SPDX-License-Identifier: Apache-2.0
#include <trine/platform/parallel_rows.hpp>

#include <atomic>
#include <stdexcept>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "support/test_executor.hpp"

namespace trine {
namespace {

TEST(ParallelRowsConcurrency, CallsEachRowOnce) {
  for (const std::size_t rows : {0U, 1U, 15U, 16U, 17U, 33U, 1000U}) {
    for (const std::size_t width : {std::size_t{0}, std::size_t{1}, kRowWork / 16, kRowWork, 3 * kRowWork}) {
      for (const std::size_t threads : {0U, 1U, 2U, 3U}) {
        std::vector<std::atomic<int>> calls(rows);
        parallel_rows({.num_threads = threads, .executor = test::test_executor()}, rows, width,
                      [&](std::size_t r) { ++calls[r]; });
        for (std::size_t r = 0; r < rows; ++r) ASSERT_EQ(calls[r], 1) << rows << ' ' << width << ' ' << threads;
      }
    }
  }
}

TEST(ParallelRows, StaysInTheThreadOfTheCallerWithLittleToDo) {
  const std::thread::id caller = std::this_thread::get_id();
  parallel_rows({.num_threads = 4, .executor = test::test_executor()}, 16, kRowWork / 16,
                [&](std::size_t) { EXPECT_EQ(std::this_thread::get_id(), caller); });
}

TEST(ParallelRows, RethrowsWhatARowThrows) {
  EXPECT_THROW(parallel_rows({.num_threads = 2, .executor = test::test_executor()}, 100, kRowWork,
                             [](std::size_t r) {
                               if (r == 50) throw std::runtime_error("row 50");
                             }),
               std::runtime_error);
}

}  // namespace
}  // namespace trine
