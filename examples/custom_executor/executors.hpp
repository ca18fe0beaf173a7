// SPDX-License-Identifier: Apache-2.0
// trine's work on threads that a program has already: those of a queue of jobs, and those of oneTBB.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>

#include <trine/platform/executor.hpp>

#include "job_queue.hpp"

#ifdef HAS_TBB
#include <tbb/task_arena.h>
#include <tbb/task_group.h>
#endif

/// Pushes a job for each helper that a region could use. A job that comes too late, when the region has ended, finds
/// that and does nothing, so that the queue may be as busy as it likes.
class JobQueueExecutor final : public trine::Executor {
 public:
  explicit JobQueueExecutor(JobQueue& queue) : queue_(queue) {}

  [[nodiscard]] std::size_t max_workers() const noexcept override { return queue_.num_threads() + 1; }

  void run(std::size_t workers, trine::RegionWork work) override {
    const auto region = std::make_shared<Region>();  // outlives the call: jobs may come later
    try {
      for (std::size_t worker = 1; worker < workers; ++worker) queue_.push([=] { help(*region, work, worker); });
    } catch (const std::bad_alloc&) {  // fewer helpers do as well
    }
    while (work(0)) {
    }
    region->close();
  }

 private:
  // Counts who is inside; once closed, nobody enters.
  class Region {
   public:
    [[nodiscard]] bool enter() {
      std::uint64_t inside = inside_.load();
      while (inside < kClosed)
        if (inside_.compare_exchange_weak(inside, inside + 1)) return true;
      return false;
    }
    void leave() {
      if (inside_.fetch_sub(1) == kClosed + 1) inside_.notify_one();
    }
    void close() {
      for (std::uint64_t inside = inside_.fetch_add(kClosed) + kClosed; inside != kClosed; inside = inside_.load())
        inside_.wait(inside);
    }

   private:
    static constexpr std::uint64_t kClosed = std::uint64_t{1} << 32U;
    std::atomic<std::uint64_t> inside_{0};
  };

  static void help(Region& region, trine::RegionWork work, std::size_t worker) {
    if (!region.enter()) return;
    while (work(worker)) {
    }
    region.leave();
  }

  JobQueue& queue_;
};

#ifdef HAS_TBB
/// The workers of oneTBB, in an arena so that a program can say how many of them are trine's.
class TbbExecutor final : public trine::Executor {
 public:
  explicit TbbExecutor(int threads = tbb::task_arena::automatic) : arena_(threads) {}

  [[nodiscard]] std::size_t max_workers() const noexcept override {
    return static_cast<std::size_t>(arena_.max_concurrency());
  }
  void run(std::size_t workers, trine::RegionWork work) override {
    tbb::task_group helpers;
    arena_.execute([&] {
      for (std::size_t worker = 1; worker < workers; ++worker) {
        helpers.run([=] {
          while (work(worker)) {
          }
        });
      }
    });
    while (work(0)) {
    }
    arena_.execute([&] { helpers.wait(); });
  }

 private:
  mutable tbb::task_arena arena_;
};
#endif
