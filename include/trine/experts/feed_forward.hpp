// SPDX-License-Identifier: Apache-2.0
// The second half of a block: a dense MLP or a mixture of experts.
#pragma once

#include <cstddef>
#include <span>
#include <utility>

#include <trine/experts/grouped_mlp.hpp>

namespace trine::inline TRINE_ABI {

/// y = f(x), row by row.
class FeedForward {
 public:
  FeedForward() = default;
  FeedForward(const FeedForward&) = delete;
  FeedForward& operator=(const FeedForward&) = delete;
  virtual ~FeedForward() = default;

  /// y = f(x).   x, y: [tokens, hidden], not aliasing
  virtual void forward(const ForwardContext& context, View<const float, 2> x, View<float, 2> y) const = 0;

  /// Number of weights, including all experts.
  [[nodiscard]] virtual std::size_t parameters() const = 0;
  /// Maximum number of parameters that one token uses.
  [[nodiscard]] virtual std::size_t active_parameters() const { return parameters(); }
  /// 0 for a layer without a router.
  [[nodiscard]] virtual std::size_t num_experts() const { return 0; }
  /// Null for a layer without a router.
  [[nodiscard]] virtual const Router* router() const { return nullptr; }
  /// Throws InputError if the router's number of experts differs from the layer's.
  virtual void require_fitting(const Router& /*router*/) const {}
};

/// One gated MLP for every row.
class DenseFeedForward : public FeedForward {
 public:
  /// Reads the projections of a GatedMlp.   ffn: intermediate width. Throws WeightError.
  DenseFeedForward(const WeightScope& scope, std::size_t hidden, std::size_t ffn) : mlp_(scope, hidden, ffn) {}
  /// Takes ownership of `mlp`.
  explicit DenseFeedForward(GatedMlp mlp) : mlp_(std::move(mlp)) {}
  void forward(const ForwardContext& context, View<const float, 2> x, View<float, 2> y) const override {
    const MlpRows all{&mlp_, 0, x.extent(0)};
    GroupedMlp(context, x, {&all, 1}).write(y);
  }
  [[nodiscard]] std::size_t parameters() const override { return mlp_.parameters(); }

 private:
  GatedMlp mlp_;
};

}  // namespace trine::inline TRINE_ABI
