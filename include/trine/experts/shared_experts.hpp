// SPDX-License-Identifier: Apache-2.0
// Experts that serve every token. Dai et al., "DeepSeekMoE", 2024, arXiv:2401.06066.
#pragma once

#include <optional>
#include <utility>

#include <trine/core/workspace.hpp>
#include <trine/nn/gated_mlp.hpp>
#include <trine/routing/steps.hpp>

namespace trine::inline TRINE_ABI {

/// Several shared experts are one MLP of their widths together. Qwen2-MoE weights it token by token:
///   y = mlp(x), or sigmoid(gate . x) mlp(x)
class SharedExperts {
 public:
  /// gate: [1, hidden], or none
  SharedExperts(GatedMlp mlp, std::optional<Linear> gate = std::nullopt)  // NOLINT: an MLP is shared experts
      : mlp_(std::move(mlp)), gate_(std::move(gate)) {}

  /// x, y: [tokens, hidden], not aliasing
  void forward(const Execution& execution, Workspace& workspace, View<const float, 2> x, View<float, 2> y) const {
    mlp_.forward(execution, workspace, x, y);
    if (!gate_) return;
    const Workspace::Scope scope(workspace);
    const View<float, 2> weight = workspace.take_matrix<float>(x.extent(0), 1);
    gate_->forward(execution, x, weight);
    routing::sigmoid(weight.span());
    for (std::size_t t = 0; t < y.extent(0); ++t)
      for (float& value : y.row(t)) value *= weight(t, 0);
  }

  [[nodiscard]] std::size_t parameters() const noexcept {
    return mlp_.parameters() + (gate_ ? gate_->parameters() : 0);
  }

 private:
  GatedMlp mlp_;
  std::optional<Linear> gate_;
};

}  // namespace trine::inline TRINE_ABI
