// SPDX-License-Identifier: Apache-2.0
// The second half of a block: a dense MLP or a mixture of experts.
#pragma once

#include <cstddef>
#include <span>
#include <utility>

#include <trine/core/workspace.hpp>
#include <trine/experts/gated_executor.hpp>
#include <trine/routing/routing_observer.hpp>

namespace trine::inline TRINE_ABI {

/// What a feed-forward layer sees of a forward pass besides its rows.
struct FeedForwardContext {
  const Execution& execution;
  Workspace& workspace;
  RouterInput rows;           // `hidden` is filled in by the layer
  RoutingPlan& plan;          // reused from layer to layer
  RoutingObserver* observer;  // may be null
};

class FeedForward {
 public:
  FeedForward() = default;
  FeedForward(const FeedForward&) = delete;
  FeedForward& operator=(const FeedForward&) = delete;
  virtual ~FeedForward() = default;

  /// y = f(x).   x, y: [tokens, hidden], not aliasing
  virtual void forward(const FeedForwardContext& context, View<const float, 2> x, View<float, 2> y) const = 0;

  [[nodiscard]] virtual std::size_t parameters() const = 0;
  /// Parameters that one token uses, at most.
  [[nodiscard]] virtual std::size_t active_parameters() const { return parameters(); }
  /// 0 for a layer without a router.
  [[nodiscard]] virtual std::size_t num_experts() const { return 0; }
};

class DenseFeedForward : public FeedForward {
 public:
  DenseFeedForward(const WeightScope& scope, std::size_t hidden, std::size_t ffn) : mlp_(scope, hidden, ffn) {}
  explicit DenseFeedForward(GatedMlp mlp) : mlp_(std::move(mlp)) {}
  void forward(const FeedForwardContext& context, View<const float, 2> x, View<float, 2> y) const override {
    const GatedRows all{&mlp_, 0, x.extent(0)};
    GatedExecutor(context.execution, context.workspace, x, {&all, 1}).write(y);
  }
  [[nodiscard]] std::size_t parameters() const override { return mlp_.parameters(); }

 private:
  GatedMlp mlp_;
};

}  // namespace trine::inline TRINE_ABI
