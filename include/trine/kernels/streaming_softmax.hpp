// SPDX-License-Identifier: Apache-2.0
// Softmax-weighted sums over keys that come in pieces: no row of scores is ever held whole.
// Milakov & Gimelshein, "Online normalizer calculation for softmax", 2018, arXiv:1805.02867; as in FlashAttention, Dao
// et al. 2022, arXiv:2205.14135.
#pragma once

#include <cstddef>
#include <limits>
#include <span>

#include <trine/kernels/simd/dispatch.hpp>
#include <trine/kernels/vector_math.hpp>

namespace trine::inline TRINE_ABI::kernels {

/// What is known of the scores so far, each times the scale.
struct StreamingSoftmax {
  float largest = -std::numeric_limits<float>::infinity();  // m
  float total = 0.0F;                                       // sum_j e^(s_j - m)
};

}  // namespace trine::inline TRINE_ABI::kernels

#define TRINE_KERNEL <trine/kernels/generic/streaming_softmax.inl>
#include <trine/kernels/simd/every_region.inl>

namespace trine::inline TRINE_ABI::kernels {

/// Goes on by some more scores: each becomes e^(scale score - m), and `state` knows of them. Returns by what
/// sum_j e^(s_j - m) v_j of the pieces before is to be multiplied, as m may have grown: 1 if not. Bits depend on where
/// pieces end, so cut them at fixed places.   scores: [n], n >= 1   scale >= 0
[[nodiscard]] inline float softmax_piece(Isa isa, StreamingSoftmax& state, std::span<float> scores,
                                         float scale) noexcept {
  TRINE_DISPATCH(isa, softmax_piece(state, scores.data(), scores.size(), scale));
}

/// z[i] = factor z[i]
inline void multiply(Isa isa, std::span<float> z, float factor) noexcept {
  TRINE_DISPATCH(isa, multiply(z.data(), z.size(), factor));
}

}  // namespace trine::inline TRINE_ABI::kernels
