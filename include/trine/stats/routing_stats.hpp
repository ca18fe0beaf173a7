// SPDX-License-Identifier: Apache-2.0
// The load of every expert in every layer, counted by an observer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include <trine/routing/routing_observer.hpp>
#include <trine/stats/load_balance.hpp>

namespace trine::inline TRINE_ABI {

/// An observer that counts. Use one per thread and merge them afterwards. Layers without a router have an empty load.
class RoutingStats : public RoutingObserver {
 public:
  TRINE_DECL void on_routing(const RoutingEvent& event) override;

  /// Adds the counts of another run. Throws ShapeError if a layer has a different number of experts there.
  void merge(const RoutingStats& other);

  /// The number of observed tokens.
  [[nodiscard]] std::uint64_t tokens() const noexcept { return tokens_; }
  /// The number of layers up to the last one with a router.
  [[nodiscard]] std::size_t layers() const noexcept { return loads_.size(); }
  /// Assignments of each expert of a layer; empty for a layer without a router.
  [[nodiscard]] std::span<const std::uint64_t> load(std::size_t layer) const { return loads_.at(layer); }

  /// The mean over the layers that have a router; `max_violation` is their maximum.
  [[nodiscard]] LoadBalance overall() const;

  /// {"tokens": n, "overall": {figures}, "layers": [{"layer": i, "load": [..], figures}, ...]}
  [[nodiscard]] nlohmann::ordered_json to_json() const;

  /// One line for each expert: layer,expert,assignments,share
  [[nodiscard]] std::string to_csv() const;

 private:
  std::vector<std::uint64_t>& of(std::size_t layer, std::size_t experts);
  [[nodiscard]] std::size_t first_layer() const;

  std::vector<std::vector<std::uint64_t>> loads_;  // [layers][experts]
  std::uint64_t tokens_ = 0;
};

}  // namespace trine::inline TRINE_ABI

#if TRINE_HEADER_ONLY
#include <trine/stats/routing_stats.inl>
#endif
