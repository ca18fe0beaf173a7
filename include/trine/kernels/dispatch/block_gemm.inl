// SPDX-License-Identifier: Apache-2.0
// The definitions of kernels/block_gemm.hpp.
#pragma once

#include <cstring>

#include <trine/kernels/block_gemm.hpp>
#include <trine/kernels/simd/dispatch.hpp>
#include <trine/quant/ggml/codebooks.hpp>
#include <trine/quant/ggml/k_quants.hpp>
#include <trine/quant/ggml/legacy.hpp>
#include <trine/quant/packed.hpp>

namespace trine::inline TRINE_ABI::kernels {
inline constexpr std::size_t kBlockRows = 160;     // rows of activations that stay in L2 while weights are streamed
inline constexpr std::size_t kBlockColumns = 256;  // columns that are unpacked at a time: two panels stay in L1
}  // namespace trine::inline TRINE_ABI::kernels

#define TRINE_KERNEL <trine/kernels/generic/unpack_blocks.inl>
#include <trine/kernels/simd/foreach_int8_target.inl>

#define TRINE_KERNEL <trine/kernels/generic/block_gemm.inl>
#include <trine/kernels/simd/foreach_int8_target.inl>

namespace trine::inline TRINE_ABI::kernels {

TRINE_DECL void block_gemm(Isa isa, const QuantizedRows& x, const std::uint32_t* index, std::size_t rows,
                           const WeightMatrix& w, float* y, std::size_t ldy, const void* after) noexcept {
  TRINE_DISPATCH_INT8(isa, block_gemm(x, index, rows, w.dtype, w.address(), w.stride, w.rows, w.columns,
                                      static_cast<const std::byte*>(after), y, ldy));
}

}  // namespace trine::inline TRINE_ABI::kernels
