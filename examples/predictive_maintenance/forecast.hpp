// SPDX-License-Identifier: Apache-2.0
// Runs the readings of an engine through the model, cycle by cycle, as they would arrive.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include <trine/generate/session.hpp>
#include <trine/routing/routing_observer.hpp>

#include "common/program.hpp"
#include "engine_table.hpp"
#include "preparation.hpp"

namespace example {

/// What is known after one cycle.
struct Forecast {
  std::uint64_t cycle = 0;
  double life = 0.0;                // cycles left, from 0 to the cap
  double risk = 0.0;                // probability of a failure within the horizon
  std::vector<float> expert_share;  // of the last layer with a router: share of the weights of all sites; sums to 1
};

/// The forecasts of one engine.
struct History {
  std::vector<Forecast> cycles;
  std::optional<double> true_life = {};           // cycles left after the last one, where that is known
  std::optional<std::uint64_t> alarm_cycle = {};  // the first one with a risk of at least the threshold

  /// Cycles that were left after cycle `index`; missing cycles count.
  [[nodiscard]] std::optional<double> true_life_at(std::size_t index) const {
    if (!true_life) return std::nullopt;
    return *true_life + static_cast<double>(cycles.back().cycle - cycles[index].cycle);
  }
};

/// One session, used for one engine after another.
class Forecaster {
 public:
  Forecaster(const trine::Model& model, const Preparation& preparation, std::size_t num_threads)
      : preparation_(preparation),
        shares_(std::make_shared<ExpertShares>()),
        session_(model, {.num_threads = num_threads, .observer = shares_}) {}

  /// `alarm`: the risk that alarms. Throws UnreadableModel: other than two outputs; CapacityError: more cycles than the
  /// model was made for; CancelledError.
  [[nodiscard]] History run(const Engine& engine, double alarm, const std::stop_token& stop) {
    session_.reset();
    FeatureStream features(preparation_);
    History history;
    for (std::size_t i = 0; i < engine.cycles.size(); ++i) {
      const auto output = session_.forward_features(features.next(engine.reading(i, preparation_.sensors.size())),
                                                    trine::OutputRows::last, stop);
      if (output.extent(1) != 2)
        throw UnreadableModel("output.num_outputs: expected 2, the remaining life and the risk, found " +
                              std::to_string(output.extent(1)));
      Forecast now;
      now.cycle = engine.cycles[i];
      now.life = std::clamp(static_cast<double>(output(0, 0)), 0.0, preparation_.cap);
      now.risk = 1.0 / (1.0 + std::exp(-static_cast<double>(output(0, 1))));
      now.expert_share = shares_->share;
      if (!history.alarm_cycle && now.risk >= alarm) history.alarm_cycle = now.cycle;
      history.cycles.push_back(std::move(now));
    }
    return history;
  }

 private:
  /// What share of the weights each expert has in the last layer with a router.
  struct ExpertShares : trine::RoutingObserver {
    void on_routing(const trine::RoutingEvent& event) override {  // the layers come in order, so the last one stays
      share.assign(event.plan.experts, 0.0F);
      float total = 0.0F;
      for (std::size_t i = 0; i < event.plan.assignments(); ++i) {
        share[event.plan.expert[i]] += event.plan.weight[i];
        total += event.plan.weight[i];
      }
      for (float& part : share) part /= total;
    }
    std::vector<float> share;  // [experts]
  };

  const Preparation& preparation_;
  std::shared_ptr<ExpertShares> shares_;
  trine::Session session_;
};

/// How far forecasts are off, over engines whose true life is known. Both are capped, as published results do.
struct ForecastErrors {
  std::size_t engines = 0;
  double squares = 0.0;     // of cycles
  double nasa_score = 0.0;  // sum exp(-d / 13) - 1 for d < 0, exp(d / 10) - 1 otherwise: late costs more than early

  void add(double forecast, double truth, double cap) {
    const double d = std::min(forecast, cap) - std::min(truth, cap);
    ++engines;
    squares += d * d;
    nasa_score += std::exp(d < 0 ? -d / 13.0 : d / 10.0) - 1.0;
  }
  [[nodiscard]] double rmse() const { return std::sqrt(squares / static_cast<double>(engines)); }
};

}  // namespace example
