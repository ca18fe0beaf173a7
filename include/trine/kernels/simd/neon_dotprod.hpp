// SPDX-License-Identifier: Apache-2.0
// Dot products of four bytes in each lane (AArch64's FEAT_DotProd). portable.hpp defines the contract of each
// operation; floats and integers are those of neon.hpp.
//
// The instruction is written as a number, not under a target pragma: assemblers accept its name only for armv8.2-a, and
// under a pragma for that GCC refuses to inline code compiled with the user's own flags (armv9-a, +crypto, +sve).
#pragma once

#include <trine/kernels/simd/neon.hpp>

#if TRINE_ARM64

namespace trine::inline TRINE_ABI::kernels::neon_dotprod {

using neon::Ints;
using neon::Vec;

/// A separate type, which selects the dot products below.
struct Codes : neon::Codes {
  static TRINE_INLINE Codes load(const std::byte* p) { return {neon::Codes::load(p)}; }
};
TRINE_INLINE Codes low_bits(Codes codes) { return {neon::low_bits(codes)}; }
TRINE_INLINE Codes high_bits(Codes codes) { return {neon::high_bits(codes)}; }
TRINE_INLINE void load_rows(const std::byte* rows, std::size_t stride, Codes (&out)[4]) {
  neon::Codes words[4];
  neon::load_rows(rows, stride, words);
  for (std::size_t i = 0; i < 4; ++i) out[i] = {words[i]};
}
TRINE_INLINE Codes bits(Codes codes, unsigned shift, std::uint32_t mask) { return {neon::bits(codes, shift, mask)}; }
TRINE_INLINE Codes merge(Codes low, Codes high, unsigned shift) { return {neon::merge(low, high, shift)}; }
TRINE_INLINE Codes lookup(Codes codes, const std::uint8_t (&table)[16]) { return {neon::lookup(codes, table)}; }
TRINE_INLINE Codes offset_signed(Codes codes) { return {neon::offset_signed(codes)}; }

// sdot d.4s, n.16b, m.16b      31 .......... 21 | 20 .. 16 | 15 .... 10 | 9 .. 5 | 4 .. 0
//                              0 1001110 10 0   |    m     | 1 00101    |   n    |   d
// Operands print as v0 .. v31; the symbols convert these to numbers.
TRINE_INLINE Ints sdot(Ints sum, int8x16_t weights, std::int32_t x) {
  const int32x4_t four = vdupq_n_s32(x);
  __asm__(
      ".irp i,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31\n"
      ".set .Ltrine_v\\i, \\i\n"
      ".endr\n"
      ".inst 0x4e809400 + .Ltrine_%0 + (.Ltrine_%1 << 5) + (.Ltrine_%2 << 16)"
      : "+w"(sum.v)
      : "w"(weights), "w"(four));
  return sum;
}
TRINE_INLINE Ints dot_small(Ints sum, Codes codes, std::int32_t x) {
  return sdot(sum, vreinterpretq_s8_u8(codes.v), x);
}
TRINE_INLINE Ints dot_signed(Ints sum, Codes codes, std::int32_t x) { return sdot(sum, neon::as_signed(codes), x); }

}  // namespace trine::inline TRINE_ABI::kernels::neon_dotprod
#endif
