// SPDX-License-Identifier: Apache-2.0
// The default executor: a thread pool designed to share the machine with other work.
//
// A parallel region is a job in a slot. The caller publishes it, works on it, and closes it when no work is left; then
// it waits only for workers that have joined, never for one that the system has not scheduled. Between regions, workers
// spin briefly, because the next region of a pass usually follows soon, and then sleep; sleepers are woken for work
// that takes longer than waking. Workers and callers compare the time in which they wanted to run with the time in
// which they ran. If the system gives them less, processors are scarce, and no thread spins for a while, because
// spinning would use up time that work needs. bench/busy_host measures the effect.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#if defined(__unix__) || defined(__APPLE__)
#include <pthread.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>
/// 1 if the pool uses POSIX: CPU clocks of threads, signal masks, handling of fork().
#define TRINE_HAS_POSIX_THREADS 1
#else
#define TRINE_HAS_POSIX_THREADS 0
#endif

#include <trine/platform/available_processors.hpp>
#include <trine/platform/executor.hpp>

namespace trine::inline TRINE_ABI {

namespace detail {

/// Tells the processor that this is a spin loop.
inline void pause_processor() noexcept {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ __volatile__("yield");
#endif
}

/// Detects whether its thread gets the processor when it wants it. Compares the thread's CPU time with the elapsed
/// time, excluding pauses. Waiting for a page of a file counts as not getting it.
class RunningShare {
 public:
  using Clock = std::chrono::steady_clock;

  void pause(Clock::time_point now = Clock::now()) noexcept { paused_at_ = now; }
  /// Pauses shorter than `least` are ignored.
  void resume(Clock::time_point now = Clock::now(), Clock::duration least = {}) noexcept {
    if (now - paused_at_ >= least) paused_ += now - paused_at_;
  }

  /// Returns whether the thread ran for less than three quarters of the last period of at least 20 ms.
  [[nodiscard]] bool is_low(Clock::time_point now = Clock::now()) noexcept {
    const Clock::duration wanted = now - since_ - paused_;
    if (wanted < std::chrono::milliseconds(20)) return false;
    const std::chrono::nanoseconds clock = thread_clock();
    const bool low = clock - ran_ < wanted / 4 * 3;
    since_ = now;
    paused_ = {};
    ran_ = clock;
    return low;
  }

 private:
  [[nodiscard]] static std::chrono::nanoseconds thread_clock() noexcept {
#if TRINE_HAS_POSIX_THREADS
    timespec time{};
    if (clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time) == 0)
      return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
#endif
    return Clock::now().time_since_epoch();  // unknown: as if it always ran
  }

  Clock::time_point since_ = Clock::now();
  Clock::time_point paused_at_ = since_;
  Clock::duration paused_{};
  std::chrono::nanoseconds ran_ = thread_clock();
};

/// One region's work, offered to workers. One word holds the state that decides who may work on it, so that joining,
/// closing and leaving are single atomic operations:
///   bits 0-15 workers inside   16-31 workers that ever joined   32-47 workers that may join   48 open
///   49 caller sleeps
class alignas(64) Job {
 public:
  /// Claims the slot for this caller. Returns whether it was free.
  [[nodiscard]] bool acquire() noexcept { return !taken_.exchange(true, std::memory_order_acquire); }
  void release() noexcept { taken_.store(false, std::memory_order_release); }
  /// Called by the owner of the slot; resets it if another thread owned it before.
  [[nodiscard]] RunningShare& share_of_caller() noexcept {
    const std::thread::id self = std::this_thread::get_id();
    if (std::exchange(caller_, self) != self) share_ = {};
    return share_;
  }

  void open(const RegionWork& work, std::size_t helpers) noexcept {
    work_ = &work;
    state_.store(kOpen | static_cast<std::uint64_t>(helpers) << kAllowed, std::memory_order_seq_cst);
  }

  /// Calls take(work, worker) if the job is open and needs more helpers.
  template <class Take>
  void help(const Take& take) noexcept {
    std::uint64_t state = state_.load(std::memory_order_acquire);
    do {
      if ((state & kOpen) == 0 || field(state, kJoined) >= field(state, kAllowed)) return;
    } while (!state_.compare_exchange_weak(state, state + kOneInside + kOneJoined, std::memory_order_acq_rel));
    take(*work_, field(state, kJoined) + 1);
    const std::uint64_t before = state_.fetch_sub(kOneInside, std::memory_order_acq_rel);
    if ((before & kSleeps) != 0 && field(before, kInside) == 1) {
      { const std::lock_guard lock(mutex_); }
      left_.notify_one();
    }
  }

