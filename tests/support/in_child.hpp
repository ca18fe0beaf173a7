// SPDX-License-Identifier: Apache-2.0
// A piece of a test in a process of its own: one that may be killed, or lives under a limit.
#pragma once

#include <csignal>
#include <cstdint>
#include <functional>
#include <stdexcept>

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

namespace trine::test {

/// Runs `body` in a copy of this process, of which only this thread is left: no more than one thread in it. Returns the
/// exit code that `body` returns, 128 + signal when one ended it, 99 when an exception did.
[[nodiscard]] inline int in_child(const std::function<int()>& body) {
  const ::pid_t child = ::fork();
  if (child < 0) throw std::runtime_error("cannot fork");
  if (child == 0) {
    try {
      ::_exit(body());
    } catch (...) {
      ::_exit(99);
    }
  }
  int status = 0;
  if (::waitpid(child, &status, 0) != child) throw std::runtime_error("cannot wait");
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/// In a child: no file grows beyond `bytes`, as on a disk that is full.
inline void limit_file_size(std::uint64_t bytes) {
  std::signal(SIGXFSZ, SIG_IGN);
  const rlimit limit{bytes, bytes};
  if (::setrlimit(RLIMIT_FSIZE, &limit) != 0) throw std::runtime_error("cannot set a limit");
}

}  // namespace trine::test
