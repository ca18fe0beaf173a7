// SPDX-License-Identifier: Apache-2.0
// The definitions of kernels/online_softmax.hpp.
#pragma once

#include <trine/kernels/online_softmax.hpp>
#include <trine/kernels/simd/exp.hpp>

#define TRINE_KERNEL <trine/kernels/generic/online_softmax.inl>
#include <trine/kernels/simd/foreach_target.inl>

namespace trine::inline TRINE_ABI::kernels {

TRINE_DECL float online_softmax_block(Isa isa, OnlineSoftmax& state, std::span<float> scores, float scale) noexcept {
  TRINE_DISPATCH(isa, online_softmax_block(state, scores.data(), scores.size(), scale));
}

TRINE_DECL void multiply(Isa isa, std::span<float> z, float factor) noexcept {
  TRINE_DISPATCH(isa, multiply(z.data(), z.size(), factor));
}

}  // namespace trine::inline TRINE_ABI::kernels
