// SPDX-License-Identifier: Apache-2.0
// Every routing decision of a run, for tables, figures and files.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include <trine/stats/routing_stats.hpp>

namespace trine::inline TRINE_ABI {

/// An observer that stores experts and weights of each token in each layer, in the order of the tokens, and counts the
/// load. Memory grows with the tokens: 8 bytes for each assignment and 8 for each token and layer.
class RoutingTrace : public RoutingObserver {
 public:
  RoutingTrace() = default;
  /// Stores only the decisions of the first `most_tokens` tokens. The load counts all tokens.
  explicit RoutingTrace(std::size_t most_tokens) : most_tokens_(most_tokens) {}

  TRINE_DECL void on_routing(const RoutingEvent& event) override;

  /// The number of observed tokens.
  [[nodiscard]] std::size_t tokens() const noexcept { return static_cast<std::size_t>(stats_.tokens()); }
  /// The number of stored tokens, which are the first ones.
  [[nodiscard]] std::size_t kept() const noexcept { return std::min(tokens(), most_tokens_); }
  /// The number of layers up to the last one with a router.
  [[nodiscard]] std::size_t layers() const noexcept { return layers_.size(); }
  /// Returns whether the layer has a router.
  [[nodiscard]] bool routed(std::size_t layer) const { return !stats_.load(layer).empty(); }

  /// Experts of a stored token, best first. The layer must have a router.
  [[nodiscard]] std::span<const std::uint32_t> experts_of(std::size_t layer, std::size_t token) const;
  /// Their gate weights.
  [[nodiscard]] std::span<const float> weights_of(std::size_t layer, std::size_t token) const;

  /// The load of every expert over the whole run, including tokens that were not stored.
  [[nodiscard]] const RoutingStats& stats() const noexcept { return stats_; }

  /// {"0": [[experts of token 0], [experts of token 1], ...], "1": ...}, only layers with a router, in order.
  [[nodiscard]] nlohmann::ordered_json experts_to_json() const;

  /// One line for each assignment: layer,token,rank,expert,weight
  [[nodiscard]] std::string to_csv() const;

 private:
  struct Layer {
    std::vector<std::size_t> begin{0};  // [tokens + 1]
    std::vector<std::uint32_t> expert;  // [assignments]
    std::vector<float> weight;          // [assignments]
  };

  template <class T>
  [[nodiscard]] std::span<const T> part(const std::vector<T>& of_layer, std::size_t layer, std::size_t token) const {
    const std::vector<std::size_t>& begin = layers_[layer].begin;
    return std::span(of_layer).subspan(begin.at(token), begin.at(token + 1) - begin.at(token));
  }

  std::size_t most_tokens_ = std::numeric_limits<std::size_t>::max();
  std::vector<Layer> layers_;
  RoutingStats stats_;
};

}  // namespace trine::inline TRINE_ABI

#if TRINE_HEADER_ONLY
#include <trine/stats/routing_trace.inl>
#endif
