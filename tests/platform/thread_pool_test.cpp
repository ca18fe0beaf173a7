// SPDX-License-Identifier: Apache-2.0
#include <trine/platform/thread_pool.hpp>

#include <atomic>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <latch>
#include <numeric>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>
#include <pthread.h>
#include <sys/resource.h>

#include <trine/platform/parallel_for.hpp>

#include "support/in_child.hpp"

namespace trine {
namespace {

using namespace std::chrono_literals;

// The sum of 0 to 99, computed on `workers` workers of a pool.
int sum_on(Executor& executor, std::size_t workers) {
  std::atomic<int> sum{0};
  parallel_for({.num_threads = workers, .executor = &executor}, 100,
               [&](std::size_t i) { sum += static_cast<int>(i); });
  return sum;
}

// Runs `body(worker)` on each of `workers` workers at once, whatever the machine does meanwhile. Sleepers are woken for
// work that lasts: a piece before the others makes it so.
template <class Body>
void on_each_of(Executor& executor, std::size_t workers, const Body& body) {
  std::latch everyone(static_cast<std::ptrdiff_t>(workers));
  parallel_for({.num_threads = workers, .executor = &executor}, workers + 1,
               [&](std::size_t piece, std::size_t worker) {
                 if (piece == 0) return std::this_thread::sleep_for(1ms);
                 body(worker);
                 everyone.arrive_and_wait();
               });
}

TEST(ThreadPoolConcurrency, WorksInAsManyThreadsAsItWasTold) {
  ThreadPool pool(3);
  EXPECT_EQ(pool.max_workers(), 3U);
  EXPECT_EQ(pool.started_threads(), 0U);  // not before there is work
  for (int i = 0; i < 20; ++i) {
    std::mutex mutex;
    std::set<std::thread::id> threads;
    std::set<std::size_t> workers;
    on_each_of(pool, 3, [&](std::size_t worker) {
      const std::lock_guard lock(mutex);
      threads.insert(std::this_thread::get_id());
      workers.insert(worker);
    });
    EXPECT_EQ(threads.size(), 3U);
    EXPECT_EQ(workers, (std::set<std::size_t>{0, 1, 2}));
    EXPECT_EQ(threads.count(std::this_thread::get_id()), 1U);
  }
  EXPECT_EQ(pool.started_threads(), 2U);
}

TEST(ThreadPoolConcurrency, StartsNoMoreThreadsThanAreAskedFor) {
  ThreadPool pool(4);
  EXPECT_EQ(sum_on(pool, 2), 4950);
  EXPECT_EQ(pool.started_threads(), 1U);
  EXPECT_EQ(sum_on(pool, 4), 4950);
  EXPECT_EQ(pool.started_threads(), 3U);
}

TEST(ThreadPoolConcurrency, DoesNotWaitForAWorkerThatIsElsewhere) {
  ThreadPool pool(2);
  std::latch taken(2);
  std::latch finished(1);
  std::thread other([&] {  // takes the only helper, and keeps it until the work below is done
    on_each_of(pool, 2, [&](std::size_t) {
      taken.count_down();
      finished.wait();
    });
  });
  taken.wait();
  EXPECT_EQ(sum_on(pool, 2), 4950);
  finished.count_down();
  other.join();
}

TEST(ThreadPoolConcurrency, ServesMoreCallersThanItCanHelp) {
  ThreadPool pool(2);
  std::vector<std::thread> callers;
  std::atomic<int> right{0};
  for (int i = 0; i < 20; ++i) {
    callers.emplace_back([&] {
      for (int j = 0; j < 50; ++j) right += sum_on(pool, 2) == 4950 ? 1 : 0;
    });
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(right, 1000);
}

TEST(ThreadPoolConcurrency, WakesManySleepers) {
  ThreadPool pool(8);
  for (int i = 0; i < 5; ++i) {
    std::atomic<std::size_t> there{0};
    on_each_of(pool, pool.max_workers(), [&](std::size_t) { ++there; });
    EXPECT_EQ(there, pool.max_workers());
    std::this_thread::sleep_for(2ms);
  }
}

#if defined(__linux__)
// States of the other threads of this process, as in proc_pid_stat(5): R runs, S sleeps.
std::string states_of_others() {
  std::string states;
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    if (task.path().filename() == std::to_string(::gettid())) continue;
    std::ifstream stat(task.path() / "stat");
    std::string line;
    std::getline(stat, line);
    const std::size_t name_end = line.rfind(')');
    if (name_end != std::string::npos && name_end + 2 < line.size()) states += line[name_end + 2];
  }
  return states;
}

TEST(RunningShare, IsLowForAThreadThatDidNotRunAndDidNotSayThatItPaused) {
  using std::chrono::milliseconds;
  const auto sleep = [] { std::this_thread::sleep_for(milliseconds(60)); };
  detail::RunningShare share;
  EXPECT_FALSE(share.is_low()) << "too early to tell";
  sleep();
  EXPECT_TRUE(share.is_low());
  EXPECT_FALSE(share.is_low()) << "looked at once";

  share.pause();
  sleep();
  share.resume();
  EXPECT_FALSE(share.is_low());

  share.pause();
  sleep();
  share.resume(detail::RunningShare::Clock::now(), std::chrono::hours(1));
  EXPECT_TRUE(share.is_low()) << "the pause was too short to be one";
}

TEST(ThreadPool, SleepsWhenThereIsNothingToDo) {
  ThreadPool pool(3);
  EXPECT_EQ(sum_on(pool, 3), 4950);
  for (int i = 0; i < 1000 && states_of_others().find('R') != std::string::npos; ++i) std::this_thread::sleep_for(10ms);
  EXPECT_EQ(states_of_others().find('R'), std::string::npos) << states_of_others();
}
#endif

TEST(ThreadPool, LeavesSignalsToTheProgram) {
  ThreadPool pool(2);
  const std::thread::id caller = std::this_thread::get_id();
  std::atomic<int> open_in_helper{0};
  on_each_of(pool, 2, [&](std::size_t) {
    if (std::this_thread::get_id() == caller) return;
    sigset_t blocked;
    pthread_sigmask(SIG_BLOCK, nullptr, &blocked);
    for (const int signal : {SIGINT, SIGTERM, SIGUSR1, SIGALRM}) open_in_helper += sigismember(&blocked, signal) == 0;
    for (const int fault : {SIGSEGV, SIGBUS, SIGFPE, SIGILL}) open_in_helper += sigismember(&blocked, fault) != 0;
  });
  EXPECT_EQ(open_in_helper, 0);
  sigset_t blocked;
  pthread_sigmask(SIG_BLOCK, nullptr, &blocked);
  EXPECT_EQ(sigismember(&blocked, SIGINT), 0);  // and the caller's are as they were
}

// Sanitizers keep terabytes of address space, and theirs cannot start threads in a child of a process with threads.
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) && defined(__GLIBC__)
TEST(ThreadPool, DoesWithoutThreadsThatTheSystemRefuses) {
#if defined(TRINE_TESTS_EMULATED)
  GTEST_SKIP() << "the emulator itself ends under a limit of its address space";
#endif
  EXPECT_EQ(test::in_child([] {
              std::ifstream statm("/proc/self/statm");
              std::size_t pages = 0;
              statm >> pages;
              const rlimit limit{pages * 4096 + (8U << 20U), RLIM_INFINITY};  // less than a stack needs
              pthread_attr_t attributes;
              pthread_attr_init(&attributes);
              pthread_attr_setstacksize(&attributes, 256U << 20U);  // more than stacks of ended threads have
              if (pthread_setattr_default_np(&attributes) != 0 || ::setrlimit(RLIMIT_AS, &limit) != 0) return 1;
              ThreadPool pool(4);
              if (sum_on(pool, 4) != 4950 || sum_on(pool, 4) != 4950) return 2;
              return static_cast<int>(pool.started_threads()) + 10;
            }),
            10);
}

TEST(ThreadPool, StartsThreadsOfItsOwnInAChild) {
#if defined(TRINE_TESTS_EMULATED)
  GTEST_SKIP() << "the emulator itself ends when a process with threads forks";
#endif
  ThreadPool pool(3);
  ThreadPool unused(2);
  EXPECT_EQ(sum_on(pool, 3), 4950);
  EXPECT_EQ(test::in_child([&] {
              if (sum_on(pool, 3) != 4950 || sum_on(unused, 2) != 4950) return 1;
              on_each_of(pool, 3, [](std::size_t) {});  // hangs unless there are three
              ThreadPool another(2);
              return sum_on(another, 2) == 4950 ? 0 : 2;
            }),
            0);
  EXPECT_EQ(test::in_child([&] {
              pool.~ThreadPool();  // without having been used: there are no threads to wait for
              ::_exit(0);
              return 1;
            }),
            0);
  EXPECT_EQ(sum_on(pool, 3), 4950);
  EXPECT_EQ(pool.started_threads(), 2U);
}
#endif

TEST(ThreadPool, HasNoMoreThanFourThreadsPerProcessor) {
  EXPECT_LE(ThreadPool(100000).max_workers(), 4 * std::thread::hardware_concurrency());
  EXPECT_EQ(ThreadPool(0).max_workers(), 1U);
}

}  // namespace
}  // namespace trine
