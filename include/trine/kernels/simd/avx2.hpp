// SPDX-License-Identifier: Apache-2.0
// Eight floats in a ymm register. portable.hpp defines the contract of each operation.
#pragma once

#include <trine/core/bfloat16.hpp>
#include <trine/core/float16.hpp>
#include <trine/kernels/simd/target.hpp>
#include <trine/quant/mxfp4.hpp>

#if TRINE_X86
#include <immintrin.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

TRINE_TARGET_BEGIN(TRINE_AVX2_FEATURES)
namespace trine::inline TRINE_ABI::kernels::avx2 {

struct Vec {
  static constexpr std::size_t lanes = 8;
  static constexpr std::size_t tile_rows = 4;  // 4 x 3 sums, 3 weights, 1 activation: all 16 registers
  static constexpr std::size_t tile_columns = 3;
  static constexpr std::size_t row_columns = 8;
  static constexpr std::size_t panel_tile_rows = 4;  // 4 x 2 sums, 2 x 2 weights, 2 activations
  static constexpr std::size_t tile_panels = 1;
  static constexpr std::size_t row_panels = 4;
  __m256 v;

  static TRINE_INLINE Vec zero() { return {_mm256_setzero_ps()}; }
  static TRINE_INLINE Vec broadcast(float value) { return {_mm256_set1_ps(value)}; }
  static TRINE_INLINE Vec load(const float* p) { return {_mm256_loadu_ps(p)}; }
  static TRINE_INLINE Vec load(const bfloat16* p) {
    const __m128i bits = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    return {_mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(bits), 16))};
  }
  static TRINE_INLINE Vec load(const float16* p) {
    return {_mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)))};
  }
  static TRINE_INLINE Vec load_even(const bfloat16* p) {
    const __m256i pairs = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
    return {_mm256_castsi256_ps(_mm256_slli_epi32(pairs, 16))};
  }
  static TRINE_INLINE Vec load_odd(const bfloat16* p) {
    const __m256i pairs = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
    return {_mm256_castsi256_ps(_mm256_and_si256(pairs, _mm256_set1_epi32(-65536)))};
  }
  template <class T>
  static TRINE_INLINE Vec load_part(const T* p, std::size_t count) {
    alignas(32) float part[lanes] = {};
    for (std::size_t i = 0; i < count; ++i) part[i] = static_cast<float>(p[i]);
    return {_mm256_load_ps(part)};
  }
  /// 16 values of FP8 E4M3, times 2^-8: read as binary16 with the same fraction, their exponents are 8 too low. Returns
  /// false if one of them is NaN, which this conversion would lose.
  static TRINE_INLINE bool load_f8_e4m3(const std::byte* p, Vec& first, Vec& second) {
    const __m128i codes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    const __m128i size = _mm_set1_epi8(0x7f);
    const __m256i shifted = _mm256_slli_epi16(_mm256_cvtepi8_epi16(codes), 7);  // the sign in both of the upper bits
    const __m256i halves = _mm256_and_si256(shifted, _mm256_set1_epi16(static_cast<short>(0xbf80)));
    first = {_mm256_cvtph_ps(_mm256_castsi256_si128(halves))};
    second = {_mm256_cvtph_ps(_mm256_extracti128_si256(halves, 1))};
    return _mm_movemask_epi8(_mm_cmpeq_epi8(_mm_and_si128(codes, size), size)) == 0;
  }
  /// Values of FP4 E2M1, two per byte: the table uses the lowest three bits of each lane, the fourth is the sign.
  static TRINE_INLINE Vec load_f4_e2m1(const std::byte* p) {
    std::int32_t four = 0;
    std::memcpy(&four, p, sizeof four);
    const __m256i bytes = _mm256_cvtepu8_epi64(_mm_cvtsi32_si128(four));
    const __m256i codes = _mm256_or_si256(bytes, _mm256_slli_epi64(bytes, 28));  // the upper four to the odd lane
    const __m256 size = _mm256_permutevar8x32_ps(_mm256_loadu_ps(kFloat4E2M1Values.data()), codes);
    const __m256 sign = _mm256_and_ps(_mm256_castsi256_ps(_mm256_slli_epi32(codes, 28)), _mm256_set1_ps(-0.0F));
    return {_mm256_xor_ps(size, sign)};
  }
  TRINE_INLINE void store(float* p) const { _mm256_storeu_ps(p, v); }
  TRINE_INLINE void store_part(float* p, std::size_t count) const {
    alignas(32) float part[lanes];
    _mm256_store_ps(part, v);
    for (std::size_t i = 0; i < count; ++i) p[i] = part[i];
  }
};

