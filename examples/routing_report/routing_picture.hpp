// SPDX-License-Identifier: Apache-2.0
// A figure of what a router did: (a) the load of each expert in each layer, (b) the experts of each token.
#pragma once

#include <algorithm>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <trine/stats/routing_trace.hpp>
#include <trine/text/utf8.hpp>

#include "svg.hpp"

namespace example {

struct PictureText {
  std::string model;                // in the title
  std::string architecture;         // below it
  std::vector<std::string> tokens;  // the bytes of each token of the trace, in order
  std::size_t tokens_shown = 96;    // in (b); the load in (a) is that of all
};

namespace detail {

constexpr double kPageWidth = 1000.0;
constexpr double kMargin = 36.0;
constexpr double kLeft = kMargin + 50.0;  // behind the names of layers

[[nodiscard]] inline std::vector<std::size_t> routed_layers(const trine::RoutingTrace& trace) {
  std::vector<std::size_t> layers;
  for (std::size_t layer = 0; layer < trace.layers(); ++layer)
    if (trace.routed(layer)) layers.push_back(layer);
  return layers;
}

/// A token as one word: spaces and line breaks are signs, bytes that are no text are \xNN.
[[nodiscard]] inline std::string token_label(std::string_view bytes) {
  std::string label;
  for (std::size_t i = 0; i < bytes.size();) {
    if (bytes[i] == ' ') {
      label += "\u00B7";
      ++i;
    } else if (bytes[i] == '\n') {
      label += "\u21B5";
      ++i;
    } else {
      const std::size_t end = std::min(bytes.find_first_of(" \n", i), bytes.size());
      label += escaped(bytes.substr(i, end - i));
      i = end;
    }
  }
  return label;
}

/// In columns of a monospaced font; East Asian characters and emoji take two.
[[nodiscard]] inline double label_columns(std::string_view label) {
  double columns = 0.0;
  while (!label.empty()) {
    const trine::Utf8Step step = trine::decode_utf8(label);
    const bool wide = (step.code_point >= 0x1100 && step.code_point <= 0x115F) ||
                      (step.code_point >= 0x2E80 && step.code_point <= 0xFF60) || step.code_point >= 0x1F000;
    columns += wide ? 2.0 : 1.0;
    label.remove_prefix(step.bytes);
  }
  return columns;
}

/// Words in lines of at most `columns` characters.
[[nodiscard]] inline std::vector<std::string> wrapped(const std::string& text, std::size_t columns) {
  std::vector<std::string> lines(1);
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find(' ', begin), text.size());
    const std::string word = text.substr(begin, end - begin);
    if (!lines.back().empty() && width(lines.back()) + 1 + width(word) > columns) lines.emplace_back();
    lines.back() += (lines.back().empty() ? "" : " ") + word;
    begin = end + 1;
  }
  return lines;
}

