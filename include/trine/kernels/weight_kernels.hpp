// SPDX-License-Identifier: Apache-2.0
// The table of kernels for each weight format. A format without a line is decoded first.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include <trine/kernels/block_gemm.hpp>
#include <trine/kernels/gemm.hpp>
#include <trine/kernels/packed_gemm.hpp>
#include <trine/quant/panel_copy.hpp>
#include <trine/quant/weight_formats.hpp>

namespace trine::inline TRINE_ABI::kernels {

namespace detail {

template <class W>
void gemm_plain(Isa isa, const RowsOf<float>& x, std::size_t rows, const WeightMatrix& w, float* y, std::size_t ldy,
                const void* after) noexcept {
  const auto* weights = reinterpret_cast<const W*>(w.begin());
  if (w.has_plain_rows()) return gemm(isa, x, rows, weights, w.row_stride(), w.rows, w.columns, y, ldy, after);
  if (w.has_plain_columns())
    return gemm_columns(isa, x, rows, weights, w.row_stride(), w.rows, w.columns, false, y, ldy);
  gemm_decoded(isa, x, rows, w, y, ldy, after);
}

inline void gemm_panels_f32(Isa isa, const RowsOf<float>& x, std::size_t rows, const WeightMatrix& w, float* y,
                            std::size_t ldy, const void* after) noexcept {
  if (w.has_whole_rows()) return gemm_panels(isa, x, rows, w, y, ldy, after);
  gemm_decoded(isa, x, rows, w, y, ldy, after);
}

inline void gemm_packed(Isa isa, const QuantizedRows& x, const std::uint32_t* index, std::size_t rows,
                        const WeightMatrix& w, float* y, std::size_t ldy, const void* after) noexcept {
  packed_gemm(isa, x, index, rows, w.dtype, w.address(), w.rows, w.columns, y, ldy,
              static_cast<const std::byte*>(after));
}

inline bool takes_bf16_rows(Isa isa, const WeightMatrix& w) noexcept {
  return isa == Isa::avx512_bf16 && w.has_plain_rows();
}
inline bool takes_bf16_panels(Isa isa, const WeightMatrix& w) noexcept {
  return multiplies_bf16(isa) && w.has_whole_rows();
}

}  // namespace detail

/// y[r, o] = sum_i x[r, i] w(o, i) in the calling thread, for weights of one format and activations of each type. y:
/// `rows` rows, leading dimension ldy; after: weights to prefetch, or null.
struct WeightKernels {
  DType dtype;
  /// For every view of a matrix.
  void (*f32)(Isa isa, const RowsOf<float>& x, std::size_t rows, const WeightMatrix& w, float* y, std::size_t ldy,
              const void* after) noexcept = gemm_decoded;
  /// For whole rows and x in `q8_blocks`; index: see packed_gemm. Null: not available, and matmuls take f32.
  void (*q8)(Isa isa, const QuantizedRows& x, const std::uint32_t* index, std::size_t rows, const WeightMatrix& w,
             float* y, std::size_t ldy, const void* after) noexcept = nullptr;
  QuantizedBlocks q8_blocks = kPackedBlocks;
  /// For weights for which `takes_bf16` returns true; both are null if not available.
  void (*bf16)(Isa isa, const RowsOf<bfloat16>& x, std::size_t rows, const WeightMatrix& w, float* y, std::size_t ldy,
               const void* after) noexcept = nullptr;
  bool (*takes_bf16)(Isa isa, const WeightMatrix& w) noexcept = nullptr;
};

namespace detail {

[[nodiscard]] constexpr WeightKernels block_kernels(DType dtype) noexcept {
  return {.dtype = dtype, .q8 = block_gemm, .q8_blocks = kFineBlocks};
}

}  // namespace detail

inline constexpr std::array kWeightKernels = std::to_array<WeightKernels>({
    {.dtype = kQ8, .q8 = detail::gemm_packed},
    {.dtype = kQ4, .q8 = detail::gemm_packed},
    {.dtype = kQ6a, .q8 = detail::gemm_packed},
    {.dtype = kQ5a, .q8 = detail::gemm_packed},
    {.dtype = kQ4a, .q8 = detail::gemm_packed},
    {.dtype = kQ3a, .q8 = detail::gemm_packed},
    {.dtype = DType::bf16,
     .f32 = detail::gemm_plain<bfloat16>,
     .bf16 = gemm_bf16,
     .takes_bf16 = detail::takes_bf16_rows},
    {.dtype = DType::f16, .f32 = detail::gemm_plain<float16>},
    {.dtype = DType::f32, .f32 = detail::gemm_plain<float>},
    {.dtype = kBf16Panels,
     .f32 = detail::gemm_panels_f32,
     .bf16 = gemm_panels,
     .takes_bf16 = detail::takes_bf16_panels},
    // Of ggml; the others are decoded.
    detail::block_kernels(kQ4_0),
    detail::block_kernels(kQ4_1),
    detail::block_kernels(kQ5_0),
    detail::block_kernels(kQ5_1),
    detail::block_kernels(kQ8_0),
    detail::block_kernels(kQ2_K),
    detail::block_kernels(kQ3_K),
    detail::block_kernels(kQ4_K),
    detail::block_kernels(kQ5_K),
    detail::block_kernels(kQ6_K),
    detail::block_kernels(kIq4Nl),
    detail::block_kernels(kIq4Xs),
    detail::block_kernels(kGgmlMxfp4),
});
inline constexpr WeightKernels kDecodedOnly{.dtype = DType::boolean};

[[nodiscard]] constexpr const WeightKernels& kernels_of(DType dtype) noexcept {
  for (const WeightKernels& kernels : kWeightKernels)
    if (kernels.dtype == dtype) return kernels;
  return kDecodedOnly;
}

/// y[r, o] = sum_i x[r, i] w(o, i) in the calling thread, for weights of any format.
inline void gemm(Isa isa, const RowsOf<float>& x, std::size_t rows, const WeightMatrix& w, float* y, std::size_t ldy,
                 const void* after = nullptr) noexcept {
  kernels_of(w.dtype).f32(isa, x, rows, w, y, ldy, after);
}
inline void gemm(Isa isa, const float* x, std::size_t ldx, std::size_t rows, const WeightMatrix& w, float* y,
                 std::size_t ldy) noexcept {
  gemm(isa, RowsOf<float>{x, ldx}, rows, w, y, ldy);
}

/// The same with activations in bf16, for weights for which `multiplies_bf16` returns true.
inline void gemm(Isa isa, const RowsOf<bfloat16>& x, std::size_t rows, const WeightMatrix& w, float* y, std::size_t ldy,
                 const void* after = nullptr) noexcept {
  kernels_of(w.dtype).bf16(isa, x, rows, w, y, ldy, after);
}

/// Returns whether the instruction set multiplies these weights with activations in bf16.
[[nodiscard]] constexpr bool multiplies_bf16(Isa isa, const WeightMatrix& w) noexcept {
  const auto takes = kernels_of(w.dtype).takes_bf16;
  return takes != nullptr && takes(isa, w);
}

/// Returns whether a copy of these weights in panels takes activations in bf16, although the weights themselves do not.
[[nodiscard]] inline bool gains_from_panels(Isa isa, const WeightMatrix& w) noexcept {
  return multiplies_bf16(isa) && !multiplies_bf16(isa, w) && has_panel_copy(w);
}

}  // namespace trine::inline TRINE_ABI::kernels
