// SPDX-License-Identifier: Apache-2.0
// Root-mean-square normalisation with a learned gain.
// Zhang & Sennrich, "Root Mean Square Layer Normalization", 2019. arXiv:1910.07467
// Of deviations from the mean it is LayerNorm. Ba et al., "Layer Normalization", 2016. arXiv:1607.06450
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <utility>

#include <trine/core/shape.hpp>
#include <trine/kernels/vector_math.hpp>
#include <trine/nn/forward_context.hpp>
#include <trine/platform/parallel_rows.hpp>
#include <trine/weights/weight_scope.hpp>

namespace trine::inline TRINE_ABI {

/// Scales rows to a root mean square of 1, then by a learned gain.
class RmsNorm {
 public:
  /// What a checkpoint stores of the gain.
  enum class Stored : bool {
    gain,            ///< the gain
    gain_minus_one,  ///< zero-centred: what it differs by from 1
  };

  /// What is normalised.
  enum class Of : std::uint8_t {
    values,             ///< x
    deviations,         ///< x - mean_h(x), which makes it LayerNorm without a bias
    biased_deviations,  ///< the same, and a learned bias is added at the end: LayerNorm
  };

  /// Reads "weight" [hidden], and "bias" [hidden] if there is one, widened to f32. Throws WeightError.
  RmsNorm(const WeightScope& scope, std::size_t hidden, float epsilon, Stored stored = Stored::gain, Of of = Of::values)
      : gain_(scope.read_f32("weight", hidden)), epsilon_(epsilon), of_(of) {
    if (stored == Stored::gain_minus_one)
      for (float& gain : gain_.view().span()) gain += 1.0F;
    if (of == Of::biased_deviations) bias_ = scope.read_f32("bias", hidden);
  }
  /// gain: [hidden]
  RmsNorm(Tensor<float, 1> gain, float epsilon) : gain_(std::move(gain)), epsilon_(epsilon) {}
  /// A norm that has no learned gain: all of them are 1.
  [[nodiscard]] static RmsNorm without_gain(std::size_t hidden, float epsilon) {
    Tensor<float, 1> ones({hidden});
    std::ranges::fill(ones.view().span(), 1.0F);
    return {std::move(ones), epsilon};
  }

  /// y[t, h] = x[t, h] / sqrt(mean_h(x[t, h]^2) + epsilon) * gain[h] + bias[h]
  /// x, y: [tokens, hidden]; y may alias x. Allocates nothing. Throws ShapeError.
  void forward(const ForwardContext& context, View<const float, 2> x, View<float, 2> y) const {
    require_shape("RmsNorm input", {x.extent(0), gain_.size()}, x.shape());
    require_shape("RmsNorm output", x.shape(), y.shape());
    parallel_rows(context.execution, x.extent(0), x.extent(1),
                  [&](std::size_t t) { row(context.execution.isa, x.row(t), y.row(t)); });
  }
  /// The same for one row in the calling thread.   x, y: [hidden]
  void row(Isa isa, std::span<const float> x, std::span<float> y) const noexcept {
    if (of_ != Of::values) {
      double sum = 0.0;
      for (const float value : x) sum += static_cast<double>(value);
      const auto mean = static_cast<float>(sum / static_cast<double>(x.size()));
      for (std::size_t i = 0; i < x.size(); ++i) y[i] = x[i] - mean;
      x = y;
    }
    kernels::rms_norm_row(isa, x, gain_.view().span(), epsilon_, y);
    if (bias_) kernels::add_inplace(isa, bias_->view().span(), y);
  }

  /// Number of gains and biases.
  [[nodiscard]] std::size_t parameters() const noexcept { return gain_.size() + (bias_ ? bias_->size() : 0); }

 private:
  Tensor<float, 1> gain_;  // [hidden]
  float epsilon_;          // added to the mean square; no unit
  Of of_ = Of::values;
  std::optional<Tensor<float, 1>> bias_;  // [hidden]
};

}  // namespace trine::inline TRINE_ABI
