// SPDX-License-Identifier: Apache-2.0
// A dense MLP and a mixture of experts side by side, each between norms of its own (Gemma 4).
#pragma once

#include <cstddef>
#include <memory>
#include <utility>

#include <trine/experts/feed_forward.hpp>
#include <trine/nn/rms_norm.hpp>
#include <trine/platform/parallel_rows.hpp>

namespace trine::inline TRINE_ABI {

/// One of the two, and its norms.
struct NormedFeedForward {
  RmsNorm norm;                                     ///< of its output
  std::unique_ptr<const FeedForward> feed_forward;  ///< not null
};

/// y = mlp.norm(mlp(mlp_input(x))) + mixture.norm(mixture(x)). A norm of what the experts of the mixture read belongs
/// to it (MoeLayer).
class ParallelFeedForward : public FeedForward {
 public:
  /// mlp_input: the norm of what the MLP reads
  ParallelFeedForward(RmsNorm mlp_input, NormedFeedForward mlp, NormedFeedForward mixture)
      : mlp_input_(std::move(mlp_input)), mlp_(std::move(mlp)), mixture_(std::move(mixture)) {}

  void forward(const ForwardContext& context, View<const float, 2> x, View<float, 2> y) const override {
    const Workspace::Scope scope(context.workspace);
    const View<float, 2> mixed = context.workspace.take_matrix<float>(x.extent(0), x.extent(1));
    mlp_input_.forward(context, x, mixed);
    mlp_.feed_forward->forward(context, mixed, y);
    mixture_.feed_forward->forward(context, x, mixed);
    const Isa isa = context.execution.isa;
    parallel_rows(context.execution, y.extent(0), 2 * y.extent(1), [&](std::size_t t) {
      mlp_.norm.row(isa, y.row(t), y.row(t));
      mixture_.norm.row(isa, mixed.row(t), mixed.row(t));
      kernels::add_inplace(isa, mixed.row(t), y.row(t));
    });
  }

  [[nodiscard]] std::size_t parameters() const override {
    return norm_parameters() + mlp_.feed_forward->parameters() + mixture_.feed_forward->parameters();
  }
  [[nodiscard]] std::size_t active_parameters() const override {
    return norm_parameters() + mlp_.feed_forward->active_parameters() + mixture_.feed_forward->active_parameters();
  }
  [[nodiscard]] std::size_t num_experts() const override { return mixture_.feed_forward->num_experts(); }
  [[nodiscard]] const Router* router() const override { return mixture_.feed_forward->router(); }
  void require_fitting(const Router& router) const override { mixture_.feed_forward->require_fitting(router); }

 private:
  [[nodiscard]] std::size_t norm_parameters() const noexcept {
    return mlp_input_.parameters() + mlp_.norm.parameters() + mixture_.norm.parameters();
  }

  RmsNorm mlp_input_;
  NormedFeedForward mlp_;
  NormedFeedForward mixture_;
};

}  // namespace trine::inline TRINE_ABI
