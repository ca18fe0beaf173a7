// SPDX-License-Identifier: Apache-2.0
// A hook that receives every routing decision for a sequence. Without one, the cost is one comparison per layer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include <trine/nn/frame_observer.hpp>
#include <trine/routing/router.hpp>

namespace trine::inline TRINE_ABI {

/// The routing of the rows of one sequence in one layer. Valid only during the call.
struct RoutingEvent {
  std::size_t layer;           ///< index in the model, including layers without experts
  const RouterInput& input;    ///< the router's input: rows, positions, token ids
  const RoutingPlan& plan;     ///< the chosen experts and their weights; `scores` if requested
  std::uint64_t sequence = 0;  ///< the sequence of these rows (Sequence::id)
};

/// The interface of observers, of experts and of frames. Calls for one sequence are sequential; an observer shared by
/// several sessions may be called from several threads at once.
class RoutingObserver : public FrameObserver {
 public:
  /// Called once a layer with a router for each observed sequence of a pass, in the thread that runs the pass.
  virtual void on_routing(const RoutingEvent& event) = 0;
  /// Returns whether RoutingPlan::scores is requested, too. Called in every layer.
  [[nodiscard]] virtual bool wants_scores() const { return false; }
};

/// A non-owning pointer to an observer, which must outlive its users.
[[nodiscard]] inline std::shared_ptr<RoutingObserver> borrow(RoutingObserver& observer) noexcept {
  return {std::shared_ptr<RoutingObserver>(), &observer};
}

}  // namespace trine::inline TRINE_ABI
