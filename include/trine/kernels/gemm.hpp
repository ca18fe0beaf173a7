// SPDX-License-Identifier: Apache-2.0
// Matrix products of activations with stored weights: y = x W^T. One kernel from one row to many.
//
// An output is summed in one order that depends on its two rows only (generic/gemm.inl). So a row's result has the same
// bits whether it is computed alone or among others, on one thread or several.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <type_traits>

#include <trine/core/any_view.hpp>
#include <trine/core/shape.hpp>
#include <trine/core/tensor_view.hpp>
#include <trine/kernels/convert.hpp>
#include <trine/kernels/simd/dispatch.hpp>
#include <trine/platform/execution.hpp>

namespace trine::inline TRINE_ABI::kernels {
inline constexpr std::size_t kInnerBlock = 1024;  // products summed in registers: rows of a tile that long stay in L1
inline constexpr std::size_t kRowBlock = 160;     // rows of activations that stay in L2 while weights stream past
}  // namespace trine::inline TRINE_ABI::kernels

#define TRINE_KERNEL <trine/kernels/generic/gemm.inl>
#include <trine/kernels/simd/every_region.inl>

namespace trine::inline TRINE_ABI::kernels {

/// y[r, o] = sum_i x[r, i] w[o, i] in the calling thread. x: `rows` rows at distance ldx, w: `outs` rows at distance
/// ldw, y: at distance ldy; all distances in elements. y must not alias x or w.
template <class W>
inline void gemm(Isa isa, const float* x, std::size_t ldx, std::size_t rows, const W* w, std::size_t ldw,
                 std::size_t outs, std::size_t k, float* y, std::size_t ldy) noexcept {
  TRINE_DISPATCH(isa, gemm(x, ldx, rows, w, ldw, outs, k, y, ldy));
}

/// y[r, o] = sum_i x[r, i] w(o, i) in the calling thread, for weights stored in any way.
inline void gemm(Isa isa, const float* x, std::size_t ldx, std::size_t rows, const AnyMatrix& w, float* y,
                 std::size_t ldy) {
  if (w.has_plain_rows()) {
    w.visit([&](const auto* weights) { gemm(isa, x, ldx, rows, weights, w.row_stride(), w.rows, w.columns, y, ldy); });
  } else {
    TRINE_DISPATCH(isa, gemm_decoded(x, ldx, rows, w, y, ldy));
  }
}

/// Multiply-adds that pay for a task of its own: some microseconds, more than it takes to wake a thread.
inline constexpr std::size_t kTaskWork = std::size_t{1} << 17U;

/// Output columns of y = x W^T that one task computes: enough tasks for the threads, none too small to be worth it; all
/// of them where the whole product is.
[[nodiscard]] inline std::size_t columns_per_task(const Execution& execution, std::size_t rows, std::size_t outs,
                                                  std::size_t k) noexcept {
  if (execution.threads <= 1) return std::max<std::size_t>(outs, 1);
  const std::size_t work_per_column = std::max<std::size_t>(rows * k, 1);
  const std::size_t smallest = (kTaskWork + work_per_column - 1) / work_per_column;
  const std::size_t fair = (outs + execution.threads * 4 - 1) / (execution.threads * 4);
  return (std::max(smallest, fair) + 31) / 32 * 32;  // whole panels of the widest instruction set
}

/// y = x W^T.   x: [rows, in]   w: [out, in]   y: [rows, out], not aliasing x. Allocates nothing. Throws ShapeError.
inline void matmul(const Execution& execution, View<const float, 2> x, const AnyMatrix& w, View<float, 2> y) {
  require_shape("matmul input", {x.extent(0), w.columns}, x.shape());
  require_shape("matmul output", {x.extent(0), w.rows}, y.shape());
  const std::size_t columns = columns_per_task(execution, x.extent(0), w.rows, w.columns);
  parallel_for(execution.threads, (w.rows + columns - 1) / columns, [&](std::size_t task) {
    const std::size_t first = task * columns;
    gemm(execution.isa, x.data(), w.columns, x.extent(0), w.row_range(first, std::min(columns, w.rows - first)),
         y.data() + first, w.rows);
  });
}

}  // namespace trine::inline TRINE_ABI::kernels