  /// Returns whether helpers may still join.
  [[nodiscard]] bool wants_help() const noexcept {
    const std::uint64_t state = state_.load(std::memory_order_relaxed);
    return (state & kOpen) != 0 && field(state, kJoined) < field(state, kAllowed);
  }
  void close() noexcept { state_.fetch_and(~kOpen, std::memory_order_acq_rel); }
  /// Returns whether no helper is inside; their writes are then visible here.
  [[nodiscard]] bool is_left() const noexcept { return field(state_.load(std::memory_order_acquire), kInside) == 0; }
  void sleep_until_left() {
    state_.fetch_or(kSleeps, std::memory_order_acq_rel);
    std::unique_lock lock(mutex_);
    left_.wait(lock, [this] { return is_left(); });
  }

 private:
  static constexpr unsigned kInside = 0;
  static constexpr unsigned kJoined = 16;
  static constexpr unsigned kAllowed = 32;
  static constexpr std::uint64_t kOneInside = 1;
  static constexpr std::uint64_t kOneJoined = std::uint64_t{1} << kJoined;
  static constexpr std::uint64_t kOpen = std::uint64_t{1} << 48U;
  static constexpr std::uint64_t kSleeps = std::uint64_t{1} << 49U;

  [[nodiscard]] static std::size_t field(std::uint64_t state, unsigned shift) noexcept {
    return static_cast<std::size_t>(state >> shift & 0xFFFFU);
  }

  std::atomic<std::uint64_t> state_{0};
  const RegionWork* work_ = nullptr;  // valid while a helper is inside
  std::atomic<bool> taken_{false};
  std::mutex mutex_;
  std::condition_variable left_;
  std::thread::id caller_;
  RunningShare share_;
};

}  // namespace detail

/// A pool of threads for one session or shared by many. Threads start when a region first needs them, block all signals
/// except faults, sleep when idle, and end with the pool. If the system refuses a thread (EAGAIN, limits of a
/// container), the pool runs with fewer. After fork(), the child's pool starts its own threads; the pool must be idle
/// at that moment. Any number of threads may call run(); up to kJobs of them get helpers at a time, the others work
/// alone.
class ThreadPool final : public Executor {
 public:
  /// `workers`: the number of concurrent threads, including the caller; at most four per processor.
  explicit ThreadPool(std::size_t workers = default_threads())
      : workers_(std::clamp<std::size_t>(workers, 1, 4 * detail::affinity_count())),
        may_spin_(workers_ <= available_processors()),
        state_(std::make_unique<State>()) {}
  ~ThreadPool() override { is_forked() ? forget() : stop(); }

  [[nodiscard]] std::size_t max_workers() const noexcept override { return workers_; }
  /// The number of threads started so far.
  [[nodiscard]] std::size_t started_threads() const {
    if (is_forked()) return 0;
    const std::lock_guard lock(state_->starting);
    return state_->threads.size();
  }

  void run(std::size_t workers, RegionWork work) override {
    const bool alone = workers <= 1 || workers_ <= 1 || (is_forked() && !renew());
    const std::size_t helpers = alone ? 0 : std::min(start(*state_, std::min(workers, workers_) - 1), workers - 1);
    detail::Job* job = helpers == 0 ? nullptr : state_->acquire();
    if (job == nullptr) {
      while (work(0)) {
      }
      return;
    }
    State& state = *state_;
    detail::RunningShare& share = job->share_of_caller();
    const Clock::time_point start = Clock::now();
    share.resume(start, kProgramsOwn);
    job->open(work, helpers);
    state.epoch.fetch_add(1, std::memory_order_seq_cst);
    work_and_wake(state, *job, work, 0, start);
    job->close();
    if (!spin_until(state, [job] { return job->is_left(); })) {
      share.pause();
      job->sleep_until_left();
      share.resume();
    }
    const Clock::time_point end = Clock::now();
    if (share.is_low(end)) state.calm_down(end);
    share.pause(end);
    job->release();
  }

