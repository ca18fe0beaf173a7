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
TRINE_INLINE void store_products(Codes codes, Ints factor, std::byte* p) {
  const __m512i twice = _mm512_or_si512(_mm512_and_si512(factor.v, _mm512_set1_epi32(0xffff)),
                                        _mm512_slli_epi32(factor.v, 16));  // in both halves of a lane
  const __m512i even = _mm512_and_si512(codes.v, _mm512_set1_epi16(255));
  const __m512i odd = _mm512_srli_epi16(codes.v, 8);
  const __m512i eight = _mm512_set1_epi16(8);
  const __m512i offset = _mm512_set1_epi16(128);
  const __m512i a = _mm512_add_epi16(_mm512_mullo_epi16(_mm512_sub_epi16(even, eight), twice), offset);
  const __m512i b = _mm512_add_epi16(_mm512_mullo_epi16(_mm512_sub_epi16(odd, eight), twice), offset);
  _mm512_storeu_si512(p, _mm512_or_si512(a, _mm512_slli_epi16(b, 8)));
}
// Assembly, because GCC 12 copies the sums of a tile through memory around its own intrinsic: half the speed.
TRINE_INLINE Ints dot_small(Ints sum, Codes codes, std::int32_t x) {
  const __m512i four = _mm512_set1_epi32(x);
  __asm__("vpdpbusd %2, %1, %0" : "+v"(sum.v) : "v"(codes.v), "v"(four));
  return sum;
}
TRINE_INLINE Ints dot_signed(Ints sum, Codes codes, std::int32_t x) { return dot_small(sum, codes, x); }
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