TRINE_INLINE Vec add(Vec a, Vec b) { return {_mm256_add_ps(a.v, b.v)}; }
TRINE_INLINE Vec sub(Vec a, Vec b) { return {_mm256_sub_ps(a.v, b.v)}; }
TRINE_INLINE Vec mul(Vec a, Vec b) { return {_mm256_mul_ps(a.v, b.v)}; }
TRINE_INLINE Vec div(Vec a, Vec b) { return {_mm256_div_ps(a.v, b.v)}; }
TRINE_INLINE Vec max(Vec a, Vec b) { return {_mm256_max_ps(a.v, b.v)}; }
TRINE_INLINE Vec min(Vec a, Vec b) { return {_mm256_min_ps(a.v, b.v)}; }
TRINE_INLINE Vec fma(Vec a, Vec b, Vec c) { return {_mm256_fmadd_ps(a.v, b.v, c.v)}; }
TRINE_INLINE Vec round(Vec a) { return {_mm256_round_ps(a.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)}; }
TRINE_INLINE Vec power_of_two(Vec n) {
  const __m256i exponent = _mm256_add_epi32(_mm256_cvtps_epi32(n.v), _mm256_set1_epi32(127));
  return {_mm256_castsi256_ps(_mm256_slli_epi32(exponent, 23))};
}

