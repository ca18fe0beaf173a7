// SPDX-License-Identifier: Apache-2.0
// Mathematics on single rows: activation, normalisation, softmax, weighted sums. The caller splits rows over threads.
#pragma once

#include <cmath>
#include <cstddef>
#include <span>

#include <trine/kernels/simd/dispatch.hpp>

#define TRINE_KERNEL <trine/kernels/generic/vector_math.inl>
#include <trine/kernels/simd/every_region.inl>

namespace trine::inline TRINE_ABI::kernels {

/// gate[i] = silu(gate[i]) * up[i] with silu(x) = x / (1 + e^-x): the inside of SwiGLU (Shazeer 2020,
/// arXiv:2002.05202).
inline void silu_multiply(Isa isa, std::span<float> gate, std::span<const float> up) noexcept {
  TRINE_DISPATCH(isa, silu_multiply(gate.data(), up.data(), gate.size()));
}

/// gate[i] = g sigmoid(alpha g) (u + 1) with g = min(gate[i], limit), u = up[i] clamped to [-limit, limit]: the inside
/// of a gpt-oss expert (OpenAI 2025, arXiv:2508.10925).
inline void clamped_swiglu_multiply(Isa isa, std::span<float> gate, std::span<const float> up, float alpha,
                                    float limit) noexcept {
  TRINE_DISPATCH(isa, clamped_swiglu_multiply(gate.data(), up.data(), gate.size(), alpha, limit));
}

/// y[i] = x[i] / sqrt(mean_j(x[j]^2) + epsilon) * gain[i]; y may alias x (Zhang & Sennrich 2019, arXiv:1910.07467).
inline void rms_norm_row(Isa isa, std::span<const float> x, std::span<const float> gain, float epsilon,
                         std::span<float> y) noexcept {
  TRINE_DISPATCH(isa, rms_norm_row(x.data(), gain.data(), epsilon, x.size(), y.data()));
}

/// y[i] += x[i]
inline void add_to(Isa isa, std::span<const float> x, std::span<float> y) noexcept {
  TRINE_DISPATCH(isa, add_to(x.data(), x.size(), y.data()));
}

/// x = softmax(scale * x), scale >= 0. The sum is taken lane by lane from the first element on, so it depends on the
/// elements and their number only.
inline void softmax_row(Isa isa, std::span<float> x, float scale = 1.0F) noexcept {
  TRINE_DISPATCH(isa, softmax_row(x.data(), x.size(), scale));
}

/// y[i] += sum_j weight[j] rows[j, i] with rows at distance `ld`; for every i in ascending j, so that a long sum may be
/// added in pieces with the same result.
inline void weighted_sum(Isa isa, std::span<const float> weight, const float* rows, std::size_t ld,
                         std::span<float> y) noexcept {
  TRINE_DISPATCH(isa, weighted_sum(weight.data(), rows, ld, weight.size(), y.size(), y.data()));
}

}  // namespace trine::inline TRINE_ABI::kernels
