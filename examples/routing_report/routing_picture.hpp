// SPDX-License-Identifier: Apache-2.0
// A figure of what a router did: (a) the load of each expert in each layer, (b) the experts of each token.
#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "common/svg.hpp"
#include "load_panel.hpp"
#include "picture_input.hpp"
#include "token_panel.hpp"

namespace example {

namespace detail {

[[nodiscard]] inline std::string figures_of(const RoutedText& text) {
  const trine::LoadBalance overall = text.trace->stats().overall();
  return "mean utilization " + fixed(overall.utilization, 3) + ", " + fixed(100.0 * overall.experts_used, 0) +
         " % of the experts used, the busiest one with " + fixed(1.0 + overall.max_violation, 2) +
         " times the even share";
}

[[nodiscard]] inline std::string caption_of(std::span<const RoutedText> texts) {
  std::string caption;
  for (std::size_t i = 0; i < texts.size(); ++i)
    caption += "Routing of " + std::to_string(texts[i].trace->tokens()) + " tokens" +
               (texts.size() == 1 ? "" : (i == 0 ? " of A, " : " of B, ") + shortened(texts[i].name, 60)) + ": " +
               figures_of(texts[i]) + ". ";
  return caption +
         "(Utilization: the exponential of the entropy of the load, divided by the number of experts; 1 when all "
         "experts serve equally many assignments.) ";
}

}  // namespace detail

/// A self-contained SVG document of at most 300 000 bytes, of one text or of two that are compared. The texts were read
/// by the same model.
[[nodiscard]] inline std::string routing_picture(std::span<const RoutedText> texts, const PictureOptions& options) {
  using namespace detail;
  constexpr std::size_t kCaption = 12'000;  // bytes that the caption and the style sheet need, at most
  Svg svg;
  const std::string model = shortened(escaped(options.model), 80);
  svg.text(kMargin, 46.0, "title", "Expert routing of " + model);
  double y = 66.0;
  for (const std::string& line : wrapped(options.architecture, 150)) {
    svg.text(kMargin, y, "soft", line);
    y += 15.0;
  }
  const LoadPanel loads(texts, options);
  TokenPanel tokens(texts, options);
  y = loads.draw(svg, y + 20.0);
  y = tokens.draw(svg, y + 26.0, kMostBytes - kCaption);
  for (const std::string& line :
       wrapped(caption_of(texts) + "(a) counts all tokens. " + loads.caption() + tokens.caption(), 165)) {
    svg.text(kMargin, y, "soft", line);
    y += 15.0;
  }
  return svg.document(kPageWidth, y + 20.0, "Expert routing of " + model);
}

}  // namespace example
