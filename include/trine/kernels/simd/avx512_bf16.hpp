// SPDX-License-Identifier: Apache-2.0
// Thirty-two bf16 values in a zmm register and their dot products in pairs (AVX-512 BF16). Floats are those of
// avx512.hpp.
#pragma once

#include <trine/kernels/simd/avx512.hpp>

#if TRINE_X86
#include <cstdint>
#include <cstring>

TRINE_TARGET_BEGIN(TRINE_AVX512_BF16_FEATURES)
namespace trine::inline TRINE_ABI::kernels::avx512_bf16 {

using avx512::Vec;

/// Lane l of a sum takes elements 2 l and 2 l + 1.
struct Pairs {
  static constexpr std::size_t step = 32;
  struct Lanes {
    __m512i v;
  };
  static TRINE_INLINE Lanes load(const bfloat16* p) { return {_mm512_loadu_si512(p)}; }
  static TRINE_INLINE Lanes load_part(const bfloat16* p, std::size_t count) {
    return {_mm512_maskz_loadu_epi16((std::uint32_t{1} << count) - 1, p)};
  }
  static TRINE_INLINE Vec add(Lanes a, Lanes b, Vec sum) {
    return {_mm512_dpbf16_ps(sum.v, reinterpret_cast<__m512bh>(a.v), reinterpret_cast<__m512bh>(b.v))};
  }
};

/// Two columns of weight panels times two values of a row of activations: lane l takes elements 2 l and 2 l + 1.
struct PanelPairs {
  using X = bfloat16;
  static constexpr std::size_t tile_rows = 6;  // 6 x 4 sums, 4 weights, 1 activation: 29 of 32 registers
  static constexpr std::size_t tile_panels = 4;
  static constexpr std::size_t row_panels = 8;
  using Weights = Pairs::Lanes;
  static TRINE_INLINE Weights load(const bfloat16* p) { return Pairs::load(p); }
  static TRINE_INLINE Vec add(Weights w, const bfloat16* x, Vec sum) {
    std::int32_t pair;
    std::memcpy(&pair, x, sizeof pair);
    return Pairs::add({_mm512_set1_epi32(pair)}, w, sum);
  }
  /// The last column if their number is odd.
  static TRINE_INLINE Vec add_last(Weights w, const bfloat16* x, Vec sum) {
    return Pairs::add({_mm512_set1_epi32(x->bits)}, w, sum);
  }
};

/// Sixteen values rounded to bf16, ties to even.
TRINE_INLINE void store_bf16(Vec a, bfloat16* p) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(a.v)));
}

}  // namespace trine::inline TRINE_ABI::kernels::avx512_bf16
TRINE_TARGET_END
#endif
