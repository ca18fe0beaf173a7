// SPDX-License-Identifier: Apache-2.0
// Panel (a): the load of each expert in each layer.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numeric>
#include <span>
#include <string>
#include <vector>

#include <trine/stats/load_balance.hpp>

#include "common/palette.hpp"
#include "common/svg.hpp"
#include "picture_input.hpp"

namespace example::detail {

/// Cells of a grid in colours of their load, as one path a colour: the smallest form that needs no script.
class LoadGrid {
 public:
  /// `cell`, `row`: width and height in px.
  LoadGrid(double cell, double row) : cell_(cell), row_(row) {}

  /// Cell `column` of line `line`, with a load relative to an even share.
  void add(std::size_t line, std::size_t column, double relative) {
    std::vector<Run>& runs = runs_[level(relative)];
    const bool joins = !has_gaps() && !runs.empty() && runs.back().line == line && runs.back().end == column;
    if (joins) {
      ++runs.back().end;
    } else {
      runs.push_back({line, column, column + 1});
    }
  }

  /// With its corner at (x, y).
  void draw(Svg& svg, double x, double y) const {
    svg.raw("<g transform=\"translate(" + length(x) + " " + fixed(y + (row_ - 1.0) / 2.0, 2) + ") scale(" +
            fixed(cell_, 3) + " " + fixed(row_, 3) + ")\" fill=\"none\" stroke-width=\"" +
            fixed((row_ - 1.0) / row_, 3) + "\">\n");
    for (std::size_t i = 0; i < kLevels; ++i) {
      if (runs_[i].empty()) continue;
      svg.raw("<path stroke=\"" + color(i).hex() + "\" d=\"" + path(runs_[i]) + "\"/>\n");
    }
    svg.raw("</g>\n");
  }

  /// The colour of a load.
  [[nodiscard]] static Color color_of(double relative) { return color(level(relative)); }

 private:
  struct Run {
    std::size_t line;
    std::size_t begin;  // columns [begin, end)
    std::size_t end;
  };
  static constexpr std::size_t kLevels = 33;  // 8 a doubling, from a quarter to four times the even share

  [[nodiscard]] static std::size_t level(double relative) {
    if (std::isnan(relative)) return kLevels / 2;  // nobody has anything to do
    const double doublings = relative > 0.0 ? std::clamp(std::log2(relative), -2.0, 2.0) : -2.0;
    return static_cast<std::size_t>(std::lround((doublings + 2.0) * 8.0));
  }
  [[nodiscard]] static Color color(std::size_t level) {
    return color_of_load(std::exp2(static_cast<double>(level) / 8.0 - 2.0));
  }
  [[nodiscard]] bool has_gaps() const { return cell_ >= 6.0; }

  /// In units of cells, from the middle of the first line: "M3 0h1m2 0h1M0 1h2".
  [[nodiscard]] std::string path(const std::vector<Run>& runs) const {
    std::string text;
    std::size_t line = std::numeric_limits<std::size_t>::max();
    std::size_t at = 0;
    for (const Run& run : runs) {
      const bool continues = run.line == line && !has_gaps();
      text += continues ? "m" + std::to_string(run.begin - at) + " 0"
                        : "M" + std::to_string(run.begin) + " " + std::to_string(run.line);
      text += "h" + (has_gaps() ? fixed(1.0 - 1.0 / cell_, 2).substr(1) : std::to_string(run.end - run.begin));
      line = run.line;
      at = run.end;
    }
    return text;
  }

  double cell_;
  double row_;
  std::array<std::vector<Run>, kLevels> runs_;
};

/// Panel (a): a line for each layer, or one for each of two texts.
class LoadPanel {
 public:
  /// Borrows both.
  LoadPanel(std::span<const RoutedText> texts, const PictureOptions& options)
      : texts_(texts),
        by_load_(options.by_load),
        layers_(some_of(options.layers.empty() ? routed_layers(*texts[0].trace) : options.layers,
                        kMostLines / texts.size())),
        experts_(most_experts(*texts[0].trace, layers_)) {
    const auto lines = static_cast<double>(std::max<std::size_t>(layers_.size() * texts_.size(), 1));
    const double room = kPageWidth - kMargin - kFigures - bar_width() - (compares() ? kDistance : 0.0) - kGap - kLeft;
    const auto most_columns = static_cast<std::size_t>(std::min(room, kMostCells / lines));
    experts_of_cell_ = (experts_ + most_columns - 1) / most_columns;
    columns_ = (experts_ + experts_of_cell_ - 1) / experts_of_cell_;
    cell_ = std::min(room / static_cast<double>(columns_), 90.0);
    row_ = std::clamp(360.0 / lines, 13.0, 26.0);
  }

