// SPDX-License-Identifier: Apache-2.0
// What is shown to people: progress, colours, tokens that spoil no table.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdio>
#include <string>
#include <string_view>

namespace example {

/// Is the stream a terminal that shows colours, and is NO_COLOR (https://no-color.org) not set?
[[nodiscard]] bool shows_colors(std::FILE* stream);

/// One line of printable text: \n, \t, \\ and \xNN for what is not; invalid UTF-8 byte by byte.
[[nodiscard]] std::string escaped(std::string_view text);

/// Characters of valid UTF-8, which is about the width of a text on the terminal.
[[nodiscard]] std::size_t width(std::string_view text);
/// Spaces behind, or before, up to a width.
[[nodiscard]] std::string padded(std::string text, std::size_t to_width);
[[nodiscard]] std::string right_aligned(std::string text, std::size_t to_width);

// What is not a number, such as a share of nothing, is "-".
[[nodiscard]] std::string fixed(double value, int decimals);    // "0.50"
[[nodiscard]] std::string percent(double share, int decimals);  // "50.0 %"
[[nodiscard]] std::string with_unit(double bytes);              // "7.0 MiB"

/// A bar with rate and remaining time on stderr, when that is a terminal.
class ProgressBar {
 public:
  /// `unit` is what is counted, such as "tokens". delay: before it appears, for what is usually quick
  ProgressBar(std::string label, std::size_t total, std::string unit, std::chrono::milliseconds delay = {});
  ~ProgressBar();
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;

  void update(std::size_t done);

 private:
  using Clock = std::chrono::steady_clock;

  std::string label_;
  std::size_t total_;
  std::string unit_;
  bool shown_;
  bool colored_;
  Clock::time_point start_ = Clock::now();
  Clock::time_point next_;  // when it is drawn again
  bool drawn_ = false;
};

}  // namespace example
