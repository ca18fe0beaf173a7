// SPDX-License-Identifier: Apache-2.0
// GEMM of activations, quantised once per row, with weights in blocks of ggml, where they lie: y = x W^T. One kernel
// for any number of rows.
//
// Integer sums are exact within the 16 or 32 columns that share a scale, so the results of AVX2 and AVX-512 have the
// same bits (generic/block_gemm.inl).
#pragma once

#include <cstddef>
#include <cstdint>

#include <trine/kernels/quantize_rows.hpp>
#include <trine/platform/cpu_features.hpp>
#include <trine/quant/weight_matrix.hpp>

namespace trine::inline TRINE_ABI::kernels {

/// y[r, o] = sum_i x[index[r], i] w(o, i) in the calling thread, index[r] = r if `index` is null.   x: in kFineBlocks
/// w: whole rows of Q8_0, Q4_0, Q4_1, Q5_0, Q5_1, Q2_K to Q6_K, IQ4_NL, IQ4_XS or MXFP4 of ggml   y: [rows, w.rows],
/// leading dimension ldy   after: weights to prefetch, or null
TRINE_DECL void block_gemm(Isa isa, const QuantizedRows& x, const std::uint32_t* index, std::size_t rows,
                           const WeightMatrix& w, float* y, std::size_t ldy, const void* after) noexcept;

}  // namespace trine::inline TRINE_ABI::kernels

#if TRINE_HEADER_ONLY
#include <trine/kernels/dispatch/block_gemm.inl>
#endif
