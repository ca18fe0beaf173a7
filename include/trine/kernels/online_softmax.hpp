// SPDX-License-Identifier: Apache-2.0
// Softmax-weighted sums over keys that come in pieces: no row of scores is ever held whole.
// Milakov & Gimelshein, "Online normalizer calculation for softmax", 2018, arXiv:1805.02867; as in FlashAttention, Dao
// et al. 2022, arXiv:2205.14135.
#pragma once

#include <cstddef>
#include <limits>
#include <span>

#include <trine/platform/cpu_features.hpp>

namespace trine::inline TRINE_ABI::kernels {

/// What is known of the scores so far, each times the scale.
struct OnlineSoftmax {
  float largest = -std::numeric_limits<float>::infinity();  // m
  float total = 0.0F;                                       // sum_j e^(s_j - m)
};

/// Goes on by some more scores: each becomes e^(scale score - m), and `state` knows of them. Returns by what
/// sum_j e^(s_j - m) v_j of the pieces before is to be multiplied, as m may have grown: 1 if not. Bits depend on where
/// pieces end, so cut them at fixed places.   scores: [n], n >= 1   scale >= 0
[[nodiscard]] TRINE_DECL float online_softmax_block(Isa isa, OnlineSoftmax& state, std::span<float> scores,
                                                    float scale) noexcept;

/// z[i] = factor z[i]
TRINE_DECL void multiply(Isa isa, std::span<float> z, float factor) noexcept;

}  // namespace trine::inline TRINE_ABI::kernels

#if TRINE_HEADER_ONLY
#include <trine/kernels/dispatch/online_softmax.inl>
#endif
