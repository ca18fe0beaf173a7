// SPDX-License-Identifier: Apache-2.0
// A figure of one engine: (a) remaining life, with the true one where it is known, (b) risk, (c) the experts at work.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "common/palette.hpp"
#include "common/svg.hpp"
#include "forecast.hpp"

namespace example {

/// What the figure says beside the forecasts.
struct EnginePictureOptions {
  std::string unit;
  std::string model;
  double alarm = 0.5;  // the risk that alarms
};

namespace detail {

/// The place of a panel: cycles from left to right, values from bottom to top. Lengths in px.
struct Panel {
  double left, top, width, height;
  double first_cycle, last_cycle;
  double largest;  // value at the top; 0 is at the bottom

  [[nodiscard]] double x(double cycle) const {
    return left + width * (cycle - first_cycle) / std::max(last_cycle - first_cycle, 1.0);
  }
  [[nodiscard]] double y(double value) const { return top + height * (1.0 - std::clamp(value / largest, 0.0, 1.0)); }
};

/// 1, 2 or 5 times a power of ten, of which at most `count` fit.
[[nodiscard]] inline double tick_step(double range, double count) {
  double step = 1.0;
  for (int i = 0; range / step > count; ++i) step *= i % 3 == 1 ? 2.5 : 2.0;
  return step;
}

inline void draw_axes(Svg& svg, const Panel& panel, const std::vector<std::pair<double, std::string>>& values) {
  for (const auto& [value, label] : values) {
    svg.line(panel.left, panel.y(value), panel.left + panel.width, panel.y(value), "#e2e2e2");
    svg.text(panel.left - 7.0, panel.y(value) + 4.0, "soft end", label);
  }
}

inline void draw_cycles(Svg& svg, const Panel& panel) {
  const double step = tick_step(panel.last_cycle - panel.first_cycle, 10.0);
  const double y = panel.top + panel.height;
  for (double cycle = std::ceil(panel.first_cycle / step) * step; cycle <= panel.last_cycle; cycle += step) {
    svg.line(panel.x(cycle), y, panel.x(cycle), y + 4.0, "#999999");
    svg.text(panel.x(cycle), y + 16.0, "soft middle", fixed(cycle, 0));
  }
}

}  // namespace detail

/// A self-contained SVG document of one engine with at least one cycle.
[[nodiscard]] inline std::string engine_picture(const History& history, const Preparation& preparation,
                                                const EnginePictureOptions& options) {
  using namespace detail;
  constexpr double kWidth = 900.0;
  constexpr double kLeft = 64.0;
  constexpr double kPlot = kWidth - kLeft - 150.0;  // labels of lines stand right of it
  const std::string kForecast = "#0072b2";
  const std::string kTruth = "#1a1a1a";
  const std::string kAlarm = "#d55e00";
  const auto first = static_cast<double>(history.cycles.front().cycle);
  const auto last = static_cast<double>(history.cycles.back().cycle);
  const double label_x = kLeft + kPlot + 10.0;

  Svg svg;
  svg.text(24.0, 34.0, "title", "Engine " + options.unit);
  const Forecast& now = history.cycles.back();
  std::string summary = "After cycle " + fixed(last, 0) + ": " + fixed(now.life, 0) +
                        " cycles left, risk of failure within " + fixed(preparation.horizon, 0) + " cycles " +
                        percent(now.risk, 0);
  if (history.true_life) summary += "; true: " + fixed(*history.true_life, 0) + " cycles";
  svg.text(24.0, 54.0, "soft", summary + ". Model " + options.model + ".");

  const Panel life{kLeft, 92.0, kPlot, 230.0, first, last, preparation.cap * 1.04};
  svg.text(24.0, life.top - 12.0, "panel", "(a) Remaining life in cycles, at most " + fixed(preparation.cap, 0));
  std::vector<std::pair<double, std::string>> ticks;
  for (double value = 0.0; value <= preparation.cap; value += 25.0) ticks.emplace_back(value, fixed(value, 0));
  draw_axes(svg, life, ticks);
  std::vector<std::pair<double, double>> forecast;
  std::vector<std::pair<double, double>> truth;
  for (std::size_t i = 0; i < history.cycles.size(); ++i) {
    const auto cycle = static_cast<double>(history.cycles[i].cycle);
    forecast.emplace_back(life.x(cycle), life.y(history.cycles[i].life));
    if (const auto left = history.true_life_at(i))
      truth.emplace_back(life.x(cycle), life.y(std::min(*left, preparation.cap)));
  }
  if (!truth.empty()) svg.polyline(truth, kTruth, 1.4, "5 4");
  svg.polyline(forecast, kForecast, 1.8);
  // The labels stand where the lines end, but never on each other.
  double forecast_label = forecast.back().second + 4.0;
  if (!truth.empty()) {
    double truth_label = truth.back().second + 4.0;
    if (std::abs(truth_label - forecast_label) < 14.0) {
      const bool above = truth_label <= forecast_label;
      (above ? forecast_label : truth_label) = (above ? truth_label : forecast_label) + 14.0;
    }
    svg.text(label_x, truth_label, "", "true");
  }
  svg.text(label_x, forecast_label, "", "forecast", kForecast);

  const Panel risk{kLeft, life.top + life.height + 44.0, kPlot, 80.0, first, last, 1.0};
  svg.text(24.0, risk.top - 12.0, "panel", "(b) Risk of failure within " + fixed(preparation.horizon, 0) + " cycles");
  draw_axes(svg, risk, {{0.0, "0"}, {0.5, "0.5"}, {1.0, "1"}});
  std::vector<std::pair<double, double>> risks;
  for (const Forecast& one : history.cycles)
    risks.emplace_back(risk.x(static_cast<double>(one.cycle)), risk.y(one.risk));
  svg.polyline(risks, kForecast, 1.8);
  if (history.alarm_cycle) {
    const double x = risk.x(static_cast<double>(*history.alarm_cycle));
    svg.line(x, life.top, x, risk.top + risk.height, kAlarm);
    const bool left = x > kLeft + 120.0;  // of the line, where there is room
    svg.text(left ? x - 5.0 : x + 5.0, risk.top + 14.0, left ? "end" : "",
             "alarm, cycle " + std::to_string(*history.alarm_cycle), kAlarm);
  }

  double bottom = risk.top + risk.height;
  const std::size_t experts = now.expert_share.size();
  if (experts > 0) {
    const Panel shares{kLeft, bottom + 44.0, kPlot, 90.0, first, last, 1.0};
    bottom = shares.top + shares.height;
    svg.text(24.0, shares.top - 12.0, "panel",
             "(c) Experts at work, share of their weights over all sensors, last layer");
    const std::vector<Color> colors = expert_palette(experts);
    double label = shares.top + shares.height + 20.0;  // y of the one below
    std::vector<double> filled(history.cycles.size(), 0.0);
    for (std::size_t e = 0; e < experts; ++e) {
      std::vector<std::pair<double, double>> area;  // along its lower edge, back along its upper one
      for (std::size_t i = 0; i < history.cycles.size(); ++i)
        area.emplace_back(shares.x(static_cast<double>(history.cycles[i].cycle)), shares.y(filled[i]));
      const double lower = filled.back();
      for (std::size_t i = history.cycles.size(); i-- > 0;) {
        filled[i] += static_cast<double>(history.cycles[i].expert_share[e]);
        area.emplace_back(shares.x(static_cast<double>(history.cycles[i].cycle)), shares.y(filled[i]));
      }
      svg.polygon(area, colors[e % colors.size()].hex());
      if (experts > 8) continue;  // no room for their names
      label = std::min(shares.y((lower + filled.back()) / 2.0) + 4.0, label - 13.0);
      svg.text(label_x, label, "", "expert " + std::to_string(e));
    }
  }
  draw_cycles(svg, {kLeft, life.top, kPlot, bottom - life.top, first, last, 1.0});
  svg.text(kLeft + kPlot, bottom + 32.0, "soft end", "cycle");
  return svg.document(kWidth, bottom + 46.0, "Remaining life of engine " + options.unit);
}

}  // namespace example
