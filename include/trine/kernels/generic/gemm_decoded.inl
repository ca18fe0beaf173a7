// SPDX-License-Identifier: Apache-2.0
// GEMM with weights that are neither rows nor columns of plain values, written once and included once per instruction
// set (kernels/gemm.hpp). Builds on generic/gemm.inl. Supports every format through its `decode`; formats with
// vectorised decoding are here.
//
// Some rows are decoded to f32 in L1, a block of columns at a time, and multiplied there: the bits are those of the
// same values in plain rows.

namespace trine::inline TRINE_ABI::kernels::TRINE_TARGET_NAMESPACE {

// A run of FP8 values times their scale, for instruction sets that load them as floats. These have a factor of 2^-8,
// which is folded into the scale unless that becomes infinite: both products are exact, and rounded once.
template <class V = Vec>
TRINE_INLINE void decode_f8(const std::byte* codes, std::size_t count, float scale, float* out) {
  std::size_t k = 0;
  if constexpr (requires(V v) { V::load_f8_e4m3(codes, v, v); }) {
    constexpr std::size_t run = 2 * V::lanes;
    const float larger = scale * 256.0F;
    const bool fits = larger - larger == 0.0F;
    const V by = V::broadcast(larger);
    V first;
    V second;
    for (; fits && k + run <= count && V::load_f8_e4m3(codes + k, first, second); k += run) {
      mul(first, by).store(out + k);
      mul(second, by).store(out + k + V::lanes);
    }
  }
  for (; k < count; ++k) out[k] = kFloat8E4M3Values[std::to_integer<std::size_t>(codes[k])] * scale;
}

// A block of MXFP4 values times its scale.
template <class V = Vec>
TRINE_INLINE void decode_f4(const std::byte* codes, float scale, float* out) {
  const V factor = V::broadcast(scale);
  TRINE_UNROLL
  for (std::size_t k = 0; k < kMxfp4Block; k += V::lanes) mul(V::load_f4_e2m1(codes + k / 2), factor).store(out + k);
}

struct DecodedRows {
  const WeightMatrix& w;
  float* buffer;  // [maximum columns of a tile, ld]
  bool along;     // whether the next block has the next columns, not the next rows
  static constexpr std::size_t ld = kInnerBlock<float>;
  static constexpr const void* after = nullptr;
  TRINE_INLINE const void* at(std::size_t, std::size_t) const { return nullptr; }
  TRINE_INLINE const float* block(std::size_t o, std::size_t count, std::size_t i, std::size_t length) const {
    const bool in_rows = !w.transposed && w.step[1] == 1;
    const std::size_t row = w.first[0] + o * w.step[0];
    const std::size_t column = w.first[1] + i;
    const bool row_ends = i + length == w.columns;
    const std::ptrdiff_t rows_on = along && !row_ends ? 0 : static_cast<std::ptrdiff_t>(count * w.step[0] * w.stride);
    const std::size_t next_column = !along ? i : row_ends ? 0 : i + length;
    const std::ptrdiff_t columns_on = static_cast<std::ptrdiff_t>(next_column) - static_cast<std::ptrdiff_t>(i);
    if (in_rows && w.dtype == kFp8Format.dtype) {
      decode_f8_rows(row, count, column, length, rows_on + columns_on);
    } else if (in_rows && w.dtype == kMxfp4) {
      for (std::size_t r = 0; r < count; ++r)
        decode_f4_row(row + r * w.step[0], column, length, rows_on + columns_on / 2, buffer + r * ld);
    } else {
      decode(w, o, count, i, length, buffer, ld, 1);
    }
    return buffer;
  }

  // Columns of stored rows of FP8, a block of scales at a time. Prefetches the values `on` bytes ahead, which are
  // decoded next: the runs are too short for the hardware prefetcher.
  TRINE_INLINE void decode_f8_rows(std::size_t row, std::size_t count, std::size_t column, std::size_t length,
                                   std::ptrdiff_t on) const {
    const std::size_t rows_left = w.scales.block_rows - row % w.scales.block_rows;
    const bool one_scale = (count - 1) * w.step[0] < rows_left;
    for (std::size_t k = 0; k < length;) {
      const std::size_t at = column + k;
      const std::size_t left = w.scales.block_columns - at % w.scales.block_columns;
      const std::size_t run = length - k < left ? length - k : left;
      float scale = fp8_scale(w.scales, row, at);
      const std::byte* codes = w.data + row * w.stride + at;
      for (std::size_t r = 0; r < count; ++r, codes += w.step[0] * w.stride) {
        if (!one_scale) scale = fp8_scale(w.scales, row + r * w.step[0], at);
        prefetch_codes(codes, run, on);
        decode_f8(codes, run, scale, buffer + r * ld + k);
      }
      k += run;
    }
  }
  // Prefetches `bytes` bytes at distance `on`, which may be beyond the end of the matrix.
  TRINE_INLINE static void prefetch_codes(const std::byte* codes, std::size_t bytes, std::ptrdiff_t on) {
    const std::uintptr_t first = reinterpret_cast<std::uintptr_t>(codes) + static_cast<std::uintptr_t>(on);
    for (std::size_t b = 0; b < bytes; b += 64) __builtin_prefetch(reinterpret_cast<const void*>(first + b));
  }
  // A stored row of MXFP4, whole blocks by vectors.
  template <class V = Vec>
  TRINE_INLINE void decode_f4_row(std::size_t row, std::size_t column, std::size_t length, std::ptrdiff_t on,
                                  float* out) const {
    const std::byte* codes = w.data + row * w.stride + column / 2;
    prefetch_codes(codes, length / 2, on);
    std::size_t k = 0;
    if constexpr (requires { V::load_f4_e2m1(w.data); }) {
      if (column % kMxfp4Block == 0) {
        const std::byte* scale = w.scales.data + row * w.scales.stride + column / kMxfp4Block;
        for (; k + kMxfp4Block <= length; k += kMxfp4Block, codes += kMxfp4Block / 2, ++scale)
          decode_f4(codes, float8_e8m0_value(std::to_integer<std::uint8_t>(*scale)), out + k);
      }
    }
    if (k < length) decode_mxfp4(w, row, column + k, length - k, out + k, 1);
  }
};

/// y[r, o] = sum_i x[r, i] w(o, i); see kernels/gemm.hpp.
inline void gemm_decoded(const RowsOf<float>& x, std::size_t rows, const WeightMatrix& w, float* y,
                         std::size_t ldy) noexcept {
  constexpr std::size_t most = Vec::tile_columns < Vec::row_columns ? Vec::row_columns : Vec::tile_columns;
  alignas(64) float buffer[most * kInnerBlock<float>];
  inner_gemm<Widened>(x, rows, DecodedRows{w, buffer, rows <= Vec::tile_rows}, w.rows, w.columns, y, ldy);
}

}  // namespace trine::inline TRINE_ABI::kernels::TRINE_TARGET_NAMESPACE
