// SPDX-License-Identifier: Apache-2.0
// Four floats, or four integers, in a register of AArch64's Advanced SIMD, which every such CPU has. portable.hpp
// defines the contract of each operation.
#pragma once

#include <trine/core/bfloat16.hpp>
#include <trine/core/float16.hpp>
#include <trine/kernels/simd/target.hpp>

#if TRINE_ARM64
#include <arm_neon.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace trine::inline TRINE_ABI::kernels::neon {

struct Vec {
  static constexpr std::size_t lanes = 4;
  static constexpr std::size_t tile_rows = 5;     // 5 x 4 sums, 4 weights, 5 activations: 29 of 32 registers, because
  static constexpr std::size_t tile_columns = 4;  // GCC 12 loads a whole step before it multiplies, and spills at 5 x 5
  static constexpr std::size_t row_columns = 8;
  static constexpr std::size_t panel_tile_rows = 4;  // 4 x 4 sums, 4 x 2 weights, 2 activations
  static constexpr std::size_t tile_panels = 1;
  static constexpr std::size_t row_panels = 2;
  float32x4_t v;

  static TRINE_INLINE Vec zero() { return broadcast(0.0F); }
  static TRINE_INLINE Vec broadcast(float value) { return {vdupq_n_f32(value)}; }
  static TRINE_INLINE Vec load(const float* p) { return {vld1q_f32(p)}; }
  static TRINE_INLINE Vec load(const bfloat16* p) { return {vreinterpretq_f32_u32(vshll_n_u16(load_bits(p), 16))}; }
  static TRINE_INLINE Vec load(const float16* p) { return {vcvt_f32_f16(vreinterpret_f16_u16(load_bits(p)))}; }
  static TRINE_INLINE Vec load_even(const bfloat16* p) {
    return {vreinterpretq_f32_u32(vshlq_n_u32(load_pairs(p), 16))};
  }
  static TRINE_INLINE Vec load_odd(const bfloat16* p) {
    return {vreinterpretq_f32_u32(vandq_u32(load_pairs(p), vdupq_n_u32(0xffff0000U)))};
  }
  template <class T>
  static TRINE_INLINE Vec load_part(const T* p, std::size_t count) {
    alignas(16) float part[lanes] = {};
    for (std::size_t i = 0; i < count; ++i) part[i] = static_cast<float>(p[i]);
    return {vld1q_f32(part)};
  }
  /// Values of FP4 E2M1, two per byte, by a table of the upper halves of their floats, whose lower halves are zero.
  static TRINE_INLINE Vec load_f4_e2m1(const std::byte* p) {
    std::uint16_t two = 0;
    std::memcpy(&two, p, sizeof two);
    const int16x4_t places = vcreate_s16(0xfff4'fff8'fffc'0000U);  // of the codes: shifts by 0, -4, -8, -12
    const uint16x4_t codes = vand_u16(vshl_u16(vdup_n_u16(two), places), vdup_n_u16(15));
    const uint16x4_t bytes = vadd_u16(vmul_n_u16(codes, 0x0202), vdup_n_u16(0x0100));  // 2 code, 2 code + 1
    const uint8x16x2_t table = {
        {vreinterpretq_u8_u16(vld1q_u16(kF4Halves)), vreinterpretq_u8_u16(vld1q_u16(kF4Halves + 8))}};
    const uint16x4_t halves = vreinterpret_u16_u8(vqtbl2_u8(table, vreinterpret_u8_u16(bytes)));
    return {vreinterpretq_f32_u32(vshll_n_u16(halves, 16))};
  }
  TRINE_INLINE void store(float* p) const { vst1q_f32(p, v); }
  TRINE_INLINE void store_part(float* p, std::size_t count) const {
    alignas(16) float part[lanes];
    vst1q_f32(part, v);
    for (std::size_t i = 0; i < count; ++i) p[i] = part[i];
  }

 private:
  static constexpr std::uint16_t kF4Halves[16] = {0x0000, 0x3f00, 0x3f80, 0x3fc0, 0x4000, 0x4040, 0x4080, 0x40c0,
                                                  0x8000, 0xbf00, 0xbf80, 0xbfc0, 0xc000, 0xc040, 0xc080, 0xc0c0};
  static TRINE_INLINE uint32x4_t load_pairs(const bfloat16* p) {
    return vreinterpretq_u32_u16(vld1q_u16(reinterpret_cast<const std::uint16_t*>(p)));
  }
  template <class T>
  static TRINE_INLINE uint16x4_t load_bits(const T* p) {
    return vld1_u16(reinterpret_cast<const std::uint16_t*>(p));
  }
};

TRINE_INLINE Vec add(Vec a, Vec b) { return {vaddq_f32(a.v, b.v)}; }
TRINE_INLINE Vec sub(Vec a, Vec b) { return {vsubq_f32(a.v, b.v)}; }
TRINE_INLINE Vec mul(Vec a, Vec b) { return {vmulq_f32(a.v, b.v)}; }
TRINE_INLINE Vec div(Vec a, Vec b) { return {vdivq_f32(a.v, b.v)}; }
// A comparison and a selection: NEON's own instructions return NaN if either operand is NaN, the contract returns b.
TRINE_INLINE Vec max(Vec a, Vec b) { return {vbslq_f32(vcgtq_f32(a.v, b.v), a.v, b.v)}; }
TRINE_INLINE Vec min(Vec a, Vec b) { return {vbslq_f32(vcltq_f32(a.v, b.v), a.v, b.v)}; }
TRINE_INLINE Vec fma(Vec a, Vec b, Vec c) { return {vfmaq_f32(c.v, a.v, b.v)}; }
TRINE_INLINE Vec round(Vec a) { return {vrndnq_f32(a.v)}; }
TRINE_INLINE Vec power_of_two(Vec n) {
  const int32x4_t exponent = vaddq_s32(vcvtq_s32_f32(n.v), vdupq_n_s32(127));
  return {vreinterpretq_f32_s32(vshlq_n_s32(exponent, 23))};
}

struct Ints {
  static constexpr std::size_t lanes = 4;
  static constexpr std::size_t tile_rows = 5;  // 5 x 4 sums (a panel is four registers), 4 weights, 5 activations
  static constexpr std::size_t tile_panels = 1;
  static constexpr std::size_t block_rows = 3;  // block_gemm: the same
  static constexpr std::size_t block_panels = 1;
  static constexpr std::int32_t code_offset = 0;
  int32x4_t v;
  static TRINE_INLINE Ints broadcast(std::int32_t value) { return {vdupq_n_s32(value)}; }
  static TRINE_INLINE Ints load(const std::int8_t* p) {
    std::int32_t four;
    std::memcpy(&four, p, sizeof four);
    return {vmovl_s16(vget_low_s16(vmovl_s8(vreinterpret_s8_s32(vdup_n_s32(four)))))};
  }
};
struct Codes {
  uint8x16_t v;
  static TRINE_INLINE Codes load(const std::byte* p) { return {vld1q_u8(reinterpret_cast<const std::uint8_t*>(p))}; }
};
TRINE_INLINE Codes low_bits(Codes codes) { return {vandq_u8(codes.v, vdupq_n_u8(15))}; }
TRINE_INLINE Codes high_bits(Codes codes) { return {vshrq_n_u8(codes.v, 4)}; }
TRINE_INLINE int8x16_t as_signed(Codes codes) {  // code - 128
  return vreinterpretq_s8_u8(veorq_u8(codes.v, vdupq_n_u8(128)));
}
TRINE_INLINE int8x16_t in_all_bytes(Ints a) {
  return vreinterpretq_s8_s32(vmulq_n_s32(vandq_s32(a.v, vdupq_n_s32(255)), 0x01010101));
}
TRINE_INLINE void store_scaled(Codes codes, Ints factor, Ints offset, std::byte* p) {
  const int8x16_t value = vmlaq_s8(in_all_bytes(offset), vreinterpretq_s8_u8(codes.v), in_all_bytes(factor));
  vst1q_u8(reinterpret_cast<std::uint8_t*>(p), vreinterpretq_u8_s8(value));
}
// Pairs of products in 16 bits: 2 * 63 * 128 and 2 * 128 * 127 fit.
TRINE_INLINE Ints dot(Ints sum, int8x16_t weights, std::int32_t x) {
  const int8x16_t four = vreinterpretq_s8_s32(vdupq_n_s32(x));
  const int16x8_t low = vmull_s8(vget_low_s8(weights), vget_low_s8(four));
  const int16x8_t high = vmull_high_s8(weights, four);
  return {vpadalq_s16(sum.v, vpaddq_s16(low, high))};
}
TRINE_INLINE Ints dot_small(Ints sum, Codes codes, std::int32_t x) { return dot(sum, vreinterpretq_s8_u8(codes.v), x); }
TRINE_INLINE Ints dot_signed(Ints sum, Codes codes, std::int32_t x) { return dot(sum, as_signed(codes), x); }
TRINE_INLINE uint32x4_t load_row(const std::byte* row) {
  return vreinterpretq_u32_u8(vld1q_u8(reinterpret_cast<const std::uint8_t*>(row)));
}
TRINE_INLINE uint8x16_t join_words(uint32x4_t a, uint32x4_t b, bool upper) {  // pairs of words
  const uint64x2_t x = vreinterpretq_u64_u32(a);
  const uint64x2_t y = vreinterpretq_u64_u32(b);
  return vreinterpretq_u8_u64(upper ? vzip2q_u64(x, y) : vzip1q_u64(x, y));
}
TRINE_INLINE void load_rows(const std::byte* rows, std::size_t stride, Codes (&out)[4]) {
  const uint32x4_t a = load_row(rows);
  const uint32x4_t b = load_row(rows + stride);
  const uint32x4_t c = load_row(rows + 2 * stride);
  const uint32x4_t d = load_row(rows + 3 * stride);
  out[0].v = join_words(vzip1q_u32(a, b), vzip1q_u32(c, d), false);
  out[1].v = join_words(vzip1q_u32(a, b), vzip1q_u32(c, d), true);
  out[2].v = join_words(vzip2q_u32(a, b), vzip2q_u32(c, d), false);
  out[3].v = join_words(vzip2q_u32(a, b), vzip2q_u32(c, d), true);
}
TRINE_INLINE void store(Codes codes, std::byte* p) { vst1q_u8(reinterpret_cast<std::uint8_t*>(p), codes.v); }
TRINE_INLINE Codes bits(Codes codes, unsigned shift, std::uint32_t mask) {
  const int32x4_t down = vdupq_n_s32(-static_cast<std::int32_t>(shift));
  return {vreinterpretq_u8_u32(vandq_u32(vshlq_u32(vreinterpretq_u32_u8(codes.v), down), vdupq_n_u32(mask)))};
}
TRINE_INLINE Codes merge(Codes low, Codes high, unsigned shift) {
  const int32x4_t up = vdupq_n_s32(static_cast<std::int32_t>(shift));
  return {vorrq_u8(low.v, vreinterpretq_u8_u32(vshlq_u32(vreinterpretq_u32_u8(high.v), up)))};
}
TRINE_INLINE Codes lookup(Codes codes, const std::uint8_t (&table)[16]) {
  return {vqtbl1q_u8(vld1q_u8(table), codes.v)};
}
TRINE_INLINE Codes offset_signed(Codes codes) { return {veorq_u8(codes.v, vdupq_n_u8(128))}; }
TRINE_INLINE Ints signed_byte(Codes codes, unsigned byte) {
  const int32x4_t up = vdupq_n_s32(static_cast<std::int32_t>(24 - 8 * byte));
  return {vshrq_n_s32(vshlq_s32(vreinterpretq_s32_u8(codes.v), up), 24)};
}
TRINE_INLINE Vec half_to_float(Codes codes) {
  return {vcvt_f32_f16(vreinterpret_f16_u16(vmovn_u32(vreinterpretq_u32_u8(codes.v))))};
}
TRINE_INLINE Ints as_ints(Codes codes) { return {vreinterpretq_s32_u8(codes.v)}; }
TRINE_INLINE Vec as_floats(Codes codes) { return {vreinterpretq_f32_u8(codes.v)}; }
TRINE_INLINE Ints multiply_add(Ints a, Ints b, Ints sum) { return {vmlaq_s32(sum.v, a.v, b.v)}; }
TRINE_INLINE Vec to_float(Ints a) { return {vcvtq_f32_s32(a.v)}; }
TRINE_INLINE void store_bytes(Vec a, std::int8_t* p) {
  const int16x4_t halves = vmovn_s32(vcvtq_s32_f32(a.v));
  const int8x8_t bytes = vmovn_s16(vcombine_s16(halves, halves));
  const std::int32_t four = vget_lane_s32(vreinterpret_s32_s8(bytes), 0);
  std::memcpy(p, &four, sizeof four);
}

TRINE_INLINE float sum(Vec a) {
  const float32x4_t pairs = vpaddq_f32(a.v, a.v);  // 0+1, 2+3
  return vpadds_f32(vget_low_f32(pairs));
}
TRINE_INLINE void sum4(Vec a, Vec b, Vec c, Vec d, float* out) {
  vst1q_f32(out, vpaddq_f32(vpaddq_f32(a.v, b.v), vpaddq_f32(c.v, d.v)));
}
TRINE_INLINE float max_of(Vec a) {
  const Vec two = max(a, {vextq_f32(a.v, a.v, 2)});
  const float low = vgetq_lane_f32(two.v, 0);
  const float high = vgetq_lane_f32(two.v, 1);
  return low > high ? low : high;
}

}  // namespace trine::inline TRINE_ABI::kernels::neon
#endif
