// SPDX-License-Identifier: Apache-2.0
// Gated MLP: down(activation(gate x, up x)). Shazeer, "GLU Variants Improve Transformer", 2020. arXiv:2002.05202
#pragma once

#include <cstdint>
#include <span>
#include <utility>

#include <trine/kernels/vector_math.hpp>
#include <trine/nn/linear.hpp>

namespace trine::inline TRINE_ABI {

/// The elementwise activation of a gated MLP, between its matmuls.
struct GatedActivation {
  /// Which formula apply() computes.
  enum class Kind : std::uint8_t {
    silu,            ///< SwiGLU (arXiv:2002.05202)
    gelu_tanh,       ///< GeGLU (arXiv:2002.05202), with the tanh approximation of GELU
    clamped_swiglu,  ///< of gpt-oss (arXiv:2508.10925)
    limited_silu,    ///< of Step-3.5: both factors are clamped
  };
  Kind kind = Kind::silu;  ///< silu is the SwiGLU of most models
  float alpha = 1.702F;    ///< clamped_swiglu only
  float limit = 7.0F;      ///< clamped_swiglu and limited_silu only

  /// silu:            gate = silu(gate) * up
  /// gelu_tanh:       gate = gelu(gate) * up
  /// clamped_swiglu:  gate = g sigmoid(alpha g) (u + 1), g = min(gate, limit), u = up in [-limit, limit]
  /// limited_silu:    gate = min(silu(gate), limit) u
  void apply(Isa isa, std::span<float> gate, std::span<const float> up) const noexcept {
    switch (kind) {
      case Kind::silu:
        return kernels::silu_multiply(isa, gate, up);
      case Kind::gelu_tanh:
        return kernels::gelu_tanh_multiply(isa, gate, up);
      case Kind::clamped_swiglu:
        return kernels::clamped_swiglu_multiply(isa, gate, up, alpha, limit);
      case Kind::limited_silu:
        return kernels::limited_silu_multiply(isa, gate, up, limit);
    }
  }
};

/// y = down(activation(gate x, up x)). Holds the weights; experts/grouped_mlp.hpp computes.
class GatedMlp {
 public:
  /// Reads "gate_proj.weight", "up_proj.weight" [ffn, hidden] and "down_proj.weight" [hidden, ffn]. Throws WeightError.
  GatedMlp(const WeightScope& scope, std::size_t hidden, std::size_t ffn, GatedActivation activation = {})
      : gate_(scope / "gate_proj", hidden, ffn),
        up_(scope / "up_proj", hidden, ffn),
        down_(scope / "down_proj", ffn, hidden),
        activation_(activation) {}

  /// Maps of matching shapes; gate and up: [ffn, hidden], down: [hidden, ffn].
  GatedMlp(Linear gate, Linear up, Linear down, GatedActivation activation = {})
      : gate_(std::move(gate)), up_(std::move(up)), down_(std::move(down)), activation_(activation) {}

  /// [ffn, hidden]
  [[nodiscard]] const Linear& gate() const noexcept { return gate_; }
  /// [ffn, hidden]
  [[nodiscard]] const Linear& up() const noexcept { return up_; }
  /// [hidden, ffn]
  [[nodiscard]] const Linear& down() const noexcept { return down_; }
  /// The activation between them.
  [[nodiscard]] const GatedActivation& activation() const noexcept { return activation_; }
  /// Number of weights, including biases.
  [[nodiscard]] std::size_t parameters() const noexcept {
    return gate_.parameters() + up_.parameters() + down_.parameters();
  }

 private:
  Linear gate_;
  Linear up_;
  Linear down_;
  GatedActivation activation_;
};

}  // namespace trine::inline TRINE_ABI
