// SPDX-License-Identifier: Apache-2.0
// What a session chose, in the form of the golden files.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <utility>
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
  [[nodiscard]] bool wants_frames() const override { return true; }
  void on_frames(const FrameRoutingEvent& event) override {
    auto& rows = frames[{event.layer, event.kv_head}];
    for (std::size_t r = 0; r < event.frames.extent(0); ++r) {
      const auto chosen_frames = event.frames.row(r);
      rows.emplace_back(chosen_frames.begin(), std::ranges::find(chosen_frames, FrameRoutingEvent::kNone));
    }
  }
  // layer and key/value head -> token -> frames, ascending
  std::map<std::pair<std::size_t, std::size_t>, std::vector<std::vector<std::uint32_t>>> frames;
  std::map<std::size_t, std::vector<std::vector<std::uint32_t>>> chosen;  // layer -> token -> experts, best first
};

}  // namespace trine::test