  /// Returns the y below it.
  double draw(Svg& svg, double y) const {
    svg.text(kMargin, y, "panel", "(a)  Load of each expert, relative to an even share");
    y += 30.0;
    draw_heads(svg, y - 6.0);
    LoadGrid grid(cell_, row_);
    const double top = y;
    std::size_t line = 0;
    Svg numbers;  // drawn above the grid
    for (const std::size_t layer : layers_) {
      const auto order = order_of(layer);
      for (std::size_t i = 0; i < texts_.size(); ++i, ++line, y += row_) {
        const auto load = texts_[i].trace->stats().load(layer);
        const double middle = y + row_ / 2.0 + 4.0;
        if (i == 0) svg.text(kLeft - (compares() ? 24.0 : 10.0), middle, "end", "layer " + std::to_string(layer));
        if (compares()) svg.text(kLeft - 10.0, middle, "soft end", i == 0 ? "A" : "B");
        draw_cells(grid, numbers, line, y, load, order);
        draw_utilization(svg, y, load);
      }
      if (compares()) draw_distance(svg, y - row_, layer);
    }
    grid.draw(svg, kLeft, top);
    svg.raw(numbers.body());
    return draw_legend(svg, y + 14.0);
  }

  /// What the caption says about it.
  [[nodiscard]] std::string caption() const {
    std::string text;
    if (layers_.size() < routed_layers(*texts_[0].trace).size()) text += "(a) shows some of the layers. ";
    if (experts_of_cell_ > 1) text += "A cell of (a) is the mean of " + std::to_string(experts_of_cell_) + " experts. ";
    if (by_load_) {
      text += std::string("Experts are in the order of their load, the busiest at the left") +
              (compares() ? ", by the load of A" : "") + (shows_numbers() ? "; a cell names its expert. " : ". ");
    }
    if (compares())
      text +=
          "The distance of two loads is half the sum of the differences of their shares: 0 when they agree, 1 when "
          "no expert serves both. ";
    return text;
  }

 private:
  static constexpr double kFigures = 44.0;   // room for the utilization as a number
  static constexpr double kDistance = 50.0;  // and for the distance of two texts
  static constexpr double kGap = 28.0;
  static constexpr double kMostCells = 22'000.0;
  static constexpr std::size_t kMostLines = 128;

  [[nodiscard]] bool compares() const { return texts_.size() > 1; }
  [[nodiscard]] double bar_width() const { return compares() ? 80.0 : 110.0; }
  [[nodiscard]] double bars() const { return kLeft + cell_ * static_cast<double>(columns_) + kGap; }
  [[nodiscard]] bool shows_numbers() const { return cell_ >= (by_load_ ? 22.0 : 30.0) && row_ >= 14.0; }

  /// The experts of a layer from left to right.
  [[nodiscard]] std::vector<std::uint32_t> order_of(std::size_t layer) const {
    const auto load = texts_[0].trace->stats().load(layer);
    if (by_load_) return trine::experts_by_load(load);
    std::vector<std::uint32_t> order(load.size());
    std::iota(order.begin(), order.end(), 0U);
    return order;
  }

