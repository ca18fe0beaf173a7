// SPDX-License-Identifier: Apache-2.0
// Rotary position embedding: pairs of a head's elements are rotated by an angle proportional to the position.
// Su et al., "RoFormer: Enhanced Transformer with Rotary Position Embedding", 2021. arXiv:2104.09864
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include <trine/core/tensor.hpp>

namespace trine::inline TRINE_ABI {

/// The rotation speed of the pairs. nn/rope_scaling.hpp computes it for published models.
struct RopeFrequencies {
  std::vector<double> inverse;  ///< [rotary_dim / 2] radians per position
  double amplitude = 1.0;       ///< multiplied into cosine and sine; no unit
};

/// theta^(-2i/r) for i < r/2, r = rotary_dim, an even number.
[[nodiscard]] inline RopeFrequencies base_frequencies(std::size_t rotary_dim, double theta) {
  RopeFrequencies result;
  for (std::size_t i = 0; i < rotary_dim / 2; ++i)
    result.inverse.push_back(std::pow(theta, -2.0 * static_cast<double>(i) / static_cast<double>(rotary_dim)));
  return result;
}

/// Which elements of a head form pair i of r/2. A checkpoint is trained for one layout: the other is silently wrong.
enum class RotaryPairs : std::uint8_t {
  half_split,  // x[i] and x[i + r/2]
  interleaved  // x[2i] and x[2i + 1]
};

/// With pair i = (a, b), angle t = position * inverse[i] and amplitude A:
///   a' = A (a cos t - b sin t)        b' = A (b cos t + a sin t)
/// Elements of a head from r on are unchanged. Angles are exact to double precision at any position: cos and sin of 256
/// q + p are computed from two small tables by the angle sum identities.
class Rotary {
 public:
  /// Whole heads of `head_dim`, an even number, in half-split pairs. Positions must be below `max_position`.
  Rotary(std::size_t head_dim, double theta, std::size_t max_position)
      : Rotary(base_frequencies(head_dim, theta), RotaryPairs::half_split, head_dim, max_position) {}

  /// Rotates the first 2 * frequencies.inverse.size() <= head_dim elements of each head.
  Rotary(const RopeFrequencies& frequencies, RotaryPairs pairs, std::size_t head_dim, std::size_t max_position)
      : half_(frequencies.inverse.size()),
        head_dim_(head_dim),
        next_pair_(pairs == RotaryPairs::half_split ? 1 : 2),
        partner_(pairs == RotaryPairs::half_split ? half_ : 1),
        amplitude_(frequencies.amplitude),
        fine_(kStep * half_),
        coarse_((max_position / kStep + 1) * half_) {
    for (std::size_t i = 0; i < half_; ++i) {
      const double frequency = frequencies.inverse[i];
      for (std::size_t p = 0; p < kStep; ++p) fine_[p * half_ + i] = rotation_by(static_cast<double>(p) * frequency);
      for (std::size_t q = 0; q * half_ < coarse_.size(); ++q)
        coarse_[q * half_ + i] = rotation_by(static_cast<double>(q * kStep) * frequency);
    }
  }

  /// The same rotation of other pairs.
  [[nodiscard]] Rotary with_pairs(RotaryPairs pairs) const {
    Rotary result = *this;
    result.next_pair_ = pairs == RotaryPairs::half_split ? 1 : 2;
    result.partner_ = pairs == RotaryPairs::half_split ? half_ : 1;
    return result;
  }
  /// Which elements form a pair.
  [[nodiscard]] RotaryPairs pairs() const noexcept {
    return next_pair_ == 2 ? RotaryPairs::interleaved : RotaryPairs::half_split;
  }
  /// Number of rotated elements per head.
  [[nodiscard]] std::size_t rotary_dim() const noexcept { return 2 * half_; }

  /// Rotates every head of one token in place. heads: [number * head_dim].
  void rotate(std::size_t position, std::span<float> heads) const { rotate(position, heads, head_dim_); }

  /// The same for heads with stride `distance`; the last one may end after its rotated part.
  void rotate(std::size_t position, std::span<float> heads, std::size_t distance) const {
    const Rotation* fine = fine_.data() + position % kStep * half_;
    const Rotation* coarse = coarse_.data() + position / kStep * half_;
    for (std::size_t i = 0; i < half_; ++i) {
      const auto cosine =
          static_cast<float>(amplitude_ * (coarse[i].cosine * fine[i].cosine - coarse[i].sine * fine[i].sine));
      const auto sine =
          static_cast<float>(amplitude_ * (coarse[i].sine * fine[i].cosine + coarse[i].cosine * fine[i].sine));
      for (std::size_t first = i * next_pair_; first < heads.size(); first += distance) {
        const float a = heads[first];
        const float b = heads[first + partner_];
        heads[first] = a * cosine - b * sine;
        heads[first + partner_] = b * cosine + a * sine;
      }
    }
  }

 private:
  struct Rotation {
    double cosine;
    double sine;
  };
  static Rotation rotation_by(double angle) { return {std::cos(angle), std::sin(angle)}; }
  static constexpr std::size_t kStep = 256;

  std::size_t half_;       // number of pairs
  std::size_t head_dim_;   // elements from one head to the next
  std::size_t next_pair_;  // elements from one pair to the next
  std::size_t partner_;    // elements from a to b
  double amplitude_;
  std::vector<Rotation> fine_;    // [kStep, half]    positions 0 .. 255
  std::vector<Rotation> coarse_;  // [.., half]       positions 0, 256, 512, ..
};

}  // namespace trine::inline TRINE_ABI
