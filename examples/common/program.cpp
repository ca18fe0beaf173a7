// SPDX-License-Identifier: Apache-2.0
#include "common/program.hpp"

#include <charconv>
#include <cstdint>
#include <cstdio>
#include <new>
#include <string_view>
#include <system_error>
#include <vector>

#include <trine/core/error.hpp>
#include <trine/core/nearest_name.hpp>
#include <trine/version.hpp>

namespace example {

CLI::Validator whole_number() {
  const auto check = [](const std::string& text) {
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    const bool whole = error == std::errc() && end == text.data() + text.size() && (text == "0" || text[0] != '0');
    return whole ? std::string() : "expected a whole number, found " + trine::in_quotes(text);
  };
  return CLI::Validator(check, "");
}

Program::Program(const std::string& name, const std::string& description, const std::string& example)
    : CLI::App(description, name) {
  set_version_flag("--version", name + " " TRINE_VERSION_STRING, "Print the version and end");
  set_help_flag("-h,--help", "Print this help and end");
  footer(
      "Example:\n  " + example +
      "\n\nExit codes: 0 done, 1 failure while running, 2 usage, 3 unreadable or unsupported model, 4 does not fit,\n"
      "5 verification failed, 130 interrupted.");
  option_defaults()->always_capture_default();
  get_formatter()->column_width(34);
}

int Program::run(int argc, char** argv, const std::function<void()>& body) {
  try {
    parse(argc, argv);
    body();
    if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0)
      return fail(kFailure, "standard output: cannot be written");
    return kDone;
  } catch (const CLI::Success& wanted) {  // --help, --version
    return exit(wanted);
  } catch (const CLI::ParseError& error) {
    const std::string unknown = unknown_argument();
    return fail(kUsage, (unknown.empty() ? error.what() : unknown) + " (--help explains)");
  } catch (const UsageError& error) {
    return fail(kUsage, error.what());
  } catch (const trine::InputError& error) {
    return fail(kUsage, error.what());
  } catch (const UnreadableModel& error) {
    return fail(kModel, error.what());
  } catch (const trine::CapacityError& error) {
    return fail(kDoesNotFit, error.what());
  } catch (const std::bad_alloc&) {
    return fail(kDoesNotFit, "out of memory");
  } catch (const VerificationFailed& error) {
    return fail(kVerification, error.what());
  } catch (const trine::CancelledError&) {
    return fail(kInterrupted, "interrupted");
  } catch (const std::exception& error) {
    return fail(kFailure, error.what());
  }
}

int Program::fail(ExitCode code, const std::string& message) const {
  std::fflush(stdout);
  std::string line = message;
  for (char& c : line)
    if (c == '\n' || c == '\r') c = ' ';
  std::fprintf(stderr, "%s: error: %s\n", get_name().c_str(), line.c_str());
  return code;
}

std::string Program::unknown_argument() const {
  const std::vector<std::string> extras = remaining();
  if (extras.empty()) return {};
  for (const std::string& argument : extras) {
    if (argument.size() < 2 || argument[0] != '-') continue;
    const std::string name = argument.substr(0, argument.find('='));
    std::vector<std::string> known;
    for (const CLI::Option* option : get_options()) {
      for (const std::string& longer : option->get_lnames()) known.push_back("--" + longer);
      if (name.size() == 2)
        for (const std::string& shorter : option->get_snames()) known.push_back("-" + shorter);
    }
    return "unknown option " + trine::in_quotes(name) + trine::nearest_hint(name, known, ": did you mean ", "?");
  }
  return "unexpected argument " + trine::in_quotes(extras.front());
}

}  // namespace example