  void draw_heads(Svg& svg, double y) const {
    const double of_expert = cell_ / static_cast<double>(experts_of_cell_);
    const std::size_t every = of_expert >= 18.0   ? 1
                              : of_expert >= 9.0  ? 4
                              : of_expert >= 4.5  ? 8
                              : of_expert >= 2.25 ? 16
                                                  : (experts_ + 15) / 16;
    for (std::size_t e = 0; e < experts_; e += every)
      svg.text(kLeft + of_expert * (static_cast<double>(e) + 0.5), y, "soft small middle",
               std::to_string(by_load_ ? e + 1 : e));
    svg.text(kLeft - 10.0, y, "soft small end", by_load_ ? "rank" : "expert");
    svg.text(bars(), y, "soft small", "utilization");
    if (compares()) svg.text(kPageWidth - kMargin, y, "soft small end", "distance");
  }

  /// `order`: of its experts.
  void draw_cells(LoadGrid& grid, Svg& numbers, std::size_t line, double y, std::span<const std::uint64_t> load,
                  const std::vector<std::uint32_t>& order) const {
    const auto total = static_cast<double>(std::accumulate(load.begin(), load.end(), std::uint64_t{0}));
    for (std::size_t begin = 0; begin < load.size(); begin += experts_of_cell_) {
      const std::size_t end = std::min(begin + experts_of_cell_, load.size());
      double sum = 0.0;
      for (std::size_t e = begin; e < end; ++e) sum += static_cast<double>(load[order[e]]);
      const double even = total * static_cast<double>(end - begin) / static_cast<double>(load.size());
      const double relative = sum / even;  // NaN without assignments
      const std::size_t column = begin / experts_of_cell_;
      grid.add(line, column, relative);
      if (shows_numbers())
        numbers.text(kLeft + cell_ * static_cast<double>(column) + (cell_ - 1.0) / 2.0, y + row_ / 2.0 + 3.0,
                     LoadGrid::color_of(relative).is_dark() ? "small middle light" : "small middle",
                     by_load_ ? std::to_string(order[begin]) : figure(relative, 2));
    }
  }

  void draw_utilization(Svg& svg, double y, std::span<const std::uint64_t> load) const {
    const bool any = std::ranges::any_of(load, [](std::uint64_t count) { return count > 0; });
    const double utilization = trine::load_balance(load).utilization;
    svg.rect(bars(), y + row_ / 2.0 - 4.0, bar_width(), 8.0, "#ececec");
    svg.rect(bars(), y + row_ / 2.0 - 4.0, bar_width() * utilization, 8.0, "#4a7a8c");
    svg.text(bars() + bar_width() + 8.0, y + row_ / 2.0 + 4.0, "",
             figure(any ? utilization : std::numeric_limits<double>::quiet_NaN(), 3));
  }

  void draw_distance(Svg& svg, double y, std::size_t layer) const {
    const double distance =
        trine::total_variation_distance(texts_[0].trace->stats().load(layer), texts_[1].trace->stats().load(layer));
    svg.text(kPageWidth - kMargin, y + 4.0, "end", figure(distance, 3));
  }

  [[nodiscard]] static double draw_legend(Svg& svg, double y) {
    constexpr std::size_t kSteps = 60;
    constexpr double kStep = 3.0;
    for (std::size_t i = 0; i < kSteps; ++i) {
      const double doublings = 4.0 * (static_cast<double>(i) + 0.5) / static_cast<double>(kSteps) - 2.0;
      svg.rect(kLeft + kStep * static_cast<double>(i), y, kStep + 0.3, 9.0, color_of_load(std::exp2(doublings)).hex());
    }
    constexpr std::array<const char*, 5> kTicks = {"\u2264 \u00BC", "\u00BD", "1", "2", "\u2265 4"};
    for (std::size_t i = 0; i < kTicks.size(); ++i)
      svg.text(kLeft + kStep * static_cast<double>(kSteps) * static_cast<double>(i) / 4.0, y + 21.0,
               "soft small middle", kTicks[i]);
    svg.text(kLeft + kStep * static_cast<double>(kSteps) + 22.0, y + 8.0, "soft small", "times the even share");
    return y + 30.0;
  }

  std::span<const RoutedText> texts_;
  bool by_load_;
  std::vector<std::size_t> layers_;
  std::size_t experts_;              // of the layer that has most
  std::size_t experts_of_cell_ = 1;  // more where there is no room for all
  std::size_t columns_ = 1;
  double cell_ = 0.0;
  double row_ = 0.0;
};

}  // namespace example::detail
