// SPDX-License-Identifier: Apache-2.0
// Normalisation to zero mean and unit variance, with a learned gain and bias.
// Ba et al., "Layer Normalization", 2016. arXiv:1607.06450
#pragma once

#include <cmath>
#include <cstddef>
#include <span>

#include <trine/core/tensor.hpp>
#include <trine/weights/weight_scope.hpp>

namespace trine::inline TRINE_ABI {

/// For narrow rows: sums are in double precision, in the calling thread.
class LayerNorm {
 public:
  /// Reads "weight" [width] and "bias" [width], widened to f32. Throws WeightError.
  LayerNorm(const WeightScope& scope, std::size_t width, double epsilon)
      : gain_(scope.read_f32("weight", width)), bias_(scope.read_f32("bias", width)), epsilon_(epsilon) {}

  /// y[i] = (x[i] - mean(x)) / sqrt(variance(x) + epsilon) * gain[i] + bias[i]   x, y: [width]; y may alias x
  void row(std::span<const float> x, std::span<float> y) const noexcept {
    const auto width = static_cast<double>(x.size());
    double mean = 0.0;
    for (const float value : x) mean += static_cast<double>(value);
    mean /= width;
    double variance = 0.0;
    for (const float value : x) variance += (static_cast<double>(value) - mean) * (static_cast<double>(value) - mean);
    const double scale = 1.0 / std::sqrt(variance / width + epsilon_);
    for (std::size_t i = 0; i < x.size(); ++i)
      y[i] = static_cast<float>((static_cast<double>(x[i]) - mean) * scale) * gain_.view()[i] + bias_.view()[i];
  }

  /// Number of gains and biases.
  [[nodiscard]] std::size_t parameters() const noexcept { return gain_.size() + bias_.size(); }

 private:
  Tensor<float, 1> gain_;  // [width]
  Tensor<float, 1> bias_;  // [width]
  double epsilon_;         // added to the variance; no unit
};

}  // namespace trine::inline TRINE_ABI
