// SPDX-License-Identifier: Apache-2.0
// Softmax-weighted sums over blocks of keys, which need no complete row of scores.
// Milakov & Gimelshein, "Online normalizer calculation for softmax", 2018, arXiv:1805.02867; as in FlashAttention, Dao
// et al. 2022, arXiv:2205.14135.
#pragma once

#include <cstddef>
#include <limits>
#include <span>

#include <trine/platform/cpu_features.hpp>

namespace trine::inline TRINE_ABI::kernels {

/// The state for the scores so far, s_j = scale * score_j.
struct OnlineSoftmax {
  float largest = -std::numeric_limits<float>::infinity();  // m
  float total = 0.0F;                                       // sum_j e^(s_j - m)
};

/// Adds more scores to `state` and replaces each by e^(scale score - m). Returns the factor for the sums
/// sum_j e^(s_j - m) v_j of the previous blocks, because m may have grown; otherwise 1. Bits depend on where blocks
/// end, so end them at fixed positions.   scores: [n], n >= 1   scale >= 0
[[nodiscard]] TRINE_DECL float online_softmax_block(Isa isa, OnlineSoftmax& state, std::span<float> scores,
                                                    float scale) noexcept;

/// z[i] = factor z[i]
TRINE_DECL void multiply(Isa isa, std::span<float> z, float factor) noexcept;

}  // namespace trine::inline TRINE_ABI::kernels

#if TRINE_HEADER_ONLY
#include <trine/kernels/dispatch/online_softmax.inl>
#endif
