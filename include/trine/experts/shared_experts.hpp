// SPDX-License-Identifier: Apache-2.0
// Experts that serve every token. Dai et al., "DeepSeekMoE", 2024, arXiv:2401.06066.
#pragma once

#include <algorithm>
#include <optional>
#include <span>
#include <utility>

#include <trine/nn/gated_mlp.hpp>
#include <trine/routing/gating.hpp>

namespace trine::inline TRINE_ABI {

/// Several shared experts are one MLP with the sum of their widths. A gate may weight it per token:
///   y = scale mlp(x), or scale sigmoid(gate . x) mlp(x)
class SharedExperts {
 public:
  /// gate: [1, hidden], or nullopt
  SharedExperts(GatedMlp mlp, std::optional<Linear> gate = std::nullopt,  // NOLINT: an MLP is shared experts
                float scale = 1.0F)
      : mlp_(std::move(mlp)), gate_(std::move(gate)), scale_(scale) {}

  /// All shared experts as one MLP, whose intermediate width is the sum of theirs.
  [[nodiscard]] const GatedMlp& mlp() const noexcept { return mlp_; }

  /// scale sigmoid(gate . x) of each token, or empty if the weights are 1.   x: [tokens, hidden]   The result is taken
  /// from the workspace.
  [[nodiscard]] std::span<const float> weights(const ForwardContext& context, View<const float, 2> x) const {
    if (!gate_ && scale_ == 1.0F) return {};
    const View<float, 2> weight = context.workspace.take_matrix<float>(x.extent(0), 1);
    if (gate_) {
      gate_->forward(context.with_f32_activations(), x, weight);
      routing::sigmoid(weight.span());
      for (float& value : weight.span()) value *= scale_;
    } else {
      std::ranges::fill(weight.span(), scale_);
    }
    return weight.span();
  }

  /// Number of weights, including the gate.
  [[nodiscard]] std::size_t parameters() const noexcept {
    return mlp_.parameters() + (gate_ ? gate_->parameters() : 0);
  }

 private:
  GatedMlp mlp_;
  std::optional<Linear> gate_;
  float scale_;
};

}  // namespace trine::inline TRINE_ABI
