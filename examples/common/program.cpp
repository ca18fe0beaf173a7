// SPDX-License-Identifier: Apache-2.0
#include "common/program.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <new>
#include <sstream>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <trine/core/error.hpp>
#include <trine/core/nearest_name.hpp>
#include <trine/core/printable.hpp>
#include <trine/version.hpp>

#include "common/llama_cpp_options.hpp"

namespace example {
namespace {

int output_error = 0;  // errno of the first flush of standard output that failed

void add_long_names(const CLI::App& app, std::vector<std::string>& names) {
  for (const CLI::Option* option : app.get_options())
    names.insert(names.end(), option->get_lnames().begin(), option->get_lnames().end());
  for (const CLI::App* group : app.get_subcommands([](const CLI::App*) { return true; })) add_long_names(*group, names);
}

std::string unknown_option(std::string_view name, std::string_view advice) {
  return "unknown option " + trine::in_quotes(name) + (advice.empty() ? "" : ": ") + std::string(advice) +
         " (--help explains)";
}

// ": did you mean --KNOWN?" where no more than a third of the letters differ or the same ones stand in another order:
// --keep is neither --help nor --temp, --tmep is.
std::string near_option(std::string_view name, const std::vector<std::string>& known) {
  name.remove_prefix(std::min(name.find_first_not_of('-'), name.size()));
  const std::string_view nearest = trine::nearest_name(name, known);
  const bool few_differ = 3 * trine::edit_distance(name, nearest) <= std::max(name.size(), nearest.size());
  if (nearest.empty() || (!few_differ && !std::ranges::is_permutation(name, nearest))) return {};
  return "did you mean --" + std::string(nearest) + "?";
}

}  // namespace

CLI::Validator whole_number(std::uint64_t least, std::uint64_t most) {
  const bool bounded = most < std::numeric_limits<std::uint64_t>::max();
  const std::string expected = "expected a whole number from " + std::to_string(least) +
                               (bounded ? " to " + std::to_string(most) : std::string(" on"));
  const auto check = [=](const std::string& text) {
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    const bool whole = error == std::errc() && end == text.data() + text.size() && (text == "0" || text[0] != '0');
    return whole && value >= least && value <= most ? std::string() : expected + ", found " + trine::in_quotes(text);
  };
  return CLI::Validator(check, "");
}

CLI::Validator minus_one_is(std::string meaning) {
  const auto replace = [meaning = std::move(meaning)](std::string& text) {
    if (text == "-1") text = meaning;
    return std::string();
  };
  return CLI::Validator(replace, "");
}

void note_non_finite_logits(std::size_t count) {
  if (count > 0) std::fprintf(stderr, "note: %zu logits were not finite\n", count);
}

bool try_flush_output() {
  const bool flushed = std::fflush(stdout) == 0;
  if (!flushed && output_error == 0) output_error = errno;
  return flushed && std::ferror(stdout) == 0;
}

void flush_output() {
  if (try_flush_output()) return;
  const std::string reason = output_error == 0 ? "" : ": " + std::generic_category().message(output_error);
  throw trine::FileError("standard output: cannot be written" + reason);
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
  // A file beyond the limit on sizes and a pipe that nobody reads become errors of a write.
  std::signal(SIGXFSZ, SIG_IGN);
  std::signal(SIGPIPE, SIG_IGN);
  try {
    refuse_options_of_others(argc, argv);
    try {
      parse(argc, argv);
      body();
    } catch (const CLI::Success& wanted) {  // --help, --version
      std::ostringstream text;
      static_cast<void>(exit(wanted, text, text));
      std::fputs(text.str().c_str(), stdout);
    }
    flush_output();
    return kDone;
  } catch (const CLI::ParseError& error) {
    const std::string unknown = unknown_argument();
    return fail(kUsage, unknown.empty() ? std::string(error.what()) + " (--help explains)" : unknown);
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
  std::fprintf(stderr, "%s: error: %s\n", get_name().c_str(), trine::printable(line).c_str());
  return code;
}

void Program::advise(std::vector<std::string> names, std::string text) {
  for (std::string& name : names) advice_.emplace(std::move(name), text);
}

std::string_view Program::advice_on(const std::string& name) const {
  const auto own = advice_.find(name);
  return own != advice_.end() ? own->second : advice_on_option(name);
}

// CLI11 would take -ngl for -n with the value gl, so what others call -ngl is looked for before.
void Program::refuse_options_of_others(int argc, const char* const* argv) const {
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    if (argument == "--") return;
    if (argument.size() < 2 || argument[0] != '-') continue;
    std::string name(argument.substr(0, argument.find('=')));
    if (const CLI::Option* own = get_option_no_throw(name)) {
      if (own->get_items_expected_min() > 0 && name.size() == argument.size()) ++i;  // its value
      continue;
    }
    std::string_view advice = advice_on(name);
    if (advice.empty() && name[1] != '-') {  // a value without a space before it: -ngl99
      name.resize(std::min(name.find_first_of("0123456789"), name.size()));
      if (get_option_no_throw(name) == nullptr) advice = advice_on(name);
    }
    if (!advice.empty()) throw UsageError(unknown_option(name, advice));
  }
}

std::string Program::unknown_argument() const {
  const std::vector<std::string> extras = remaining();
  if (extras.empty()) return {};
  for (const std::string& argument : extras) {
    if (argument.size() < 2 || argument[0] != '-') continue;
    const std::string name = argument.substr(0, argument.find('='));
    std::vector<std::string> known;
    add_long_names(*this, known);
    return unknown_option(name, name.size() > 2 ? near_option(name, known) : "");
  }
  return "unexpected argument " + trine::in_quotes(extras.front()) + " (--help explains)";
}

}  // namespace example
