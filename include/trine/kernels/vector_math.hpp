// SPDX-License-Identifier: Apache-2.0
// Operations on single rows: activation, normalisation, softmax, weighted sums. The caller distributes rows over
// threads.
#pragma once

#include <cmath>
#include <cstddef>
#include <span>

#include <trine/platform/cpu_features.hpp>

namespace trine::inline TRINE_ABI::kernels {

/// gate[i] = silu(gate[i]) * up[i] with silu(x) = x / (1 + e^-x): the inside of SwiGLU (Shazeer 2020,
/// arXiv:2002.05202).
TRINE_DECL void silu_multiply(Isa isa, std::span<float> gate, std::span<const float> up) noexcept;

/// gate[i] = g sigmoid(alpha g) (u + 1) with g = min(gate[i], limit), u = up[i] clamped to [-limit, limit]: the inside
/// of a clamped SwiGLU (OpenAI 2025, arXiv:2508.10925).
TRINE_DECL void clamped_swiglu_multiply(Isa isa, std::span<float> gate, std::span<const float> up, float alpha,
                                        float limit) noexcept;

/// gate[i] = min(silu(gate[i]), limit) u with u = up[i] clamped to [-limit, limit]: a SwiGLU whose factors are clamped
/// (transformers, models/step3p7).
TRINE_DECL void limited_silu_multiply(Isa isa, std::span<float> gate, std::span<const float> up, float limit) noexcept;

/// gate[i] = gelu(gate[i]) * up[i] with gelu(x) = x / 2 (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))), the approximation
/// of x Phi(x) (Hendrycks & Gimpel 2016, arXiv:1606.08415): the inside of GeGLU (Shazeer 2020, arXiv:2002.05202).
TRINE_DECL void gelu_tanh_multiply(Isa isa, std::span<float> gate, std::span<const float> up) noexcept;

/// y[i] = x[i] / sqrt(mean_j(x[j]^2) + epsilon) * gain[i]; y may alias x (Zhang & Sennrich 2019, arXiv:1910.07467).
TRINE_DECL void rms_norm_row(Isa isa, std::span<const float> x, std::span<const float> gain, float epsilon,
                             std::span<float> y) noexcept;

/// x[i] = scale x[i] / sqrt(sum_j(x[j]^2) + epsilon)
TRINE_DECL void l2_normalize_row(Isa isa, std::span<float> x, float epsilon, float scale) noexcept;

/// y[i] *= sigmoid(gate[i]): an output gate.
TRINE_DECL void sigmoid_multiply(Isa isa, std::span<const float> gate, std::span<float> y) noexcept;

/// y[i] = silu(sum_t weight[t, i] x_t[i]) for `taps` rows x_t, t ascending; y may alias one of them. One row of a
/// causal convolution per channel.   x: [taps] rows   weight: [taps, channels], leading dimension ld   y: [channels]
TRINE_DECL void convolve_silu_row(Isa isa, const float* const* x, std::size_t taps, const float* weight, std::size_t ld,
                                  std::span<float> y) noexcept;

/// y[i] = gate[i] (sum_t weight[t, i] x_t[i] + bias[i]), the same with a gate; bias: [channels] or null
TRINE_DECL void convolve_gate_row(Isa isa, const float* const* x, std::size_t taps, const float* weight, std::size_t ld,
                                  const float* bias, const float* gate, std::span<float> y) noexcept;

/// y[i] *= x[i]
TRINE_DECL void multiply_inplace(Isa isa, std::span<const float> x, std::span<float> y) noexcept;

/// y[i] += x[i]
TRINE_DECL void add_inplace(Isa isa, std::span<const float> x, std::span<float> y) noexcept;

/// x = softmax(scale * x), scale >= 0. The sum runs lane by lane from the first element, so it depends only on the
/// elements and their number.
TRINE_DECL void softmax_row(Isa isa, std::span<float> x, float scale = 1.0F) noexcept;

/// y[i] += sum_j weight[j] rows[j, i] with leading dimension `ld`; for every i in ascending j, so that a long sum may
/// be split into several calls with the same result.
TRINE_DECL void weighted_sum(Isa isa, std::span<const float> weight, const float* rows, std::size_t ld,
                             std::span<float> y) noexcept;

/// For rows j = rows - 1, ..., 0, with the product d_j of the decays of the rows after j, element by element:
///   on_x[j] = sum_i x[i] d_j[i] key[j, i]        on_y[j] = sum_i y[i] d_j[i] key[j, i]
/// Products below 1e-30 are 0. The bits of an output depend on the rows from its own on only.   keys, decays: [rows,
/// width], width = x.size()   on_x, on_y: [rows]   product: [width] of the decays of all rows, output
TRINE_DECL void decayed_dots(Isa isa, std::span<const float> x, std::span<const float> y, const float* keys,
                             const float* decays, std::size_t rows, float* on_x, float* on_y,
                             std::span<float> product) noexcept;

}  // namespace trine::inline TRINE_ABI::kernels

#if TRINE_HEADER_ONLY
#include <trine/kernels/dispatch/vector_math.inl>
#endif
