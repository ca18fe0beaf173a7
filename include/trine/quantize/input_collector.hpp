// SPDX-License-Identifier: Apache-2.0
// Fills InputStatistics while a model runs.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <trine/model/model.hpp>
#include <trine/nn/input_observer.hpp>
#include <trine/quantize/input_statistics.hpp>
#include <trine/weights/linear_maps.hpp>
#include <trine/weights/weight_source.hpp>

namespace trine::inline TRINE_ABI {

/// A model that runs with it as SessionOptions::input_observer fills `statistics()`. Several sessions may share it. Run
/// with ActivationPrecision::f32 to see inputs that are not rounded elsewhere.
class InputCollector : public InputObserver {
 public:
  /// Tensors are found by their memory, so that two maps of one tensor, such as an embedding that is also the head,
  /// have statistics in common.
  explicit InputCollector(const Model& model) {
    std::map<const std::byte*, std::string, std::less<>> at;
    for (const std::string_view name : model.weights().names())
      if (const StoredTensor* tensor = model.weights().find(name); !tensor->bytes.empty())
        at.emplace(tensor->bytes.data(), std::string(name));
    for (const LinearMap& map : model.linear_maps()) {
      Target& target = targets_.emplace_back();
      // Of several projections of a stack, which take the same input, one is enough.
      const auto found = map.projection == 0 ? at.find(map.weight.data) : at.end();
      if (found == at.end()) continue;
      target = {found->second, map.weight.columns, map.stack ? map.index : 0, map.stack ? map.stack->count : 1};
    }
  }

  void on_input(const InputEvent& event) override {
    const Target& target = targets_[event.target];
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
  struct Target {
    std::string tensor;  // empty: not to be counted
    std::size_t columns = 0;
    std::size_t expert = 0;
    std::size_t experts = 1;
  };

  std::vector<Target> targets_;  // by number of the map
  InputStatistics statistics_;
  std::mutex mutex_;
};

}  // namespace trine::inline TRINE_ABI
