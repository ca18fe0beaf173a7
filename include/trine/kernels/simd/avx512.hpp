// SPDX-License-Identifier: Apache-2.0
// Sixteen floats in a zmm register. portable.hpp defines the contract of each operation.
#pragma once

#include <trine/core/bfloat16.hpp>
#include <trine/core/float16.hpp>
#include <trine/kernels/simd/target.hpp>
#include <trine/quant/mxfp4.hpp>

#if TRINE_X86
#include <immintrin.h>

#include <cstddef>

TRINE_TARGET_BEGIN(TRINE_AVX512_FEATURES)
namespace trine::inline TRINE_ABI::kernels::avx512 {

struct Vec {
  static constexpr std::size_t lanes = 16;
  static constexpr std::size_t tile_rows = 5;  // 5 x 5 sums, 5 weights, 1 activation: 31 of 32 registers
  static constexpr std::size_t tile_columns = 5;
  static constexpr std::size_t row_columns = 8;
  static constexpr std::size_t panel_tile_rows = 5;  // 5 x 4 sums, 4 x 2 weights, 2 activations: 30
  static constexpr std::size_t tile_panels = 4;
  static constexpr std::size_t row_panels = 8;
  __m512 v;

  static TRINE_INLINE __mmask16 first(std::size_t count) {
    return static_cast<__mmask16>((1U << static_cast<unsigned>(count)) - 1U);
  }
  static TRINE_INLINE Vec zero() { return {_mm512_setzero_ps()}; }
  static TRINE_INLINE Vec broadcast(float value) { return {_mm512_set1_ps(value)}; }
  static TRINE_INLINE Vec load(const float* p) { return {_mm512_loadu_ps(p)}; }
  static TRINE_INLINE Vec load(const bfloat16* p) {
    return widen(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
  }
  static TRINE_INLINE Vec load(const float16* p) {
    return {_mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)))};
  }
  static TRINE_INLINE Vec load_even(const bfloat16* p) {
    return {_mm512_castsi512_ps(_mm512_slli_epi32(_mm512_loadu_si512(p), 16))};
  }
  static TRINE_INLINE Vec load_odd(const bfloat16* p) {
    return {_mm512_castsi512_ps(_mm512_and_si512(_mm512_loadu_si512(p), _mm512_set1_epi32(-65536)))};
  }
  static TRINE_INLINE Vec load_part(const float* p, std::size_t count) {
    return {_mm512_maskz_loadu_ps(first(count), p)};
  }
  static TRINE_INLINE Vec load_part(const bfloat16* p, std::size_t count) {
    return widen(_mm256_maskz_loadu_epi16(first(count), p));
  }
  static TRINE_INLINE Vec load_part(const float16* p, std::size_t count) {
    return {_mm512_cvtph_ps(_mm256_maskz_loadu_epi16(first(count), p))};
  }
  /// 32 values of FP8 E4M3, times 2^-8: read as binary16 with the same fraction, their exponents are 8 too low. Returns
  /// false if one of them is NaN, which this conversion would lose.
  static TRINE_INLINE bool load_f8_e4m3(const std::byte* p, Vec& first, Vec& second) {
    const __m256i codes = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
    const __m256i size = _mm256_set1_epi8(0x7f);
    const __m512i shifted = _mm512_slli_epi16(_mm512_cvtepi8_epi16(codes), 7);  // the sign in both of the upper bits
    const __m512i halves = _mm512_and_si512(shifted, _mm512_set1_epi16(static_cast<short>(0xbf80)));
    first = {_mm512_cvtph_ps(_mm512_castsi512_si256(halves))};
    second = {_mm512_cvtph_ps(_mm512_extracti64x4_epi64(halves, 1))};
    return _mm256_cmpeq_epi8_mask(_mm256_and_si256(codes, size), size) == 0;
  }
  /// Values of FP4 E2M1, two per byte: the table uses the lowest four bits of each lane.
  static TRINE_INLINE Vec load_f4_e2m1(const std::byte* p) {
    const __m512i bytes = _mm512_cvtepu8_epi64(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p)));
    const __m512i codes = _mm512_or_si512(bytes, _mm512_slli_epi64(bytes, 28));  // the upper four to the odd lane
    return {_mm512_permutexvar_ps(codes, _mm512_loadu_ps(kFloat4E2M1Values.data()))};
  }
  TRINE_INLINE void store(float* p) const { _mm512_storeu_ps(p, v); }
  TRINE_INLINE void store_part(float* p, std::size_t count) const { _mm512_mask_storeu_ps(p, first(count), v); }

 private:
  static TRINE_INLINE Vec widen(__m256i bits) {
    return {_mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(bits), 16))};
  }
};

