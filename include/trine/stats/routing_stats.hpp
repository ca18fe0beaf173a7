// SPDX-License-Identifier: Apache-2.0
// The load of every expert in every layer, counted by an observer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include <trine/routing/routing_observer.hpp>
#include <trine/stats/load_balance.hpp>

namespace trine::inline TRINE_ABI {

/// An observer that counts. Use one per thread and merge them afterwards. Layers without a router have an empty load.
class RoutingStats : public RoutingObserver {
 public:
  void on_routing(const RoutingEvent& event) override {
    std::vector<std::uint64_t>& load = of(event.layer, event.plan.experts);
    for (const std::uint32_t e : event.plan.expert) ++load[e];
    if (event.layer == first_layer()) tokens_ += event.plan.tokens;
  }

  /// Adds the counts of another run. Throws ShapeError if a layer has a different number of experts there.
  void merge(const RoutingStats& other) {
    for (std::size_t layer = 0; layer < other.loads_.size(); ++layer) {
      if (other.loads_[layer].empty()) continue;
      std::vector<std::uint64_t>& load = of(layer, other.loads_[layer].size());
      for (std::size_t e = 0; e < load.size(); ++e) load[e] += other.loads_[layer][e];
    }
    tokens_ += other.tokens_;
  }

  /// The number of observed tokens.
  [[nodiscard]] std::uint64_t tokens() const noexcept { return tokens_; }
  /// The number of layers up to the last one with a router.
  [[nodiscard]] std::size_t layers() const noexcept { return loads_.size(); }
  /// Assignments of each expert of a layer; empty for a layer without a router.
  [[nodiscard]] std::span<const std::uint64_t> load(std::size_t layer) const { return loads_.at(layer); }

  /// The mean over the layers that have a router; `max_violation` is their maximum.
  [[nodiscard]] LoadBalance overall() const {
    LoadBalance result;
    double layers = 0.0;
    for (const auto& load : loads_) {
      if (load.empty()) continue;
      const LoadBalance layer = load_balance(load);
      result.utilization += layer.utilization;
      result.experts_used += layer.experts_used;
      result.max_violation = std::max(result.max_violation, layer.max_violation);
      layers += 1.0;
    }
    if (layers == 0.0) return result;
    result.utilization /= layers;
    result.experts_used /= layers;
    return result;
  }

  /// {"tokens": n, "overall": {figures}, "layers": [{"layer": i, "load": [..], figures}, ...]}
  [[nodiscard]] nlohmann::ordered_json to_json() const {
    const auto figures = [](nlohmann::ordered_json object, const LoadBalance& balance) {
      object["utilization"] = balance.utilization;
      object["experts_used"] = balance.experts_used;
      object["max_violation"] = balance.max_violation;
      return object;
    };
    nlohmann::ordered_json document;
    document["tokens"] = tokens_;
    document["overall"] = figures(nlohmann::ordered_json::object(), overall());
    document["layers"] = nlohmann::ordered_json::array();
    for (std::size_t layer = 0; layer < loads_.size(); ++layer) {
      if (loads_[layer].empty()) continue;
      nlohmann::ordered_json entry;
      entry["layer"] = layer;
      entry["load"] = loads_[layer];
      document["layers"].push_back(figures(std::move(entry), load_balance(loads_[layer])));
    }
    return document;
  }

  /// One line for each expert: layer,expert,assignments,share
  [[nodiscard]] std::string to_csv() const {
    std::string text = "layer,expert,assignments,share\n";
    for (std::size_t layer = 0; layer < loads_.size(); ++layer) {
      const auto total = std::accumulate(loads_[layer].begin(), loads_[layer].end(), std::uint64_t{0});
      for (std::size_t e = 0; e < loads_[layer].size(); ++e) {
        const std::uint64_t count = loads_[layer][e];
        const double share = total == 0 ? 0.0 : static_cast<double>(count) / static_cast<double>(total);
        text += std::to_string(layer) + "," + std::to_string(e) + "," + std::to_string(count) + "," +
                nlohmann::json(share).dump() + "\n";
      }
    }
    return text;
  }

 private:
  std::vector<std::uint64_t>& of(std::size_t layer, std::size_t experts) {
    if (layer >= loads_.size()) loads_.resize(layer + 1);
    std::vector<std::uint64_t>& load = loads_[layer];
    if (load.empty()) load.resize(experts);
    if (load.size() != experts) {
      throw ShapeError("routing statistics, layer " + std::to_string(layer) + ": expected " +
                       std::to_string(load.size()) + " experts, found " + std::to_string(experts));
    }
    return load;
  }
  [[nodiscard]] std::size_t first_layer() const {
    std::size_t layer = 0;
    while (layer < loads_.size() && loads_[layer].empty()) ++layer;
    return layer;
  }

  std::vector<std::vector<std::uint64_t>> loads_;  // [layers][experts]
  std::uint64_t tokens_ = 0;
};

}  // namespace trine::inline TRINE_ABI
