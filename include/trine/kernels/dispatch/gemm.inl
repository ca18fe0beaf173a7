// SPDX-License-Identifier: Apache-2.0
// The definitions of kernels/gemm.hpp.
#pragma once

#include <algorithm>
#include <cstring>

#include <trine/kernels/convert.hpp>
#include <trine/kernels/gemm.hpp>
#include <trine/kernels/prefetch.hpp>
#include <trine/kernels/simd/dispatch.hpp>

#define TRINE_KERNEL <trine/kernels/generic/gemm.inl>
#include <trine/kernels/simd/foreach_target.inl>
#define TRINE_KERNEL <trine/kernels/generic/gemm_decoded.inl>
#include <trine/kernels/simd/foreach_target.inl>
#define TRINE_KERNEL <trine/kernels/generic/gemm_panels.inl>
#include <trine/kernels/simd/foreach_target.inl>

#if TRINE_X86
TRINE_TARGET_BEGIN(TRINE_AVX512_BF16_FEATURES)
#define TRINE_TARGET_NAMESPACE avx512_bf16
#include <trine/kernels/generic/gemm.inl>
#include <trine/kernels/generic/gemm_bf16.inl>
#include <trine/kernels/generic/gemm_panels.inl>
#undef TRINE_TARGET_NAMESPACE
TRINE_TARGET_END
#include <trine/kernels/amx/gemm_panels.inl>
#endif

namespace trine::inline TRINE_ABI::kernels {

template <class W>
TRINE_DECL void gemm(Isa isa, const RowsOf<float>& x, std::size_t rows, const W* w, std::size_t ldw, std::size_t outs,
                     std::size_t k, float* y, std::size_t ldy, const void* after) noexcept {
  TRINE_DISPATCH(isa, gemm(x, rows, w, ldw, outs, k, after, y, ldy));
}

template <class W>
TRINE_DECL void gemm_columns(Isa isa, const RowsOf<float>& x, std::size_t rows, const W* w, std::size_t ldw,
                             std::size_t outs, std::size_t k, bool add, float* y, std::size_t ldy) noexcept {
  TRINE_DISPATCH(isa, gemm_columns(x, rows, w, ldw, outs, k, add, y, ldy));
}

TRINE_DECL void gemm_decoded(Isa isa, const RowsOf<float>& x, std::size_t rows, const WeightMatrix& w, float* y,
                             std::size_t ldy, const void*) noexcept {
  TRINE_DISPATCH(isa, gemm_decoded(x, rows, w, y, ldy));
}

TRINE_DECL void gemm_panels(Isa isa, const RowsOf<float>& x, std::size_t rows, const WeightMatrix& w, float* y,
                            std::size_t ldy, const void* after) noexcept {
  const auto* panels = reinterpret_cast<const bfloat16*>(w.address());
  TRINE_DISPATCH(isa,
                 gemm_widened_panels(x, rows, panels, w.stride / sizeof(bfloat16), w.rows, w.columns, after, y, ldy));
}

TRINE_DECL void round_to_bf16([[maybe_unused]] Isa isa, const float* x, std::size_t count, bfloat16* y) noexcept {
#if TRINE_X86
  if (multiplies_bf16(isa)) return avx512_bf16::round_to_bf16(x, count, y);
#endif
  for (std::size_t i = 0; i < count; ++i) y[i] = bfloat16(x[i]);
}

TRINE_DECL void gemm_bf16([[maybe_unused]] Isa isa, [[maybe_unused]] const RowsOf<bfloat16>& x,
                          [[maybe_unused]] std::size_t rows, [[maybe_unused]] const WeightMatrix& w,
                          [[maybe_unused]] float* y, [[maybe_unused]] std::size_t ldy,
                          [[maybe_unused]] const void* after) noexcept {
#if TRINE_X86
  const auto* weights = reinterpret_cast<const bfloat16*>(w.address());
  avx512_bf16::gemm_bf16(x, rows, weights, w.row_stride(), w.rows, w.columns, after, y, ldy);
#endif
}

TRINE_DECL void gemm_panels([[maybe_unused]] Isa isa, [[maybe_unused]] const RowsOf<bfloat16>& x,
                            [[maybe_unused]] std::size_t rows, [[maybe_unused]] const WeightMatrix& w,
                            [[maybe_unused]] float* y, [[maybe_unused]] std::size_t ldy,
                            [[maybe_unused]] const void* after) noexcept {
#if TRINE_X86
  if (isa == Isa::amx) return amx::gemm_panels(x, rows, w.address(), w.stride, w.rows, w.columns, after, y, ldy);
  const auto* panels = reinterpret_cast<const bfloat16*>(w.address());
  avx512_bf16::gemm_panels<avx512_bf16::PanelPairs>(x, rows, panels, w.stride / sizeof(bfloat16), w.rows, w.columns,
                                                    after, y, ldy);
#endif
}

#if !TRINE_HEADER_ONLY
template void gemm(Isa, const RowsOf<float>&, std::size_t, const float*, std::size_t, std::size_t, std::size_t, float*,
                   std::size_t, const void*) noexcept;
template void gemm_columns(Isa, const RowsOf<float>&, std::size_t, const float*, std::size_t, std::size_t, std::size_t,
                           bool, float*, std::size_t) noexcept;
template void gemm(Isa, const RowsOf<float>&, std::size_t, const bfloat16*, std::size_t, std::size_t, std::size_t,
                   float*, std::size_t, const void*) noexcept;
template void gemm_columns(Isa, const RowsOf<float>&, std::size_t, const bfloat16*, std::size_t, std::size_t,
                           std::size_t, bool, float*, std::size_t) noexcept;
template void gemm(Isa, const RowsOf<float>&, std::size_t, const float16*, std::size_t, std::size_t, std::size_t,
                   float*, std::size_t, const void*) noexcept;
template void gemm_columns(Isa, const RowsOf<float>&, std::size_t, const float16*, std::size_t, std::size_t,
                           std::size_t, bool, float*, std::size_t) noexcept;
#endif

}  // namespace trine::inline TRINE_ABI::kernels
