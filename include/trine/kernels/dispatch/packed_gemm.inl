// SPDX-License-Identifier: Apache-2.0
// The definitions of kernels/packed_gemm.hpp.
#pragma once

#include <cstring>

#include <trine/kernels/packed_gemm.hpp>
#include <trine/kernels/prefetch.hpp>
#include <trine/kernels/simd/dispatch.hpp>

namespace trine::inline TRINE_ABI::kernels {
inline constexpr std::size_t kPackedRows = 160;      // rows of activations that stay in L2 while weights are streamed
inline constexpr std::size_t kPackedBlock = 2048;    // columns that such rows process at a time
inline constexpr std::size_t kUnpackBlock = 1024;    // the same if weights are unpacked first, on the stack
inline constexpr std::size_t kUnpackFrom = 20;       // rows from which q4 is unpacked to q8, and AMX tiles are used
inline constexpr std::size_t kPrefetchBytes = 2048;  // prefetch distance within a panel
// Rows from which values are unpacked to q8: codes in two parts cost more to read.
[[nodiscard]] constexpr std::size_t unpack_from(DType dtype) noexcept {
  return code_bits(dtype) == 4 || dtype == kQ8 ? kUnpackFrom : 2;
}
}  // namespace trine::inline TRINE_ABI::kernels

#define TRINE_KERNEL <trine/kernels/generic/packed_gemm.inl>
#include <trine/kernels/simd/foreach_int8_target.inl>
#if TRINE_X86
#include <trine/kernels/amx/packed_gemm.inl>
#endif

namespace trine::inline TRINE_ABI::kernels {

TRINE_DECL void packed_gemm(Isa isa, const QuantizedRows& x, const std::uint32_t* index, std::size_t rows, DType dtype,
                            const std::byte* w, std::size_t outs, std::size_t columns, float* y, std::size_t ldy,
                            const std::byte* after) noexcept {
#if TRINE_X86
  if (isa == Isa::amx && rows >= kUnpackFrom && columns % 64 == 0)
    return amx::packed_gemm(x, index, rows, dtype, w, outs, columns, after, y, ldy);
#endif
  TRINE_DISPATCH_INT8(isa, packed_gemm(x, index, rows, dtype, w, outs, columns, after, y, ldy));
}

}  // namespace trine::inline TRINE_ABI::kernels
