// SPDX-License-Identifier: Apache-2.0
// The definitions of kernels/vector_math.hpp.
#pragma once

#include <trine/kernels/simd/exp.hpp>
#include <trine/kernels/vector_math.hpp>

#define TRINE_KERNEL <trine/kernels/generic/vector_math.inl>
#include <trine/kernels/simd/foreach_target.inl>

namespace trine::inline TRINE_ABI::kernels {

TRINE_DECL void silu_multiply(Isa isa, std::span<float> gate, std::span<const float> up) noexcept {
  TRINE_DISPATCH(isa, silu_multiply(gate.data(), up.data(), gate.size()));
}

TRINE_DECL void clamped_swiglu_multiply(Isa isa, std::span<float> gate, std::span<const float> up, float alpha,
                                        float limit) noexcept {
  TRINE_DISPATCH(isa, clamped_swiglu_multiply(gate.data(), up.data(), gate.size(), alpha, limit));
}

TRINE_DECL void limited_silu_multiply(Isa isa, std::span<float> gate, std::span<const float> up, float limit) noexcept {
  TRINE_DISPATCH(isa, limited_silu_multiply(gate.data(), up.data(), gate.size(), limit));
}

TRINE_DECL void gelu_tanh_multiply(Isa isa, std::span<float> gate, std::span<const float> up) noexcept {
  TRINE_DISPATCH(isa, gelu_tanh_multiply(gate.data(), up.data(), gate.size()));
}

TRINE_DECL void rms_norm_row(Isa isa, std::span<const float> x, std::span<const float> gain, float epsilon,
                             std::span<float> y) noexcept {
  TRINE_DISPATCH(isa, rms_norm_row(x.data(), gain.data(), epsilon, x.size(), y.data()));
}

TRINE_DECL void l2_normalize_row(Isa isa, std::span<float> x, float epsilon, float scale) noexcept {
  TRINE_DISPATCH(isa, l2_normalize_row(x.data(), x.size(), epsilon, scale));
}

TRINE_DECL void sigmoid_multiply(Isa isa, std::span<const float> gate, std::span<float> y) noexcept {
  TRINE_DISPATCH(isa, sigmoid_multiply(gate.data(), y.size(), y.data()));
}

TRINE_DECL void convolve_silu_row(Isa isa, const float* const* x, std::size_t taps, const float* weight, std::size_t ld,
                                  std::span<float> y) noexcept {
  TRINE_DISPATCH(isa, convolve_silu_row(x, taps, weight, ld, y.size(), y.data()));
}

TRINE_DECL void convolve_gate_row(Isa isa, const float* const* x, std::size_t taps, const float* weight, std::size_t ld,
                                  const float* bias, const float* gate, std::span<float> y) noexcept {
  TRINE_DISPATCH(isa, convolve_gate_row(x, taps, weight, ld, bias, gate, y.size(), y.data()));
}

TRINE_DECL void multiply_inplace(Isa isa, std::span<const float> x, std::span<float> y) noexcept {
  TRINE_DISPATCH(isa, multiply_inplace(x.data(), x.size(), y.data()));
}

TRINE_DECL void add_inplace(Isa isa, std::span<const float> x, std::span<float> y) noexcept {
  TRINE_DISPATCH(isa, add_inplace(x.data(), x.size(), y.data()));
}

TRINE_DECL void softmax_row(Isa isa, std::span<float> x, float scale) noexcept {
  TRINE_DISPATCH(isa, softmax_row(x.data(), x.size(), scale));
}

TRINE_DECL void weighted_sum(Isa isa, std::span<const float> weight, const float* rows, std::size_t ld,
                             std::span<float> y) noexcept {
  TRINE_DISPATCH(isa, weighted_sum(weight.data(), rows, ld, weight.size(), y.size(), y.data()));
}

TRINE_DECL void decayed_dots(Isa isa, std::span<const float> x, std::span<const float> y, const float* keys,
                             const float* decays, std::size_t rows, float* on_x, float* on_y,
                             std::span<float> product) noexcept {
  TRINE_DISPATCH(isa, decayed_dots(x.data(), y.data(), keys, decays, rows, x.size(), on_x, on_y, product.data()));
}

}  // namespace trine::inline TRINE_ABI::kernels
