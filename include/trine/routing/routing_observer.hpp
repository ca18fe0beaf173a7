// SPDX-License-Identifier: Apache-2.0
// A hook that sees every routing decision. Absent, it costs one comparison a layer.
#pragma once

#include <cstddef>

#include <trine/routing/router.hpp>

namespace trine::inline TRINE_ABI {

/// Valid during the call only.
struct RoutingEvent {
  std::size_t layer;
  const RouterInput& input;  // what was asked: rows, positions, token ids
  const RoutingPlan& plan;   // what was chosen and how it is weighted; `scores` if they were wanted
};

class RoutingObserver {
 public:
  virtual ~RoutingObserver() = default;
  /// Called once a layer with a router, in the thread that runs the forward pass.
  virtual void on_routing(const RoutingEvent& event) = 0;
  /// Are the scores of all experts wanted, too?
  [[nodiscard]] virtual bool wants_scores() const { return false; }
};

}  // namespace trine::inline TRINE_ABI
