// SPDX-License-Identifier: Apache-2.0
// The definitions of stats/routing_trace.hpp.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include <trine/stats/routing_stats.hpp>
#include <trine/stats/routing_trace.hpp>

namespace trine::inline TRINE_ABI {

TRINE_DECL void RoutingTrace::on_routing(const RoutingEvent& event) {
  if (event.layer >= layers_.size()) layers_.resize(event.layer + 1);
  Layer& layer = layers_[event.layer];
  for (std::size_t t = 0; t < event.plan.tokens && layer.begin.size() <= most_tokens_; ++t) {
    const auto experts = event.plan.experts_of(t);
    const auto weights = event.plan.weights_of(t);
    layer.expert.insert(layer.expert.end(), experts.begin(), experts.end());
    layer.weight.insert(layer.weight.end(), weights.begin(), weights.end());
    layer.begin.push_back(layer.expert.size());
  }
  stats_.on_routing(event);
}

TRINE_DECL std::span<const std::uint32_t> RoutingTrace::experts_of(std::size_t layer, std::size_t token) const {
  return part(layers_.at(layer).expert, layer, token);
}

TRINE_DECL std::span<const float> RoutingTrace::weights_of(std::size_t layer, std::size_t token) const {
  return part(layers_.at(layer).weight, layer, token);
}

TRINE_DECL nlohmann::ordered_json RoutingTrace::experts_to_json() const {
  auto document = nlohmann::ordered_json::object();
  for (std::size_t layer = 0; layer < layers(); ++layer) {
    if (!routed(layer)) continue;
    auto tokens = nlohmann::ordered_json::array();
    for (std::size_t t = 0; t + 1 < layers_[layer].begin.size(); ++t) {
      const auto experts = experts_of(layer, t);
      tokens.push_back(std::vector<std::uint32_t>(experts.begin(), experts.end()));
    }
    document[std::to_string(layer)] = std::move(tokens);
  }
  return document;
}

TRINE_DECL std::string RoutingTrace::to_csv() const {
  std::string text = "layer,token,rank,expert,weight\n";
  for (std::size_t layer = 0; layer < layers(); ++layer) {
    for (std::size_t t = 0; t + 1 < layers_[layer].begin.size(); ++t) {
      for (std::size_t rank = 0; rank < experts_of(layer, t).size(); ++rank) {
        text += std::to_string(layer) + "," + std::to_string(t) + "," + std::to_string(rank) + "," +
                std::to_string(experts_of(layer, t)[rank]) + "," + nlohmann::json(weights_of(layer, t)[rank]).dump() +
                "\n";
      }
    }
  }
  return text;
}

}  // namespace trine::inline TRINE_ABI
