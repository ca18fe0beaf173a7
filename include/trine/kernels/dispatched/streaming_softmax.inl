// SPDX-License-Identifier: Apache-2.0
// The definitions of kernels/streaming_softmax.hpp.
#pragma once

#include <trine/kernels/simd/exp.hpp>
#include <trine/kernels/streaming_softmax.hpp>

#define TRINE_KERNEL <trine/kernels/generic/streaming_softmax.inl>
#include <trine/kernels/simd/every_region.inl>

namespace trine::inline TRINE_ABI::kernels {

TRINE_DECL float softmax_piece(Isa isa, StreamingSoftmax& state, std::span<float> scores, float scale) noexcept {
  TRINE_DISPATCH(isa, softmax_piece(state, scores.data(), scores.size(), scale));
}

TRINE_DECL void multiply(Isa isa, std::span<float> z, float factor) noexcept {
  TRINE_DISPATCH(isa, multiply(z.data(), z.size(), factor));
}

}  // namespace trine::inline TRINE_ABI::kernels