TRINE_INLINE Vec add(Vec a, Vec b) { return {_mm512_add_ps(a.v, b.v)}; }
TRINE_INLINE Vec sub(Vec a, Vec b) { return {_mm512_sub_ps(a.v, b.v)}; }
TRINE_INLINE Vec mul(Vec a, Vec b) { return {_mm512_mul_ps(a.v, b.v)}; }
TRINE_INLINE Vec div(Vec a, Vec b) { return {_mm512_div_ps(a.v, b.v)}; }
TRINE_INLINE Vec max(Vec a, Vec b) { return {_mm512_max_ps(a.v, b.v)}; }
TRINE_INLINE Vec min(Vec a, Vec b) { return {_mm512_min_ps(a.v, b.v)}; }
TRINE_INLINE Vec fma(Vec a, Vec b, Vec c) { return {_mm512_fmadd_ps(a.v, b.v, c.v)}; }
TRINE_INLINE Vec round(Vec a) { return {_mm512_roundscale_ps(a.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)}; }
TRINE_INLINE Vec power_of_two(Vec n) {
  const __m512i exponent = _mm512_add_epi32(_mm512_cvtps_epi32(n.v), _mm512_set1_epi32(127));
  return {_mm512_castsi512_ps(_mm512_slli_epi32(exponent, 23))};
}
TRINE_INLINE __m128 fold_quads(__m512 quads) {
  const __m256 half = _mm256_add_ps(_mm512_castps512_ps256(quads), _mm512_extractf32x8_ps(quads, 1));
  return _mm_add_ps(_mm256_castps256_ps128(half), _mm256_extractf128_ps(half, 1));
}
TRINE_INLINE float sum(Vec a) {
  const __m512 pair = _mm512_add_ps(a.v, _mm512_permute_ps(a.v, 0x4e));    // 0+2, 1+3 in each quad
  const __m512 quad = _mm512_add_ps(pair, _mm512_permute_ps(pair, 0xb1));  // (0+2)+(1+3)
  return _mm_cvtss_f32(fold_quads(quad));
}
TRINE_INLINE void sum4(Vec a, Vec b, Vec c, Vec d, float* out) {
  const __m512 ab = _mm512_add_ps(_mm512_unpacklo_ps(a.v, b.v), _mm512_unpackhi_ps(a.v, b.v));  // a02 b02 a13 b13
  const __m512 cd = _mm512_add_ps(_mm512_unpacklo_ps(c.v, d.v), _mm512_unpackhi_ps(c.v, d.v));
  const __m128 sums = fold_quads(_mm512_add_ps(_mm512_shuffle_ps(ab, cd, 0x44), _mm512_shuffle_ps(ab, cd, 0xee)));
  _mm_storeu_ps(out, sums);
}
TRINE_INLINE float max_of(Vec a) {
  const __m256 eight = _mm256_max_ps(_mm512_castps512_ps256(a.v), _mm512_extractf32x8_ps(a.v, 1));
  const __m128 four = _mm_max_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  const __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_max_ss(two, _mm_movehdup_ps(two)));
}

}  // namespace trine::inline TRINE_ABI::kernels::avx512
TRINE_TARGET_END
#endif
