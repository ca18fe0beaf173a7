// SPDX-License-Identifier: Apache-2.0
// What a session chose, in the form of the golden files.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <vector>

#include <trine/routing/routing_observer.hpp>

namespace trine::test {

class ChoiceRecorder : public RoutingObserver {
 public:
  void on_routing(const RoutingEvent& event) override {
    auto& tokens = chosen[event.layer];
    for (std::size_t t = 0; t < event.plan.tokens; ++t) {
      const auto experts = event.plan.experts_of(t);
      tokens.emplace_back(experts.begin(), experts.end());
    }
  }
  std::map<std::size_t, std::vector<std::vector<std::uint32_t>>> chosen;  // layer -> token -> experts, best first
};

}  // namespace trine::test
