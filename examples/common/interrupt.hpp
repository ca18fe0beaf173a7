// SPDX-License-Identifier: Apache-2.0
// Ctrl+C as a std::stop_token.
#pragma once

#include <atomic>
#include <csignal>
#include <mutex>
#include <stop_token>
#include <thread>

namespace example {

/// While it lives, the first SIGINT or SIGTERM requests a stop, and the second ends the process at once. The signals
/// are blocked and awaited in a thread, so that no code runs in a signal handler. A signal that the process was started
/// to ignore, as a shell does for SIGINT of what it runs in the background, stays ignored. Where the system refuses the
/// thread, signals do what they do to any process: they end it. Made before other threads are.
class Interrupt {
 public:
  Interrupt();
  ~Interrupt();
  Interrupt(const Interrupt&) = delete;
  Interrupt& operator=(const Interrupt&) = delete;

  [[nodiscard]] std::stop_token token() const;

  /// The next signal is the first again; with `leaves`, it ends the process at once.
  void rearm(bool leaves);

 private:
  void wait();

  mutable std::mutex mutex_;  // for the two below
  std::stop_source source_;
  bool leaves_ = false;
  std::atomic<bool> finished_ = false;
  sigset_t signals_{};
  int wake_ = 0;  // one of them, which ends the thread; 0: all are ignored
  sigset_t before_{};
  std::thread thread_;
};

}  // namespace example
