// SPDX-License-Identifier: Apache-2.0
// GEMM of activations with stored weights: y = x W^T. One kernel for any number of rows.
//
// The order in which an output is summed depends only on its two rows (generic/gemm.inl, generic/gemm_panels.inl,
// generic/packed_gemm.inl). So a row's result has the same bits alone and among other rows, on any number of threads.
#pragma once

#include <cstddef>
#include <cstdint>

#include <trine/core/bfloat16.hpp>
#include <trine/kernels/simd/target.hpp>
#include <trine/platform/cpu_features.hpp>
#include <trine/quant/weight_matrix.hpp>

namespace trine::inline TRINE_ABI::kernels {
/// Terms summed in registers: tile rows of this length, 4 KiB of activations of type X, stay in L1.
template <class X>
inline constexpr std::size_t kInnerBlock = 4096 / sizeof(X);
inline constexpr std::size_t kOwnAhead = 1024;   // prefetch distance within a weight row, in bytes
inline constexpr std::size_t kRowBlock = 160;    // rows of activations that stay in L2 while weights are streamed
inline constexpr std::size_t kPanelBlock = 128;  // columns of panels that are summed in registers and stay in L1

/// Row r is at x + index[r] * ld, or at x + r * ld if `index` is null.
template <class T>
struct RowsOf {
  const T* x;
  std::size_t ld;
  const std::uint32_t* index = nullptr;
  /// The rows that `wanted` lists, or those from `first` on if it is null.
  [[nodiscard]] RowsOf from(std::size_t first, const std::uint32_t* wanted) const noexcept {
    return wanted == nullptr ? RowsOf{x + first * ld, ld} : RowsOf{x, ld, wanted};
  }
  [[nodiscard]] TRINE_INLINE const T* operator[](std::size_t r) const noexcept {
    return x + (index == nullptr ? r : index[r]) * ld;
  }
};

/// y[r, o] = sum_i x[r, i] w[o, i] in the calling thread. w: [outs, k], leading dimension
/// ldw; y: [rows, outs], leading dimension ldy. y must not alias x or w. after: weights to prefetch, or null.
/// W: float, bfloat16 or float16
template <class W>
TRINE_DECL void gemm(Isa isa, const RowsOf<float>& x, std::size_t rows, const W* w, std::size_t ldw, std::size_t outs,
                     std::size_t k, float* y, std::size_t ldy, const void* after = nullptr) noexcept;
template <class W>
inline void gemm(Isa isa, const float* x, std::size_t ldx, std::size_t rows, const W* w, std::size_t ldw,
                 std::size_t outs, std::size_t k, float* y, std::size_t ldy) noexcept {
  gemm(isa, RowsOf<float>{x, ldx}, rows, w, ldw, outs, k, y, ldy);
}

/// y[r, o] = sum_i x[r, i] w[i, o], or += if `add`: the sum runs over rows of w, i ascending for every output, so that
/// a long sum may be split into several calls. w: [k, outs], leading dimension ldw; W: as above
template <class W>
TRINE_DECL void gemm_columns(Isa isa, const RowsOf<float>& x, std::size_t rows, const W* w, std::size_t ldw,
                             std::size_t outs, std::size_t k, bool add, float* y, std::size_t ldy) noexcept;

/// Returns whether the instruction set has bf16 dot products. Otherwise `gemm_bf16` must not be called.
[[nodiscard]] constexpr bool multiplies_bf16(Isa isa) noexcept { return isa == Isa::avx512_bf16 || isa == Isa::amx; }
/// y[i] = x[i] as bf16, ties to even.
TRINE_DECL void round_to_bf16(Isa isa, const float* x, std::size_t count, bfloat16* y) noexcept;

/// The same with both sides in bf16 and sums in f32, two or more terms at a time. Only if `multiplies_bf16(isa)`.   w:
/// bf16 in plain rows; not for AMX
TRINE_DECL void gemm_bf16(Isa isa, const RowsOf<bfloat16>& x, std::size_t rows, const WeightMatrix& w, float* y,
                          std::size_t ldy, const void* after) noexcept;

/// For panels of bf16 (quant/packed.hpp) in whole rows, with activations in bf16, if `multiplies_bf16(isa)`, and in
/// f32.
TRINE_DECL void gemm_panels(Isa isa, const RowsOf<bfloat16>& x, std::size_t rows, const WeightMatrix& w, float* y,
                            std::size_t ldy, const void* after) noexcept;
TRINE_DECL void gemm_panels(Isa isa, const RowsOf<float>& x, std::size_t rows, const WeightMatrix& w, float* y,
                            std::size_t ldy, const void* after) noexcept;

/// For any weights: some rows at a time are decoded to f32, then multiplied.
TRINE_DECL void gemm_decoded(Isa isa, const RowsOf<float>& x, std::size_t rows, const WeightMatrix& w, float* y,
                             std::size_t ldy, const void* after) noexcept;

}  // namespace trine::inline TRINE_ABI::kernels

#if TRINE_HEADER_ONLY
#include <trine/kernels/dispatch/gemm.inl>
#endif
