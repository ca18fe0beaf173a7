// SPDX-License-Identifier: Apache-2.0
// Root-mean-square normalisation with a learned gain.
// Zhang & Sennrich, "Root Mean Square Layer Normalization", 2019. arXiv:1910.07467
#pragma once

#include <cstddef>

#include <trine/core/shape.hpp>
#include <trine/kernels/vector_math.hpp>
#include <trine/platform/execution.hpp>
#include <trine/platform/parallel_rows.hpp>
#include <trine/weights/weight_scope.hpp>

namespace trine::inline TRINE_ABI {

class RmsNorm {
 public:
  /// Reads "weight" [hidden], widened to f32. Throws WeightError.
  RmsNorm(const WeightScope& scope, std::size_t hidden, float epsilon)
      : gain_(scope.read_f32("weight", hidden)), epsilon_(epsilon) {}

  /// y[t, h] = x[t, h] / sqrt(mean_h(x[t, h]^2) + epsilon) * gain[h]
  /// x, y: [tokens, hidden]; y may alias x. Allocates nothing. Throws ShapeError.
  void forward(const Execution& execution, View<const float, 2> x, View<float, 2> y) const {
    require_shape("RmsNorm input", {x.extent(0), gain_.size()}, x.shape());
    require_shape("RmsNorm output", x.shape(), y.shape());
    parallel_rows(execution, x.extent(0), x.extent(1), [&](std::size_t t) {
      kernels::rms_norm_row(execution.isa, x.row(t), gain_.view().span(), epsilon_, y.row(t));
    });
  }

  [[nodiscard]] std::size_t parameters() const noexcept { return gain_.size(); }

 private:
  Tensor<float, 1> gain_;  // [hidden]
  float epsilon_;          // added to the mean square; no unit
};

}  // namespace trine::inline TRINE_ABI