/// (a) Returns the y below it.
inline double draw_load(Svg& svg, const trine::RoutingTrace& trace, double y) {
  constexpr double kBarWidth = 110.0;
  constexpr double kGap = 28.0;
  const auto layers = routed_layers(trace);
  std::size_t experts = 1;
  for (const std::size_t layer : layers) experts = std::max(experts, trace.stats().load(layer).size());
  const double room = kPageWidth - kMargin - 44.0 - kBarWidth - kGap - kLeft;
  const double cell = std::min(room / static_cast<double>(experts), 90.0);
  const double row = std::clamp(360.0 / static_cast<double>(std::max<std::size_t>(layers.size(), 1)), 13.0, 26.0);
  const double bars = kLeft + cell * static_cast<double>(experts) + kGap;

  svg.text(kMargin, y, "panel", "(a)  Load of each expert, relative to an even share");
  y += 30.0;
  const std::size_t every = cell >= 18.0 ? 1 : cell >= 9.0 ? 4 : 8;
  for (std::size_t e = 0; e < experts; e += every)
    svg.text(kLeft + cell * (static_cast<double>(e) + 0.5), y - 6.0, "soft small middle", std::to_string(e));
  svg.text(kLeft - 10.0, y - 6.0, "soft small end", "expert");
  svg.text(bars, y - 6.0, "soft small", "utilization");
  for (const std::size_t layer : layers) {
    const auto load = trace.stats().load(layer);
    double total = 0.0;
    for (const auto count : load) total += static_cast<double>(count);
    svg.text(kLeft - 10.0, y + row / 2.0 + 4.0, "end", "layer " + std::to_string(layer));
    for (std::size_t e = 0; e < load.size(); ++e) {
      const double relative =
          total > 0.0 ? static_cast<double>(load[e]) * static_cast<double>(load.size()) / total : 0.0;
      const Color color = color_of_load(relative);
      const double x = kLeft + cell * static_cast<double>(e);
      svg.rect(x, y, cell - 1.0, row - 1.0, color.hex());
      if (cell >= 30.0 && row >= 14.0)
        svg.text(x + (cell - 1.0) / 2.0, y + row / 2.0 + 3.0, "small middle", fixed(relative, 2),
                 std::string("style=\"fill:") + color.ink() + "\"");
    }
    const double utilization = trine::load_balance(load).utilization;
    svg.rect(bars, y + row / 2.0 - 4.0, kBarWidth, 8.0, "#ececec");
    svg.rect(bars, y + row / 2.0 - 4.0, kBarWidth * utilization, 8.0, "#4a7a8c");
    svg.text(bars + kBarWidth + 8.0, y + row / 2.0 + 4.0, "", fixed(utilization, 3));
    y += row;
  }

  y += 14.0;  // the legend
  constexpr std::size_t kSteps = 60;
  constexpr double kStep = 3.0;
  for (std::size_t i = 0; i < kSteps; ++i) {
    const double doublings = 4.0 * (static_cast<double>(i) + 0.5) / static_cast<double>(kSteps) - 2.0;
    svg.rect(kLeft + kStep * static_cast<double>(i), y, kStep + 0.3, 9.0, color_of_load(std::exp2(doublings)).hex());
  }
  constexpr std::array<const char*, 5> kTicks = {"\u2264 \u00BC", "\u00BD", "1", "2", "\u2265 4"};
  for (std::size_t i = 0; i < kTicks.size(); ++i)
    svg.text(kLeft + kStep * static_cast<double>(kSteps) * static_cast<double>(i) / 4.0, y + 21.0, "soft small middle",
             kTicks[i]);
  svg.text(kLeft + kStep * static_cast<double>(kSteps) + 22.0, y + 8.0, "soft small", "times the even share");
  return y + 30.0;
}