struct Ints {
  static constexpr std::size_t lanes = 8;
  static constexpr std::size_t tile_rows = 2;  // 2 x 4 sums (a panel is two registers), weights, activations
  static constexpr std::size_t tile_panels = 2;
  static constexpr std::size_t block_rows = 2;  // block_gemm: the same
  static constexpr std::size_t block_panels = 1;
  static constexpr std::int32_t code_offset = 0;
  __m256i v;
  static TRINE_INLINE Ints broadcast(std::int32_t value) { return {_mm256_set1_epi32(value)}; }
  static TRINE_INLINE Ints load(const std::int8_t* p) {
    return {_mm256_cvtepi8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p)))};
  }
};
struct Codes {
  __m256i v;
  static TRINE_INLINE Codes load(const std::byte* p) {
    return {_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p))};
  }
};
TRINE_INLINE Codes low_bits(Codes codes) { return {_mm256_and_si256(codes.v, _mm256_set1_epi8(15))}; }
TRINE_INLINE Codes high_bits(Codes codes) { return low_bits({_mm256_srli_epi16(codes.v, 4)}); }
TRINE_INLINE __m256i in_both_halves(Ints a) {
  return _mm256_or_si256(_mm256_and_si256(a.v, _mm256_set1_epi32(0xffff)), _mm256_slli_epi32(a.v, 16));
}
TRINE_INLINE void store_scaled(Codes codes, Ints factor, Ints offset, std::byte* p) {
  const __m256i step = in_both_halves(factor);
  const __m256i first = in_both_halves(offset);
  const __m256i even = _mm256_and_si256(codes.v, _mm256_set1_epi16(255));
  const __m256i odd = _mm256_srli_epi16(codes.v, 8);
  const __m256i a = _mm256_add_epi16(_mm256_mullo_epi16(even, step), first);
  const __m256i b = _mm256_add_epi16(_mm256_mullo_epi16(odd, step), first);
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm256_or_si256(a, _mm256_slli_epi16(b, 8)));
}
// Pairs of products in 16 bits: 2 * 63 * 128 and 2 * 127 * 127 fit.
TRINE_INLINE Ints dot_small(Ints sum, Codes codes, std::int32_t x) {
  const __m256i pairs = _mm256_maddubs_epi16(codes.v, _mm256_set1_epi32(x));
  return {_mm256_add_epi32(sum.v, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)))};
}
TRINE_INLINE Ints dot_signed(Ints sum, Codes codes, std::int32_t x) {
  const __m256i weight = _mm256_xor_si256(codes.v, _mm256_set1_epi8(-128));  // code - 128
  const __m256i pairs = _mm256_maddubs_epi16(_mm256_abs_epi8(weight), _mm256_sign_epi8(_mm256_set1_epi32(x), weight));
  return {_mm256_add_epi32(sum.v, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)))};
}
// Rows l and l + 4 in the halves of a register, then squares of 4 x 4 words.
TRINE_INLINE __m256i load_two_rows(const std::byte* rows, std::size_t stride) {
  return _mm256_inserti128_si256(_mm256_castsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(rows))),
                                 _mm_loadu_si128(reinterpret_cast<const __m128i*>(rows + 4 * stride)), 1);
}
TRINE_INLINE void load_rows(const std::byte* rows, std::size_t stride, Codes (&out)[4]) {
  const __m256i a = load_two_rows(rows, stride);
  const __m256i b = load_two_rows(rows + stride, stride);
  const __m256i c = load_two_rows(rows + 2 * stride, stride);
  const __m256i d = load_two_rows(rows + 3 * stride, stride);
  const __m256i ab01 = _mm256_unpacklo_epi32(a, b);
  const __m256i ab23 = _mm256_unpackhi_epi32(a, b);
  const __m256i cd01 = _mm256_unpacklo_epi32(c, d);
  const __m256i cd23 = _mm256_unpackhi_epi32(c, d);
  out[0].v = _mm256_unpacklo_epi64(ab01, cd01);
  out[1].v = _mm256_unpackhi_epi64(ab01, cd01);
  out[2].v = _mm256_unpacklo_epi64(ab23, cd23);
  out[3].v = _mm256_unpackhi_epi64(ab23, cd23);
}
TRINE_INLINE void store(Codes codes, std::byte* p) { _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), codes.v); }
TRINE_INLINE Codes bits(Codes codes, unsigned shift, std::uint32_t mask) {
  return {_mm256_and_si256(_mm256_srlv_epi32(codes.v, _mm256_set1_epi32(static_cast<int>(shift))),
                           _mm256_set1_epi32(static_cast<int>(mask)))};
}
TRINE_INLINE Codes merge(Codes low, Codes high, unsigned shift) {
  return {_mm256_or_si256(low.v, _mm256_sllv_epi32(high.v, _mm256_set1_epi32(static_cast<int>(shift))))};
}
TRINE_INLINE Codes lookup(Codes codes, const std::uint8_t (&table)[16]) {
  const __m128i values = _mm_loadu_si128(reinterpret_cast<const __m128i*>(table));
  return {_mm256_shuffle_epi8(_mm256_broadcastsi128_si256(values), codes.v)};
}
TRINE_INLINE Codes offset_signed(Codes codes) { return {_mm256_xor_si256(codes.v, _mm256_set1_epi8(-128))}; }
TRINE_INLINE Ints signed_byte(Codes codes, unsigned byte) {
  const __m256i up = _mm256_set1_epi32(static_cast<int>(24 - 8 * byte));
  return {_mm256_srai_epi32(_mm256_sllv_epi32(codes.v, up), 24)};
}
TRINE_INLINE Vec half_to_float(Codes codes) {
  const __m256i low = _mm256_and_si256(codes.v, _mm256_set1_epi32(0xffff));
  const __m256i halves = _mm256_permute4x64_epi64(_mm256_packus_epi32(low, low), 0x08);
  return {_mm256_cvtph_ps(_mm256_castsi256_si128(halves))};
}
TRINE_INLINE Ints as_ints(Codes codes) { return {codes.v}; }
TRINE_INLINE Vec as_floats(Codes codes) { return {_mm256_castsi256_ps(codes.v)}; }
TRINE_INLINE Ints multiply_add(Ints a, Ints b, Ints sum) {
  return {_mm256_add_epi32(sum.v, _mm256_mullo_epi32(a.v, b.v))};
}
TRINE_INLINE Vec to_float(Ints a) { return {_mm256_cvtepi32_ps(a.v)}; }
TRINE_INLINE void store_bytes(Vec a, std::int8_t* p) {
  const __m256i words = _mm256_cvtps_epi32(a.v);
  const __m128i halves = _mm_packs_epi32(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
  _mm_storel_epi64(reinterpret_cast<__m128i*>(p), _mm_packs_epi16(halves, halves));
}

TRINE_INLINE float sum(Vec a) {
  const __m256 pair = _mm256_add_ps(a.v, _mm256_permute_ps(a.v, 0x4e));    // 0+2, 1+3 in each quad
  const __m256 quad = _mm256_add_ps(pair, _mm256_permute_ps(pair, 0xb1));  // (0+2)+(1+3)
  return _mm_cvtss_f32(_mm_add_ss(_mm256_castps256_ps128(quad), _mm256_extractf128_ps(quad, 1)));
}
TRINE_INLINE void sum4(Vec a, Vec b, Vec c, Vec d, float* out) {
  const __m256 ab = _mm256_add_ps(_mm256_unpacklo_ps(a.v, b.v), _mm256_unpackhi_ps(a.v, b.v));  // a02 b02 a13 b13
  const __m256 cd = _mm256_add_ps(_mm256_unpacklo_ps(c.v, d.v), _mm256_unpackhi_ps(c.v, d.v));
  const __m256 quad = _mm256_add_ps(_mm256_shuffle_ps(ab, cd, 0x44), _mm256_shuffle_ps(ab, cd, 0xee));
  const __m128 sums = _mm_add_ps(_mm256_castps256_ps128(quad), _mm256_extractf128_ps(quad, 1));
  _mm_storeu_ps(out, sums);
}
TRINE_INLINE float max_of(Vec a) {
  const __m128 four = _mm_max_ps(_mm256_castps256_ps128(a.v), _mm256_extractf128_ps(a.v, 1));
  const __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_max_ss(two, _mm_movehdup_ps(two)));
}

}  // namespace trine::inline TRINE_ABI::kernels::avx2
TRINE_TARGET_END
#endif
