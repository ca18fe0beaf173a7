// SPDX-License-Identifier: Apache-2.0
// Products of a few rows with many short rows as they lie in memory: attention scores against cached keys.
#pragma once

#include <cstddef>

#include <trine/kernels/simd/dispatch.hpp>

#define TRINE_KERNEL <trine/kernels/generic/dot.inl>
#include <trine/kernels/simd/every_region.inl>

namespace trine::inline TRINE_ABI::kernels {

/// out[r, j] = sum_i q[r, i] key[j, i] for `rows` x `keys` outputs in the calling thread; rows at distances ldq, ldk,
/// ldo. An output's bits depend on its two rows only.
inline void dot(Isa isa, const float* q, std::size_t ldq, std::size_t rows, const float* key, std::size_t ldk,
                std::size_t keys, std::size_t n, float* out, std::size_t ldo) noexcept {
  TRINE_DISPATCH(isa, dot(q, ldq, rows, key, ldk, keys, n, out, ldo));
}

}  // namespace trine::inline TRINE_ABI::kernels
