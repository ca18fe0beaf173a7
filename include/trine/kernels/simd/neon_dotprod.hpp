// SPDX-License-Identifier: Apache-2.0
// Dot products of four bytes in each lane (AArch64's FEAT_DotProd). The contract of each operation stands in
// portable.hpp; floats and integers are those of neon.hpp.
#pragma once

#include <trine/kernels/simd/neon.hpp>

#if TRINE_ARM64

TRINE_TARGET_BEGIN(TRINE_NEON_DOTPROD_FEATURES)
namespace trine::inline TRINE_ABI::kernels::neon_dotprod {

using neon::Ints;
using neon::Vec;

/// A type of its own, so that products are those below.
struct Codes : neon::Codes {
  static TRINE_INLINE Codes load(const std::byte* p) { return {neon::Codes::load(p)}; }
};
TRINE_INLINE Codes low_bits(Codes codes) { return {neon::low_bits(codes)}; }
TRINE_INLINE Codes high_bits(Codes codes) { return {neon::high_bits(codes)}; }
// Assembly, because Clang 14 has the intrinsic only where the whole program is for CPUs that have the instruction.
TRINE_INLINE Ints dot(Ints sum, int8x16_t weights, std::int32_t x) {
  const int32x4_t four = vdupq_n_s32(x);
  __asm__("sdot %0.4s, %1.16b, %2.16b" : "+w"(sum.v) : "w"(weights), "w"(four));
  return sum;
}
TRINE_INLINE Ints dot_small(Ints sum, Codes codes, std::int32_t x) {
  return neon_dotprod::dot(sum, vreinterpretq_s8_u8(codes.v), x);
}
TRINE_INLINE Ints dot_signed(Ints sum, Codes codes, std::int32_t x) {
  return neon_dotprod::dot(sum, neon::as_signed(codes), x);
}

}  // namespace trine::inline TRINE_ABI::kernels::neon_dotprod
TRINE_TARGET_END
#endif
