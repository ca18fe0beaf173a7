// SPDX-License-Identifier: Apache-2.0
// What the figure is drawn from, and the measures that its panels share.
#pragma once

#include <algorithm>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <trine/stats/routing_trace.hpp>
#include <trine/text/unicode/utf8.hpp>

#include "common/terminal.hpp"

namespace example {

/// What the routers did with a text.
struct RoutedText {
  std::string name;                            // a caption; not needed for a single text
  const trine::RoutingTrace* trace = nullptr;  // the load of all tokens, and the decisions for at least those drawn
  std::vector<std::string> tokens;             // the bytes of the first ones, in order
};

struct PictureOptions {
  std::string model = {};                // in the title
  std::string architecture = {};         // below it
  std::vector<std::size_t> layers = {};  // drawn, ascending; empty: all in (a), a few of them in (b)
  std::size_t tokens_shown = 96;         // in (b), of each text
  std::size_t top = 0;   // experts of each token in (b), best first; 0: all of up to 16, the best of more
  bool by_load = false;  // experts in order of the load of the first text, busiest first
};

namespace detail {

constexpr double kPageWidth = 1000.0;
constexpr double kMargin = 36.0;
constexpr double kLeft = kMargin + 50.0;  // behind the names of layers

/// A figure has at most so many bytes, whatever it is drawn from.
constexpr std::size_t kMostBytes = 300'000;

[[nodiscard]] inline std::vector<std::size_t> routed_layers(const trine::RoutingTrace& trace) {
  std::vector<std::size_t> layers;
  for (std::size_t layer = 0; layer < trace.layers(); ++layer)
    if (trace.routed(layer)) layers.push_back(layer);
  return layers;
}

/// At most `most` of the layers, the first and the last among them, evenly spaced.
[[nodiscard]] inline std::vector<std::size_t> some_of(const std::vector<std::size_t>& layers, std::size_t most) {
  if (layers.size() <= most) return layers;
  std::vector<std::size_t> chosen;
  for (std::size_t i = 0; i < most; ++i) chosen.push_back(layers[i * (layers.size() - 1) / (most - 1)]);
  return chosen;
}

[[nodiscard]] inline std::size_t most_experts(const trine::RoutingTrace& trace,
                                              const std::vector<std::size_t>& layers) {
  std::size_t experts = 1;
  for (const std::size_t layer : layers) experts = std::max(experts, trace.stats().load(layer).size());
  return experts;
}

/// The first characters of a text, and an ellipsis for the others.
[[nodiscard]] inline std::string shortened(std::string_view text, std::size_t most) {
  if (width(text) <= most) return std::string(text);
  std::string result;
  for (std::size_t i = 0; i + 1 < most; ++i) {
    const std::size_t bytes = trine::decode_utf8(text).bytes;
    result += text.substr(0, bytes);
    text.remove_prefix(bytes);
  }
  return result + "\u2026";
}

/// Words in at most 8 lines of at most `columns` characters.
[[nodiscard]] inline std::vector<std::string> wrapped(const std::string& text, std::size_t columns) {
  std::vector<std::string> lines(1);
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find(' ', begin), text.size());
    const std::string word = shortened(std::string_view(text).substr(begin, end - begin), columns);
    if (!lines.back().empty() && width(lines.back()) + 1 + width(word) > columns) {
      if (lines.size() == 8) break;
      lines.emplace_back();
    }
    lines.back() += (lines.back().empty() ? "" : " ") + word;
    begin = end + 1;
  }
  return lines;
}

}  // namespace detail
}  // namespace example
