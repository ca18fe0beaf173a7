// SPDX-License-Identifier: Apache-2.0
// Sixteen 32-bit integers in a zmm register, with dot products of four bytes (AVX-512 VNNI). portable.hpp defines the
// contract of each operation; floats are those of avx512.hpp.
#pragma once

#include <trine/kernels/simd/avx512.hpp>

#if TRINE_X86
#include <cstdint>

TRINE_TARGET_BEGIN(TRINE_AVX512_VNNI_FEATURES)
namespace trine::inline TRINE_ABI::kernels::avx512_vnni {

using avx512::Vec;

struct Ints {
  static constexpr std::size_t lanes = 16;
  static constexpr std::size_t tile_rows = 6;  // 6 x 4 sums, 4 weights, 1 activation: 29 of 32 registers
  static constexpr std::size_t tile_panels = 4;
  static constexpr std::size_t block_rows = 6;  // block_gemm: the same
  static constexpr std::size_t block_panels = 2;
  static constexpr std::int32_t code_offset = 128;  // the instruction takes unsigned values
  __m512i v;
  static TRINE_INLINE Ints broadcast(std::int32_t value) { return {_mm512_set1_epi32(value)}; }
  static TRINE_INLINE Ints load(const std::int8_t* p) {
    return {_mm512_cvtepi8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)))};
  }
};
struct Codes {
  __m512i v;
  static TRINE_INLINE Codes load(const std::byte* p) { return {_mm512_loadu_si512(p)}; }
};
TRINE_INLINE Codes low_bits(Codes codes) { return {_mm512_and_si512(codes.v, _mm512_set1_epi8(15))}; }
TRINE_INLINE Codes high_bits(Codes codes) { return low_bits({_mm512_srli_epi16(codes.v, 4)}); }
TRINE_INLINE __m512i in_both_halves(Ints a) {
  return _mm512_or_si512(_mm512_and_si512(a.v, _mm512_set1_epi32(0xffff)), _mm512_slli_epi32(a.v, 16));
}
TRINE_INLINE void store_scaled(Codes codes, Ints factor, Ints offset, std::byte* p) {
  const __m512i step = in_both_halves(factor);
  const __m512i first = in_both_halves(offset);
  const __m512i even = _mm512_and_si512(codes.v, _mm512_set1_epi16(255));
  const __m512i odd = _mm512_srli_epi16(codes.v, 8);
  const __m512i a = _mm512_add_epi16(_mm512_mullo_epi16(even, step), first);
  const __m512i b = _mm512_add_epi16(_mm512_mullo_epi16(odd, step), first);
  _mm512_storeu_si512(p, _mm512_or_si512(a, _mm512_slli_epi16(b, 8)));
}
// Assembly, because GCC 12 copies the sums of a tile through memory around its own intrinsic: half the speed.
TRINE_INLINE Ints dot_small(Ints sum, Codes codes, std::int32_t x) {
  const __m512i four = _mm512_set1_epi32(x);
  __asm__("vpdpbusd %2, %1, %0" : "+v"(sum.v) : "v"(codes.v), "v"(four));
  return sum;
}
TRINE_INLINE Ints dot_signed(Ints sum, Codes codes, std::int32_t x) { return dot_small(sum, codes, x); }
// Squares of 4 x 4 words in each quarter: words 0 .. 3 of four rows.
TRINE_INLINE void transpose_words(const __m512i (&row)[4], __m512i (&word)[4]) {
  const __m512i ab01 = _mm512_unpacklo_epi32(row[0], row[1]);
  const __m512i ab23 = _mm512_unpackhi_epi32(row[0], row[1]);
  const __m512i cd01 = _mm512_unpacklo_epi32(row[2], row[3]);
  const __m512i cd23 = _mm512_unpackhi_epi32(row[2], row[3]);
  word[0] = _mm512_unpacklo_epi64(ab01, cd01);
  word[1] = _mm512_unpackhi_epi64(ab01, cd01);
  word[2] = _mm512_unpacklo_epi64(ab23, cd23);
  word[3] = _mm512_unpackhi_epi64(ab23, cd23);
}
// 16 bytes of two rows.
TRINE_INLINE __m256i load_pair(const std::byte* a, const std::byte* b) {
  return _mm256_inserti128_si256(_mm256_castsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(a))),
                                 _mm_loadu_si128(reinterpret_cast<const __m128i*>(b)), 1);
}
TRINE_INLINE void load_rows(const std::byte* rows, std::size_t stride, Codes (&out)[4]) {
  __m512i row[4];  // rows l, l + 4, l + 8 and l + 12
  TRINE_UNROLL
  for (std::size_t l = 0; l < 4; ++l, rows += stride)
    row[l] = _mm512_inserti64x4(_mm512_castsi256_si512(load_pair(rows, rows + 4 * stride)),
                                load_pair(rows + 8 * stride, rows + 12 * stride), 1);
  __m512i word[4];
  transpose_words(row, word);
  TRINE_UNROLL
  for (std::size_t i = 0; i < 4; ++i) out[i].v = word[i];
}
/// The same for 32 bytes: half as many instructions as for 16 bytes twice.
TRINE_INLINE void load_rows(const std::byte* rows, std::size_t stride, Codes (&out)[8]) {
  __m512i word[2][4];  // in quarters: words i and i + 4 of rows 0 .. 3, the same of rows 4 .. 7; then rows 8 .. 15
  TRINE_UNROLL
  for (std::size_t half = 0; half < 2; ++half, rows += 4 * stride) {
    __m512i row[4];
    TRINE_UNROLL
    for (std::size_t l = 0; l < 4; ++l, rows += stride)
      row[l] = _mm512_inserti64x4(_mm512_castsi256_si512(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(rows))),
                                  _mm256_loadu_si256(reinterpret_cast<const __m256i*>(rows + 4 * stride)), 1);
    transpose_words(row, word[half]);
  }
  TRINE_UNROLL
  for (std::size_t i = 0; i < 4; ++i) {
    out[i].v = _mm512_shuffle_i32x4(word[0][i], word[1][i], 0x88);
    out[4 + i].v = _mm512_shuffle_i32x4(word[0][i], word[1][i], 0xdd);
  }
}
TRINE_INLINE void store(Codes codes, std::byte* p) { _mm512_storeu_si512(p, codes.v); }
TRINE_INLINE Codes bits(Codes codes, unsigned shift, std::uint32_t mask) {
  return {_mm512_and_si512(_mm512_srlv_epi32(codes.v, _mm512_set1_epi32(static_cast<int>(shift))),
                           _mm512_set1_epi32(static_cast<int>(mask)))};
}
TRINE_INLINE Codes merge(Codes low, Codes high, unsigned shift) {
  return {_mm512_or_si512(low.v, _mm512_sllv_epi32(high.v, _mm512_set1_epi32(static_cast<int>(shift))))};
}
TRINE_INLINE Codes lookup(Codes codes, const std::uint8_t (&table)[16]) {
  return {
      _mm512_shuffle_epi8(_mm512_broadcast_i32x4(_mm_loadu_si128(reinterpret_cast<const __m128i*>(table))), codes.v)};
}
TRINE_INLINE Codes offset_signed(Codes codes) { return {_mm512_xor_si512(codes.v, _mm512_set1_epi8(-128))}; }
TRINE_INLINE Ints signed_byte(Codes codes, unsigned byte) {
  const __m512i up = _mm512_set1_epi32(static_cast<int>(24 - 8 * byte));
  return {_mm512_srai_epi32(_mm512_sllv_epi32(codes.v, up), 24)};
}
TRINE_INLINE Vec half_to_float(Codes codes) { return {_mm512_cvtph_ps(_mm512_cvtepi32_epi16(codes.v))}; }
TRINE_INLINE Ints as_ints(Codes codes) { return {codes.v}; }
TRINE_INLINE Vec as_floats(Codes codes) { return {_mm512_castsi512_ps(codes.v)}; }
TRINE_INLINE Ints multiply_add(Ints a, Ints b, Ints sum) {
  return {_mm512_add_epi32(sum.v, _mm512_mullo_epi32(a.v, b.v))};
}
TRINE_INLINE Vec to_float(Ints a) { return {_mm512_cvtepi32_ps(a.v)}; }
TRINE_INLINE void store_bytes(Vec a, std::int8_t* p) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm512_cvtsepi32_epi8(_mm512_cvtps_epi32(a.v)));
}

}  // namespace trine::inline TRINE_ABI::kernels::avx512_vnni
TRINE_TARGET_END
#endif
