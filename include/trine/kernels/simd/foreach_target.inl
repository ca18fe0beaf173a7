// SPDX-License-Identifier: Apache-2.0
// Includes the file that TRINE_KERNEL names once per instruction set, in namespace
// trine::kernels::TRINE_TARGET_NAMESPACE. No guard: it is included once per kernel, by kernels/dispatch. Include the
// simd headers before it.

#define TRINE_TARGET_NAMESPACE portable
#include TRINE_KERNEL
#undef TRINE_TARGET_NAMESPACE

#if TRINE_X86
TRINE_TARGET_BEGIN(TRINE_AVX2_FEATURES)
#define TRINE_TARGET_NAMESPACE avx2
#include TRINE_KERNEL
#undef TRINE_TARGET_NAMESPACE
TRINE_TARGET_END

TRINE_TARGET_BEGIN(TRINE_AVX512_FEATURES)
#define TRINE_TARGET_NAMESPACE avx512
#include TRINE_KERNEL
#undef TRINE_TARGET_NAMESPACE
TRINE_TARGET_END
#endif

#if TRINE_ARM64
#define TRINE_TARGET_NAMESPACE neon  // baseline, needs no pragma
#include TRINE_KERNEL
#undef TRINE_TARGET_NAMESPACE
#endif

#undef TRINE_KERNEL
