// SPDX-License-Identifier: Apache-2.0
// Starts an example program and collects what it prints.
#pragma once

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <fcntl.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/temporary_directory.hpp"

namespace trine::test {

struct Finished {
  int exit_code = -1;  // 128 + signal when one ended it
  std::string out;
  std::string err;
  long peak_kib = 0;  // resident memory, at most
};

[[nodiscard]] inline std::string read_whole(const std::filesystem::path& path) {
  std::ifstream stream(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

/// A program that runs; `wait` collects it.
class Running {
 public:
  /// `arguments[0]` names a program of the build. The input is a file, so it may hold any bytes. `terminal`: where
  /// stderr goes in place of a file; `output`: where stdout goes.
  explicit Running(std::vector<std::string> arguments, std::string_view input = {}, const std::string& terminal = {},
                   const std::string& output = {}) {
    const std::string in = directory_.write("in", input).string();
    const std::string err = terminal.empty() ? (directory_.path() / "err").string() : terminal;
    const std::string out = output.empty() ? (directory_.path() / "out").string() : output;
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_addopen(&actions, 0, in.c_str(), O_RDONLY, 0);
    ::posix_spawn_file_actions_addopen(&actions, 1, out.c_str(), O_WRONLY | O_CREAT, 0600);
    ::posix_spawn_file_actions_addopen(&actions, 2, err.c_str(), O_WRONLY | O_CREAT | O_NOCTTY, 0600);
    const std::string program = std::string(TRINE_PROGRAMS_DIR) + "/" + arguments.at(0);
    std::vector<char*> argv;
    for (std::string& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);
    const int error = ::posix_spawn(&process_, program.c_str(), &actions, nullptr, argv.data(), environ);
    ::posix_spawn_file_actions_destroy(&actions);
    if (error != 0) throw std::runtime_error(program + ": cannot be started");
  }
  ~Running() {
    if (process_ == 0) return;
    ::kill(process_, SIGKILL);
    ::waitpid(process_, nullptr, 0);
  }
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;

  void signal(int number) const { ::kill(process_, number); }
  [[nodiscard]] std::string out_so_far() const { return read_whole(directory_.path() / "out"); }

  [[nodiscard]] Finished wait() {
    int status = 0;
    rusage used{};
    while (::wait4(process_, &status, 0, &used) < 0 && errno == EINTR) continue;
    process_ = 0;
    return {WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), out_so_far(),
            read_whole(directory_.path() / "err"), used.ru_maxrss};
  }

 private:
  TemporaryDirectory directory_;
  pid_t process_ = 0;
};

[[nodiscard]] inline Finished run_program(std::vector<std::string> arguments, std::string_view input = {}) {
  return Running(std::move(arguments), input).wait();
}

}  // namespace trine::test
