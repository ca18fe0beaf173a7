// SPDX-License-Identifier: Apache-2.0
// Panel (b): the experts of each token.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <trine/stats/load_balance.hpp>
#include <trine/text/unicode/utf8.hpp>

#include "common/palette.hpp"
#include "common/svg.hpp"
#include "picture_input.hpp"

namespace example::detail {

/// A token as one word: spaces and line breaks are signs, bytes that are no text are \xNN. Long ones are cut.
[[nodiscard]] inline std::string token_label(std::string_view bytes) {
  constexpr std::size_t kMostCharacters = 32;
  std::string label;
  for (std::size_t i = 0; i < bytes.size() && width(label) <= kMostCharacters;) {
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
  return shortened(label, kMostCharacters);
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

/// Panel (b): below each token a bar for each layer, divided among the experts by their weights.
class TokenPanel {
 public:
  /// Borrows both.
  TokenPanel(std::span<const RoutedText> texts, const PictureOptions& options)
      : texts_(texts),
        options_(options),
        layers_(some_of(options.layers.empty() ? routed_layers(*texts[0].trace) : options.layers,
                        options.layers.empty() ? kFewLayers : kMostLayers)),
        experts_(most_experts(*texts[0].trace, layers_)),
        palette_(options.by_load && experts_ > kFewExperts ? busiest_palette() : expert_palette(experts_)) {
    top_ = options.top != 0 ? options.top : experts_ > kFewExperts ? 1 : experts_;
    row_ = layers_.size() > 8 ? 11.0 : 14.0;
    if (!options.by_load) return;
    for (const std::size_t layer : layers_) {
      const auto order = trine::experts_by_load(texts[0].trace->stats().load(layer));
      std::vector<std::size_t>& ranks = ranks_[layer];
      ranks.resize(order.size());
      for (std::size_t rank = 0; rank < order.size(); ++rank) ranks[order[rank]] = rank;
    }
  }

  /// Returns the y below it. Ends with the last line of tokens that leaves the drawing below `most_bytes`.
  double draw(Svg& svg, double y, std::size_t most_bytes) {
    svg.text(kMargin, y, "panel", top_ == 1 ? "(b)  Best expert of each token" : "(b)  Experts of each token");
    y = draw_legend(svg, y + 14.0) + 18.0;
    shown_.clear();
    for (std::size_t i = 0; i < texts_.size(); ++i) {
      if (texts_.size() > 1) {
        svg.text(kMargin, y + 2.0, "soft", std::string(i == 0 ? "A: " : "B: ") + shortened(texts_[i].name, 100));
        y += 20.0;
      }
      const std::size_t room = most_bytes > svg.body().size() ? most_bytes - svg.body().size() : 0;
      y = draw_text(svg, y, texts_[i], svg.body().size() + room / (texts_.size() - i));
    }
    return y;
  }

  /// What the caption says about it, after `draw`.
  [[nodiscard]] std::string caption() const {
    std::string text = "(b) shows ";
    for (std::size_t i = 0; i < texts_.size(); ++i) {
      const std::size_t all = texts_[i].trace->tokens();
      text += (i == 0 ? "" : " and ") +
              (shown_[i] == all ? "all " + std::to_string(all) : "the first " + std::to_string(shown_[i])) + " tokens" +
              (texts_.size() == 1 ? ""
               : i == 0           ? " of A"
                                  : " of B");
    }
    if (layers_.size() < routed_layers(*texts_[0].trace).size()) text += " in some of the layers";
    text += top_ == 1
                ? ": below each token its best expert in each layer"
                : ": below each token a bar for each layer, divided among its experts, best first, by their weights";
    if (options_.by_load && experts_ > kFewExperts)
      text += "; the " + std::to_string(kBusiest) + " experts with most load in a layer have colours";
    else if (options_.by_load)
      text += "; colours are ranks in the load of a layer";
    else if (experts_ > kMostColors)
      text += "; every " + std::to_string(kMostColors) + "th expert has the same colour";
    return text + "; \u00B7 is a space, \u21B5 a line break.";
  }

 private:
  static constexpr std::size_t kFewExperts = 16;  // that a legend can name, and a bar can be divided among
  static constexpr std::size_t kFewLayers = 8;
  static constexpr std::size_t kMostLayers = 64;
  static constexpr std::size_t kBusiest = 8;

  [[nodiscard]] static std::vector<Color> busiest_palette() {
    std::vector<Color> palette = expert_palette(kBusiest - 1);
    palette.push_back(expert_palette(kBusiest + 1).back());  // the last of the eight is a grey, which is for the others
    palette.push_back({0.91, 0.91, 0.91});
    return palette;
  }

  [[nodiscard]] const Color& color_of(std::size_t layer, std::uint32_t expert) const {
    const std::size_t index = options_.by_load ? ranks_.at(layer).at(expert) : expert;
    if (options_.by_load && experts_ > kFewExperts) return palette_[std::min(index, kBusiest)];
    return palette_[index % palette_.size()];
  }

  [[nodiscard]] double draw_legend(Svg& svg, double y) const {
    const bool by_rank = options_.by_load;
    if (experts_ > kFewExperts && !by_rank) return y;
    const std::size_t entries = experts_ > kFewExperts ? kBusiest + 1 : experts_;
    double x = kLeft;
    svg.text(kLeft - 10.0, y + 9.0, "soft small end", by_rank ? "rank" : "expert");
    for (std::size_t e = 0; e < entries; ++e, x += 34.0) {
      svg.rect(x, y, 11.0, 11.0, palette_[e].hex());
      const bool others = e == kBusiest && experts_ > kFewExperts;
      svg.text(x + 15.0, y + 9.0, "soft small", others ? "others" : std::to_string(by_rank ? e + 1 : e));
    }
    return y + 16.0;
  }

  double draw_text(Svg& svg, double y, const RoutedText& text, std::size_t most_bytes) {
    const std::size_t count = std::min({text.tokens.size(), text.trace->kept(), options_.tokens_shown});
    const double digits = static_cast<double>(std::to_string(experts_ - 1).size());
    const double narrowest = static_cast<double>(std::min<std::size_t>(most_chosen(text, count), 4)) *
                                 (experts_ > 10 ? 5.6 * digits + 4.0 : 11.0) +
                             4.0;
    const double line_height = row_ * static_cast<double>(layers_.size()) + 36.0;
    std::size_t t = 0;
    while (t < count) {
      Svg line;  // of tokens
      for (std::size_t i = 0; i < layers_.size(); ++i)
        line.text(kLeft - 10.0, y + 7.0 + row_ * (static_cast<double>(i) + 0.5) + 3.5, "soft small end",
                  (i == 0 ? "layer " : "") + std::to_string(layers_[i]));
      std::size_t end = t;
      for (double x = kLeft; end < count; ++end) {
        const std::string label = token_label(text.tokens[end]);
        const double cell = std::max(label_columns(label) * kColumn + 6.0, narrowest);
        if (x > kLeft && x + cell > kPageWidth - kMargin) break;
        line.text(x + (cell - 2.0) / 2.0, y, "token middle", label);
        for (std::size_t i = 0; i < layers_.size(); ++i)
          draw_bar(line, x, y + 7.0 + row_ * static_cast<double>(i), cell - 2.0, *text.trace, layers_[i], end);
        x += cell;
      }
      if (svg.body().size() + line.body().size() > most_bytes) break;
      svg.raw(line.body());
      t = end;
      y += line_height;
    }
    shown_.push_back(t);
    return y;
  }

  /// Experts that a token of the first `count` has, at most, of those that are drawn.
  [[nodiscard]] std::size_t most_chosen(const RoutedText& text, std::size_t count) const {
    std::size_t most = 1;
    for (const std::size_t layer : layers_)
      for (std::size_t t = 0; t < count; ++t) most = std::max(most, text.trace->experts_of(layer, t).size());
    return std::min(most, top_);
  }

  /// The bar of a token in a layer; grey with a dash where weights are no numbers.
  void draw_bar(Svg& svg, double x, double y, double width, const trine::RoutingTrace& trace, std::size_t layer,
                std::size_t token) const {
    const auto chosen = trace.experts_of(layer, token);
    const auto weights = trace.weights_of(layer, token);
    const std::size_t count = std::min(chosen.size(), top_);
    if (count == 0) return;
    if (!std::ranges::all_of(weights, [](float weight) { return std::isfinite(weight); })) {
      svg.rect(x, y, width, row_ - 1.0, "#ececec");
      svg.text(x + width / 2.0, y + row_ / 2.0 + 2.8, "soft small middle", "\u2013");
      return;
    }
    double total = 0.0;
    for (std::size_t j = 0; j < count; ++j) total += static_cast<double>(std::max(weights[j], 0.0F));
    for (std::size_t j = 0; j < count; ++j) {
      const double share =
          total > 0.0 ? static_cast<double>(std::max(weights[j], 0.0F)) / total : 1.0 / static_cast<double>(count);
      const double part = share * width;
      const Color& color = color_of(layer, chosen[j]);
      const std::string number = std::to_string(chosen[j]);
      if (part >= 0.05) svg.rect(x, y, part, row_ - 1.0, color.hex());
      if (part >= 5.6 * static_cast<double>(number.size()) + 2.0)
        svg.text(x + part / 2.0, y + row_ / 2.0 + 2.8, color.is_dark() ? "small middle light" : "small middle", number);
      x += part;
    }
  }

  static constexpr double kColumn = 6.63;  // of the font of tokens

  std::span<const RoutedText> texts_;
  const PictureOptions& options_;
  std::vector<std::size_t> layers_;
  std::size_t experts_;  // of the layer that has most
  std::vector<Color> palette_;
  std::map<std::size_t, std::vector<std::size_t>> ranks_;  // by layer and expert, with by_load
  std::size_t top_ = 0;
  double row_ = 0.0;
  std::vector<std::size_t> shown_;  // tokens of each text that were drawn
};

}  // namespace example::detail
