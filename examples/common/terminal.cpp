// SPDX-License-Identifier: Apache-2.0
#include "common/terminal.hpp"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <iomanip>
#include <sstream>
#include <utility>

#include <unistd.h>

#include <trine/text/unicode/utf8.hpp>

namespace example {

bool shows_colors(std::FILE* stream) {
  const char* no_color = std::getenv("NO_COLOR");
  const char* terminal = std::getenv("TERM");
  return (no_color == nullptr || *no_color == '\0') && (terminal == nullptr || std::string_view(terminal) != "dumb") &&
         ::isatty(::fileno(stream)) == 1;
}

std::string escaped(std::string_view text) {
  constexpr const char* kHex = "0123456789abcdef";
  std::string result;
  while (!text.empty()) {
    const trine::Utf8Step step = trine::decode_utf8(text);
    const auto byte = static_cast<unsigned char>(text[0]);
    const bool c1 = byte == 0xC2 && text.size() > 1 && static_cast<unsigned char>(text[1]) < 0xA0;
    const bool valid = step.status == trine::Utf8Status::valid;
    const std::size_t bytes = valid ? step.bytes : 1;
    if (text[0] == '\n') {
      result += "\\n";
    } else if (text[0] == '\t') {
      result += "\\t";
    } else if (text[0] == '\\') {
      result += "\\\\";
    } else if (!valid || byte < 0x20 || byte == 0x7f || c1) {
      for (std::size_t i = 0; i < bytes; ++i) {
        const auto each = static_cast<unsigned char>(text[i]);
        result += {'\\', 'x', kHex[each >> 4U], kHex[each & 15U]};
      }
    } else {
      result += text.substr(0, bytes);
    }
    text.remove_prefix(bytes);
  }
  return result;
}

std::size_t width(std::string_view text) {
  return static_cast<std::size_t>(
      std::ranges::count_if(text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }));
}

std::string padded(std::string text, std::size_t to_width) {
  const std::size_t found = width(text);
  if (found < to_width) text.append(to_width - found, ' ');
  return text;
}

std::string right_aligned(std::string text, std::size_t to_width) {
  const std::size_t found = width(text);
  if (found < to_width) text.insert(0, to_width - found, ' ');
  return text;
}

std::string fixed(double value, int decimals) {
  if (std::isnan(value)) return "-";
  std::ostringstream text;
  text << std::fixed << std::setprecision(decimals) << value;
  return text.str();
}

std::string percent(double share, int decimals) {
  return std::isnan(share) ? "-" : fixed(100.0 * share, decimals) + " %";
}

std::string with_unit(double bytes) {
  if (bytes < 1024.0) return fixed(bytes, 0) + " bytes";
  std::string unit;
  for (const char* larger : {"KiB", "MiB", "GiB", "TiB"}) {
    if (bytes < 1024.0) break;
    bytes /= 1024.0;
    unit = larger;
  }
  return fixed(bytes, 1) + " " + unit;
}

ProgressBar::ProgressBar(std::string label, std::size_t total, std::string unit, std::chrono::milliseconds delay)
    : label_(std::move(label)),
      total_(total),
      unit_(std::move(unit)),
      shown_(total > 0 && ::isatty(STDERR_FILENO) == 1),
      colored_(shows_colors(stderr)),
      next_(start_ + delay) {}

ProgressBar::~ProgressBar() {
  if (drawn_) std::fputs("\r\033[K", stderr);
}

void ProgressBar::update(std::size_t done) {
  constexpr std::size_t kWidth = 30;
  const Clock::time_point now = Clock::now();
  if (!shown_ || now < next_) return;
  next_ = now + std::chrono::milliseconds(100);
  drawn_ = true;
  const double seconds = std::chrono::duration<double>(now - start_).count();
  const double rate = static_cast<double>(done) / std::max(seconds, 1e-9);
  const auto remaining = static_cast<long>(static_cast<double>(total_ - done) / std::max(rate, 1e-9));
  const std::size_t filled = kWidth * done / total_;
  std::string bar;
  for (std::size_t i = 0; i < kWidth; ++i) bar += i < filled ? "\u2588" : "\u2591";
  std::fprintf(stderr, "\r\033[K%s %s%s%s %3zu %%  %.0f %s/s  %ld:%02ld left", label_.c_str(),
               colored_ ? "\033[36m" : "", bar.c_str(), colored_ ? "\033[0m" : "", 100 * done / total_, rate,
               unit_.c_str(), remaining / 60, remaining % 60);
  std::fflush(stderr);
}

}  // namespace example
