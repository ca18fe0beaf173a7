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

/// Goes on with z[i] = sum_j e^(s_j - m) values[j, i] by some more j, s = scale * scores; `scores` are overwritten.
/// Before the first piece `state` is new and z is zero. Bits depend on where pieces end, so cut them at fixed places.
///   scores: [n]   values: n rows at distance `ld`   z: [columns], not aliasing the others   scale >= 0
inline void add_softmax_piece(Isa isa, StreamingSoftmax& state, std::span<float> scores, float scale,
                              const float* values, std::size_t ld, std::span<float> z) noexcept {
  if (scores.empty()) return;
  TRINE_DISPATCH(isa, add_softmax_piece(state, scores.data(), scores.size(), scale, values, ld, z.size(), z.data()));
}

/// After the last piece: z[i] = sum_j softmax_j(s) values[j, i].
inline void end_softmax(Isa isa, const StreamingSoftmax& state, std::span<float> z) noexcept {
  TRINE_DISPATCH(isa, end_softmax(state, z.size(), z.data()));
}

}  // namespace trine::inline TRINE_ABI::kernels
