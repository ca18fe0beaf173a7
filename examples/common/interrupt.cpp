// SPDX-License-Identifier: Apache-2.0
#include "common/interrupt.hpp"

#include <unistd.h>

#include <pthread.h>

#include "common/program.hpp"

namespace example {

Interrupt::Interrupt() {
  ::sigemptyset(&signals_);
  ::sigaddset(&signals_, SIGINT);
  ::sigaddset(&signals_, SIGTERM);
  ::pthread_sigmask(SIG_BLOCK, &signals_, &before_);
  thread_ = std::thread([this] { wait(); });
}

Interrupt::~Interrupt() {
  finished_ = true;
  ::pthread_kill(thread_.native_handle(), SIGTERM);  // wakes it
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
