// SPDX-License-Identifier: Apache-2.0
// Fills InputStatistics while a model runs.
#pragma once

#include <cstddef>
#include <mutex>
#include <span>
#include <vector>

#include <trine/model/model.hpp>
#include <trine/nn/input_observer.hpp>
#include <trine/quantize/input_statistics.hpp>
#include <trine/quantize/statistics_targets.hpp>

namespace trine::inline TRINE_ABI {

/// A model that runs with it as SessionOptions::input_observer fills `statistics()`. Several sessions may share it. Run
/// with ActivationPrecision::f32 to see inputs that are not rounded elsewhere.
class InputCollector : public InputObserver {
 public:
  /// model: whose sessions are observed
  explicit InputCollector(const Model& model) : targets_(statistics_targets(model)) {}

  void on_input(const InputEvent& event) override {
    const StatisticsTarget& target = targets_[event.target];
    if (target.tensor.empty()) return;
    const std::scoped_lock lock(mutex_);
    TensorInputs& inputs = statistics_.of(target.tensor, target.columns, target.experts);
    if (inputs.columns != target.columns || inputs.experts() != target.experts) return;
    double* sum = inputs.squares.data() + target.expert * target.columns;
    for (std::size_t r = 0; r < event.rows; ++r) {
      const std::span<const float> x = event[r];
      for (std::size_t j = 0; j < target.columns; ++j) sum[j] += static_cast<double>(x[j]) * static_cast<double>(x[j]);
    }
    inputs.rows[target.expert] += event.rows;
  }

  /// What was seen so far. Not while a session runs.
  [[nodiscard]] const InputStatistics& statistics() const noexcept { return statistics_; }

 private:
  std::vector<StatisticsTarget> targets_;  // by number of the map
  InputStatistics statistics_;
  std::mutex mutex_;
};

}  // namespace trine::inline TRINE_ABI