 private:
  using Clock = std::chrono::steady_clock;
  static constexpr std::size_t kJobs = 8;
  static constexpr auto kSpin = std::chrono::microseconds(100);  // longer than most gaps between the regions of a pass
  static constexpr auto kWorthWaking = std::chrono::microseconds(10);  // the caller's work before it wakes others
  static constexpr auto kProgramsOwn = std::chrono::milliseconds(1);   // longer than pauses within a pass
  static constexpr Clock::rep kLongPiece = std::chrono::nanoseconds(std::chrono::microseconds(50)).count();
  static constexpr auto kFirstCalm = std::chrono::milliseconds(50);
  static constexpr Clock::rep kLeastCalm = std::chrono::nanoseconds(std::chrono::milliseconds(250)).count();
  static constexpr Clock::rep kMostCalm = std::chrono::nanoseconds(std::chrono::seconds(4)).count();

  struct State {
    std::array<detail::Job, kJobs> jobs;
    std::atomic<std::uint64_t> epoch{0};       // counts jobs: workers check for work when it changes
    std::atomic<std::size_t> sleepers{0};      // workers that sleep or are about to
    std::atomic<Clock::rep> calm_until{0};     // no thread spins before this time
    std::atomic<Clock::rep> calm_for{0};       // duration of the last such period
    std::atomic<Clock::rep> piece{0};          // time of the first piece of the caller's last job
    std::atomic<std::size_t> started{0};       // threads.size(), or the maximum after a refusal
    std::atomic<std::size_t> limit{SIZE_MAX};  // threads that the system grants
    std::mutex starting;                       // guards `threads`
    std::mutex sleeping;                       // guards `stopping`, and the transition to sleep
    std::condition_variable work_or_stop;
    bool stopping = false;
    std::vector<std::thread> threads;

    // Twice as long as last time, if that was recently.
    void calm_down(Clock::time_point since) noexcept {
      const Clock::rep now = since.time_since_epoch().count();
      const Clock::rep until = calm_until.load(std::memory_order_relaxed);
      if (now < until) return;
      const Clock::rep before = calm_for.load(std::memory_order_relaxed);
      const bool again = now - until < before;
      const Clock::rep length = again ? std::min(2 * before, kMostCalm) : kLeastCalm;
      calm_for.store(length, std::memory_order_relaxed);
      calm_until.store(now + length, std::memory_order_relaxed);
    }
    [[nodiscard]] detail::Job* acquire() noexcept {
      for (detail::Job& job : jobs)
        if (job.acquire()) return &job;
      return nullptr;
    }
  };

  // Starts threads up to `wanted` and returns their number. If another thread is starting some, continues without
  // waiting.
  std::size_t start(State& state, std::size_t wanted) {
    const std::size_t there = state.started.load(std::memory_order_acquire);
    if (there >= std::min(wanted, state.limit.load(std::memory_order_relaxed))) return there;
    const std::unique_lock lock(state.starting, std::try_to_lock);
    if (!lock.owns_lock()) return there;
    try {
      if (state.threads.empty() && are_processors_taken())
        state.calm_until = (Clock::now() + kFirstCalm).time_since_epoch().count();
      const BlockedSignals blocked;
      // A plain function of pointers: with a type of trine, std::thread's state would be an exported symbol, even in a
      // library that hides its symbols.
      void (*work)(void*, void*) = [](void* pool, void* of) {
        static_cast<ThreadPool*>(pool)->serve(*static_cast<State*>(of));
      };
      while (state.threads.size() < wanted)
        state.threads.emplace_back(work, static_cast<void*>(this), static_cast<void*>(&state));
    } catch (...) {  // std::system_error, std::bad_alloc
      state.limit.store(state.threads.size(), std::memory_order_relaxed);
    }
    state.started.store(state.threads.size(), std::memory_order_release);
    return state.threads.size();
  }

  // Returns whether other work leaves too few processors for all workers, as the system reports it; used until workers
  // have measured it.
  [[nodiscard]] bool are_processors_taken() const {
    const std::size_t others = runnable_threads().value_or(1) - 1;
    return others + workers_ > detail::online_processors();
  }

  // The main loop of a worker.
  void serve(State& state) noexcept {
    std::uint64_t seen = 0;
    const auto is_news = [&] { return state.epoch.load(std::memory_order_seq_cst) != seen; };
    for (detail::RunningShare share;;) {
      bool slept = false;
      if (!spin_until(state, is_news)) {
        slept = true;
        share.pause();
        state.sleepers.fetch_add(1, std::memory_order_seq_cst);
        std::unique_lock lock(state.sleeping);
        state.work_or_stop.wait(lock, [&] { return is_news() || state.stopping; });
        state.sleepers.fetch_sub(1, std::memory_order_seq_cst);
        if (state.stopping && !is_news()) return;
        share.resume();
      }
      seen = state.epoch.load(std::memory_order_seq_cst);
      for (detail::Job& job : state.jobs) {
        if (slept && job.wants_help()) wake(state, job);
        job.help([&](RegionWork work, std::size_t worker) { work_and_wake(state, job, work, worker, Clock::now()); });
      }
      const Clock::time_point now = Clock::now();
      if (share.is_low(now)) state.calm_down(now);
    }
  }

