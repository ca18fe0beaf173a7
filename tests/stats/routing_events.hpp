// SPDX-License-Identifier: Apache-2.0
// Routing decisions made by hand.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include <trine/routing/routing_observer.hpp>

namespace trine::test {

/// [tokens][chosen] (expert, weight)
using Decisions = std::vector<std::vector<std::pair<std::uint32_t, float>>>;

inline void show(RoutingObserver& observer, std::size_t layer, std::size_t experts, const Decisions& decisions) {
  RoutingPlan plan;
  plan.start(experts);
  for (const auto& token : decisions) {
    for (const auto& [expert, weight] : token) plan.add(expert, weight);
    plan.end_token();
  }
  observer.on_routing({layer, RouterInput{}, plan});
}

}  // namespace trine::test
