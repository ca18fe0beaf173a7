// SPDX-License-Identifier: Apache-2.0
// The interface that computes the routed experts of a layer: in this process (local_experts.hpp), from disk, or on
// other machines. All give the same bits, because a token's experts are summed in ascending order of their index.
#pragma once

#include <cstddef>

#include <trine/core/tensor_view.hpp>
#include <trine/experts/shared_experts.hpp>
#include <trine/nn/forward_context.hpp>
#include <trine/routing/routing_plan.hpp>

namespace trine::inline TRINE_ABI {

/// Computes the routed experts of one layer.
class ExpertExecutor {
 public:
  ExpertExecutor() = default;
  ExpertExecutor(const ExpertExecutor&) = delete;
  ExpertExecutor& operator=(const ExpertExecutor&) = delete;
  virtual ~ExpertExecutor() = default;

  /// Number of experts.
  [[nodiscard]] virtual std::size_t size() const = 0;
  /// Number of weights per expert.
  [[nodiscard]] virtual std::size_t parameters_per_expert() const = 0;

  /// y_t = sum_e g_te expert_e(x_t) over the experts of token t, ascending, then + shared(x_t) if given, which an
  /// executor may compute while it waits for routed experts.   plan: sorted by expert   shared: may be null   x, y:
  /// [tokens, hidden], not aliasing
  virtual void forward(const ForwardContext& context, const RoutingPlan& plan, const SharedExperts* shared,
                       View<const float, 2> x, View<float, 2> y) const = 0;
  /// outputs_s = expert_e(x_t) for each slot s of the sorted plan.   outputs: [assignments, hidden], not aliasing x
  virtual void forward_slots(const ForwardContext& context, const RoutingPlan& plan, View<const float, 2> x,
                             View<float, 2> outputs) const = 0;
};

}  // namespace trine::inline TRINE_ABI