  // A worker's share of a job; the caller is worker 0. Spinning workers join by themselves. Waking others costs some
  // microseconds, so the caller wakes them only for longer work; before the first piece, if pieces were long last time.
  static void work_and_wake(State& state, const detail::Job& job, RegionWork work, std::size_t worker,
                            Clock::time_point start) noexcept {
    bool woken = state.piece.load(std::memory_order_relaxed) >= kLongPiece;
    if (woken && worker == 0) wake(state, job);
    for (bool first = true; work(worker); first = false) {
      if (woken && !first) continue;
      const Clock::duration time = Clock::now() - start;
      if (first && worker == 0) state.piece.store(time.count(), std::memory_order_relaxed);
      if (woken || time < kWorthWaking) continue;
      wake(state, job);
      woken = true;
    }
  }

  // Wakes two workers, each of which wakes two more before it starts, so that the caller need not wake all.
  static void wake(State& state, const detail::Job& job) noexcept {
    for (int i = 0; i < 2; ++i) {
      if (state.sleepers.load(std::memory_order_seq_cst) == 0 || !job.wants_help()) return;
      { const std::lock_guard lock(state.sleeping); }
      state.work_or_stop.notify_one();
    }
  }

  [[nodiscard]] static bool is_calm(const State& state, Clock::time_point now) noexcept {
    return now.time_since_epoch().count() < state.calm_until.load(std::memory_order_relaxed);
  }

  // Returns whether `done` became true while spinning.
  template <class Done>
  bool spin_until(State& state, const Done& done) const noexcept {
    if (done()) return true;
    if (!may_spin_) return false;
    const Clock::time_point start = Clock::now();
    if (is_calm(state, start)) return false;
    for (const Clock::time_point end = start + kSpin;;) {
      for (int i = 0; i < 32; ++i) {
        if (done()) return true;
        detail::pause_processor();
      }
      if (Clock::now() >= end) return done();
    }
  }

  void stop() noexcept {
    {
      const std::lock_guard lock(state_->sleeping);
      state_->stopping = true;
    }
    state_->work_or_stop.notify_all();
    for (std::thread& thread : state_->threads) thread.join();
  }

  // During its lifetime, threads start with signals blocked: signals belong to the program's own threads. Faults are
  // not blocked, because a blocked fault ends the process without its handler.
  class BlockedSignals {
   public:
#if TRINE_HAS_POSIX_THREADS
    BlockedSignals() noexcept {
      sigset_t all;
      sigfillset(&all);
      for (const int fault : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS}) sigdelset(&all, fault);
      pthread_sigmask(SIG_SETMASK, &all, &before_);
    }
    ~BlockedSignals() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
    BlockedSignals(const BlockedSignals&) = delete;
    BlockedSignals& operator=(const BlockedSignals&) = delete;

   private:
    sigset_t before_{};
#endif
  };

  // A child process has the memory of its parent's threads, but not the threads.
#if TRINE_HAS_POSIX_THREADS
  [[nodiscard]] bool is_forked() const noexcept { return owner_.load(std::memory_order_acquire) != getpid(); }
  // Returns whether the pool belongs to this process; false while another thread is resetting it.
  bool renew() {
    pid_t parent = owner_.load(std::memory_order_acquire);
    const pid_t self = getpid();
    if (parent == self) return true;
    auto fresh = std::make_unique<State>();
    if (parent == 0 || !owner_.compare_exchange_strong(parent, 0)) return false;
    forget();
    state_ = std::move(fresh);
    owner_.store(self, std::memory_order_release);
    return true;
  }
  // Threads that do not exist cannot be joined, and mutexes that they may have locked cannot be destroyed.
  void forget() noexcept { static_cast<void>(state_.release()); }
#else
  [[nodiscard]] static bool is_forked() noexcept { return false; }
  static bool renew() noexcept { return true; }
  static void forget() noexcept {}
#endif

  std::size_t workers_;
  bool may_spin_;  // false if there are more threads than processors
  std::unique_ptr<State> state_;
#if TRINE_HAS_POSIX_THREADS
  std::atomic<pid_t> owner_{getpid()};
#endif
};

}  // namespace trine::inline TRINE_ABI
