// SPDX-License-Identifier: Apache-2.0
// GEMM of activations, quantised once per row, with packed weights: y = x W^T. One kernel for any number of rows.
//
// Integer sums are exact; only the few f32 operations per block could depend on the instruction set, and the results of
// AVX2 and AVX-512 have the same bits (generic/packed_gemm.inl).
#pragma once

#include <cstddef>
#include <cstdint>

#include <trine/kernels/quantize_rows.hpp>
#include <trine/platform/cpu_features.hpp>
#include <trine/quant/packed.hpp>

namespace trine::inline TRINE_ABI::kernels {

/// y[r, o] = sum_i x[index[r], i] w[o, i] in the calling thread, index[r] = r if `index` is null. w: packed matrix of
/// `columns` >= 1 columns, from a row that is a multiple of 16 on; y: [rows, outs], leading dimension ldy. after: the
/// panels of the next GEMM, to prefetch, or null.
TRINE_DECL void packed_gemm(Isa isa, const QuantizedRows& x, const std::uint32_t* index, std::size_t rows, DType dtype,
                            const std::byte* w, std::size_t outs, std::size_t columns, float* y, std::size_t ldy,
                            const std::byte* after = nullptr) noexcept;

}  // namespace trine::inline TRINE_ABI::kernels

#if TRINE_HEADER_ONLY
#include <trine/kernels/dispatch/packed_gemm.inl>
#endif
