// SPDX-License-Identifier: Apache-2.0
// The definitions of kernels/quantize_rows.hpp.
#pragma once

#include <trine/kernels/quantize_rows.hpp>
#include <trine/kernels/simd/dispatch.hpp>

#define TRINE_KERNEL <trine/kernels/generic/quantize_rows.inl>
#include <trine/kernels/simd/foreach_int8_target.inl>

namespace trine::inline TRINE_ABI::kernels {

TRINE_DECL void quantize_row(Isa isa, const float* x, std::size_t count, const QuantizedRows& out, std::size_t r,
                             std::size_t first) noexcept {
  const auto [scale_columns, sum_columns] = out.blocks;
  TRINE_DISPATCH_INT8(
      isa, quantize_row(x, count, out.blocks == kFineBlocks, out.codes + r * out.ld + first,
                        out.scale + r * out.groups + first / scale_columns,
                        out.sums + r * out.sub_blocks + first / sum_columns,
                        out.outlier + (out.outlier == nullptr ? 0 : r * out.groups + first / scale_columns)));
}

}  // namespace trine::inline TRINE_ABI::kernels
