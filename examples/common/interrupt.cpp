// SPDX-License-Identifier: Apache-2.0
#include "common/interrupt.hpp"

#include <system_error>

#include <pthread.h>
#include <unistd.h>

#include "common/program.hpp"

namespace example {

Interrupt::Interrupt() {
  ::sigemptyset(&signals_);
  for (const int signal : {SIGINT, SIGTERM}) {
    struct sigaction inherited {};
    if (::sigaction(signal, nullptr, &inherited) == 0 && inherited.sa_handler == SIG_IGN) continue;
    ::sigaddset(&signals_, signal);
    wake_ = signal;
  }
  if (wake_ == 0) return;
  ::pthread_sigmask(SIG_BLOCK, &signals_, &before_);
  try {
    thread_ = std::thread([this] { wait(); });
  } catch (const std::system_error&) {  // refused: a limit on processes or on memory
    ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }
}

Interrupt::~Interrupt() {
  if (!thread_.joinable()) return;
  finished_ = true;
  ::pthread_kill(thread_.native_handle(), wake_);
  thread_.join();
  ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
}

void Interrupt::wait() {
  for (int signal = 0; ::sigwait(&signals_, &signal) == 0 && !finished_;) {
    const std::lock_guard lock(mutex_);
    if (leaves_ || source_.stop_requested()) ::_exit(kInterrupted);
    source_.request_stop();
  }
}

std::stop_token Interrupt::token() const {
  const std::lock_guard lock(mutex_);
  return source_.get_token();
}

void Interrupt::rearm(bool leaves) {
  const std::lock_guard lock(mutex_);
  if (source_.stop_requested()) source_ = std::stop_source();
  leaves_ = leaves;
}

}  // namespace example