/// (b) Returns the y below it.
inline double draw_tokens(Svg& svg, const trine::RoutingTrace& trace, const PictureText& text, double y) {
  constexpr double kColumn = 6.63;  // of the font of tokens
  const auto layers = routed_layers(trace);
  const std::size_t count = std::min({text.tokens.size(), trace.tokens(), text.tokens_shown});
  std::size_t experts = 1;
  std::size_t most = 1;
  for (const std::size_t layer : layers) {
    experts = std::max(experts, trace.stats().load(layer).size());
    for (std::size_t t = 0; t < count; ++t) most = std::max(most, trace.experts_of(layer, t).size());
  }
  const double row = layers.size() > 8 ? 11.0 : 14.0;
  const double narrowest = std::min(static_cast<double>(most), 4.0) * (experts > 10 ? 15.0 : 11.0) + 4.0;

  svg.text(kMargin, y, "panel", "(b)  Experts of each token");
  y += 14.0;
  if (experts <= 16) {  // the legend
    double x = kLeft;
    svg.text(kLeft - 10.0, y + 9.0, "soft small end", "expert");
    for (std::size_t e = 0; e < experts; ++e, x += 34.0) {
      svg.rect(x, y, 11.0, 11.0, color_of_expert(e, experts).hex());
      svg.text(x + 15.0, y + 9.0, "soft small", std::to_string(e));
    }
    y += 16.0;
  }
  y += 18.0;

  const double line_height = row * static_cast<double>(layers.size()) + 36.0;
  double x = kLeft;
  for (std::size_t t = 0; t < count; ++t) {
    const std::string label = token_label(text.tokens[t]);
    const double cell = std::max(label_columns(label) * kColumn + 6.0, narrowest);
    if (x > kLeft && x + cell > kPageWidth - kMargin) {
      x = kLeft;
      y += line_height;
    }
    if (x == kLeft) {
      for (std::size_t i = 0; i < layers.size(); ++i)
        svg.text(kLeft - 10.0, y + 7.0 + row * (static_cast<double>(i) + 0.5) + 3.5, "soft small end",
                 (i == 0 ? "layer " : "") + std::to_string(layers[i]));
    }
    svg.text(x + (cell - 2.0) / 2.0, y, "token middle", label);
    for (std::size_t i = 0; i < layers.size(); ++i) {
      const auto chosen = trace.experts_of(layers[i], t);
      const auto weights = trace.weights_of(layers[i], t);
      double total = 0.0;
      for (const float weight : weights) total += static_cast<double>(std::max(weight, 0.0F));
      double left = x;
      for (std::size_t j = 0; j < chosen.size(); ++j) {
        const double share = total > 0.0 ? static_cast<double>(std::max(weights[j], 0.0F)) / total
                                         : 1.0 / static_cast<double>(chosen.size());
        const double part = share * (cell - 2.0);
        const Color color = color_of_expert(chosen[j], experts);
        const std::string number = std::to_string(chosen[j]);
        const double top = y + 7.0 + row * static_cast<double>(i);
        svg.rect(left, top, part, row - 1.0, color.hex());
        if (part >= 5.6 * static_cast<double>(number.size()) + 2.0)
          svg.text(left + part / 2.0, top + row / 2.0 + 2.8, "small middle", number,
                   std::string("style=\"fill:") + color.ink() + "\"");
        left += part;
      }
    }
    x += cell;
  }
  return y + line_height;
}

}  // namespace detail

/// A self-contained SVG document.
[[nodiscard]] inline std::string routing_picture(const trine::RoutingTrace& trace, const PictureText& text) {
  using detail::kMargin;
  Svg svg;
  const trine::LoadBalance overall = trace.stats().overall();
  svg.text(kMargin, 46.0, "title", "Expert routing of " + text.model);
  double y = 66.0;
  for (const std::string& line : detail::wrapped(text.architecture, 150)) {
    svg.text(kMargin, y, "soft", line);
    y += 15.0;
  }
  y = detail::draw_load(svg, trace, y + 20.0);
  y = detail::draw_tokens(svg, trace, text, y + 26.0);

  const std::size_t shown = std::min({text.tokens.size(), trace.tokens(), text.tokens_shown});
  const std::string caption =
      "Routing of " + std::to_string(trace.tokens()) + " tokens. Mean utilization " + fixed(overall.utilization, 3) +
      " (the exponential of the entropy of the load, divided by the number of experts: 1 when all experts serve "
      "equally "
      "many assignments); " +
      fixed(100.0 * overall.experts_used, 0) + " % of the experts were used; the busiest one has " +
      fixed(1.0 + overall.max_violation, 2) + " times the even share. (a) counts all tokens. (b) shows " +
      (shown == trace.tokens() ? "them all" : "the first " + std::to_string(shown)) +
      ": below each token a bar a layer, divided among its experts, best first, by their mixing weights; \u00B7 is a "
      "space, "
      "\u21B5 a line break.";
  for (const std::string& line : detail::wrapped(caption, 165)) {
    svg.text(kMargin, y, "soft", line);
    y += 15.0;
  }
  return svg.document(detail::kPageWidth, y + 20.0, "Expert routing of " + text.model);
}

}  // namespace example
