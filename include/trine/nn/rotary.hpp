// SPDX-License-Identifier: Apache-2.0
// Rotary position embedding, pairs taken from the two halves of a head.
// Su et al., "RoFormer: Enhanced Transformer with Rotary Position Embedding", 2021. arXiv:2104.09864
#pragma once

#include <cmath>
#include <cstddef>
#include <span>
#include <vector>

#include <trine/core/tensor.hpp>

namespace trine::inline TRINE_ABI {

/// With d = head_dim, i < d/2 and angle a = position * theta^(-2i/d):
///   y[i] = x[i] cos a - x[i + d/2] sin a        y[i + d/2] = x[i + d/2] cos a + x[i] sin a
/// Angles are exact to double precision at any position: cos and sin of 256 q + r come from two small tables by the sum
/// formulas.
class Rotary {
 public:
  /// `head_dim` is even. Positions below `max_position` may be asked for.
  Rotary(std::size_t head_dim, double theta, std::size_t max_position)
      : half_(head_dim / 2), fine_(kStep * half_), coarse_((max_position / kStep + 1) * half_) {
    for (std::size_t i = 0; i < half_; ++i) {
      const double frequency = std::pow(theta, -2.0 * static_cast<double>(i) / static_cast<double>(head_dim));
      for (std::size_t r = 0; r < kStep; ++r) fine_[r * half_ + i] = turn_by(static_cast<double>(r) * frequency);
      for (std::size_t q = 0; q * half_ < coarse_.size(); ++q)
        coarse_[q * half_ + i] = turn_by(static_cast<double>(q * kStep) * frequency);
    }
  }

  /// Rotates every head of one token in place. heads: [number * head_dim].
  void rotate(std::size_t position, std::span<float> heads) const {
    const Turn* fine = fine_.data() + position % kStep * half_;
    const Turn* coarse = coarse_.data() + position / kStep * half_;
    for (std::size_t i = 0; i < half_; ++i) {
      const auto cosine = static_cast<float>(coarse[i].cosine * fine[i].cosine - coarse[i].sine * fine[i].sine);
      const auto sine = static_cast<float>(coarse[i].sine * fine[i].cosine + coarse[i].cosine * fine[i].sine);
      for (std::size_t low = i; low < heads.size(); low += 2 * half_) {
        const float a = heads[low];
        const float b = heads[low + half_];
        heads[low] = a * cosine - b * sine;
        heads[low + half_] = b * cosine + a * sine;
      }
    }
  }

 private:
  struct Turn {
    double cosine;
    double sine;
  };
  static Turn turn_by(double angle) { return {std::cos(angle), std::sin(angle)}; }
  static constexpr std::size_t kStep = 256;

  std::size_t half_;
  std::vector<Turn> fine_;    // [kStep, half]    positions 0 .. 255
  std::vector<Turn> coarse_;  // [.., half]       positions 0, 256, 512, ..
};

}  // namespace trine::inline TRINE_ABI
