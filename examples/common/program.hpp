// SPDX-License-Identifier: Apache-2.0
// What every program does alike: options, exit codes, errors as one line on stderr.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <CLI/CLI.hpp>

namespace example {

enum ExitCode : int {
  kDone = 0,
  kFailure = 1,       // while running: a file that cannot be written, an internal error
  kUsage = 2,         // an unknown option, a value out of range
  kModel = 3,         // the model cannot be read or is not supported
  kDoesNotFit = 4,    // the context or the memory is too small
  kVerification = 5,  // the model does not compute what it should
  kInterrupted = 130  // by Ctrl+C
};

/// The command line is not as it should be, in a way that only the program can tell.
struct UsageError : std::runtime_error {
  using std::runtime_error::runtime_error;
};
/// The model cannot be read, whatever the reason.
struct UnreadableModel : std::runtime_error {
  using std::runtime_error::runtime_error;
};
struct VerificationFailed : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Digits only, from `least` to `most`: CLI11 would read -1 and 99999999999999999999 as the largest number there is,
/// 010 as eight.
[[nodiscard]] CLI::Validator whole_number(std::uint64_t least = 0,
                                          std::uint64_t most = std::numeric_limits<std::uint64_t>::max());

/// Reads -1 as the number `meaning`, as programs of llama.cpp do: for CLI::Option::transform, with whole_number() as
/// check.
[[nodiscard]] CLI::Validator minus_one_is(std::string meaning);

/// Notes on stderr how many logits of a run were NaN or infinite, if any.
void note_non_finite_logits(std::size_t count);

/// Flushes standard output; false when it could not take what was printed.
[[nodiscard]] bool try_flush_output();
/// The same; throws trine::FileError with the reason.
void flush_output();

/// A CLI::App to which a program adds its options.
class Program : public CLI::App {
 public:
  /// `example` is a command line that help ends with.
  Program(const std::string& name, const std::string& description, const std::string& example);

  /// What to write in place of options that this program does not have and people try: "-p" and its other names.
  void advise(std::vector<std::string> names, std::string text);

  /// Reads the command line, runs `body` and returns the exit code, whatever happens.
  [[nodiscard]] int run(int argc, char** argv, const std::function<void()>& body);

 private:
  [[nodiscard]] int fail(ExitCode code, const std::string& message) const;
  void refuse_options_of_others(int argc, const char* const* argv) const;
  [[nodiscard]] std::string_view advice_on(const std::string& name) const;  // empty when there is none
  [[nodiscard]] std::string unknown_argument() const;                       // the same

  std::map<std::string, std::string> advice_;  // by option
};

}  // namespace example
