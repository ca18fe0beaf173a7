// SPDX-License-Identifier: Apache-2.0
// The error of a change of weight format: |w' - w| / |w|, the relative root-mean-square error of one or several
// tensors.
#pragma once

#include <cmath>
#include <cstddef>

#include <trine/core/abi.hpp>

namespace trine::inline TRINE_ABI {

/// Sums from which the error of one or several tensors is computed.
struct QuantizationError {
  double squared_error = 0.0;   ///< sum over the elements of (w' - w)^2
  double squared_weight = 0.0;  ///< sum of w^2

  /// Adds `count` weights w, `exact`, and their new values w', `rounded`.
  void add(const float* exact, const float* rounded, std::size_t count) noexcept {
    for (std::size_t i = 0; i < count; ++i) {
      const double w = static_cast<double>(exact[i]);
      const double error = static_cast<double>(rounded[i]) - w;
      squared_error += error * error;
      squared_weight += w * w;
    }
  }
  /// Adds the weights of another tensor.
  QuantizationError& operator+=(const QuantizationError& other) noexcept {
    squared_error += other.squared_error;
    squared_weight += other.squared_weight;
    return *this;
  }
  /// No unit; 0 for a tensor of zeros.
  [[nodiscard]] double relative_rms() const noexcept {
    return squared_error == 0.0 ? 0.0 : std::sqrt(squared_error / squared_weight);
  }
};

}  // namespace trine::inline TRINE_ABI
