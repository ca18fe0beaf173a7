// SPDX-License-Identifier: Apache-2.0
// Includes the file that TRINE_KERNEL names once per target with int8 kernels, in namespace
// trine::kernels::TRINE_TARGET_NAMESPACE. No guard: it is included once per kernel, by kernels/dispatch.

#define TRINE_TARGET_NAMESPACE portable
#include TRINE_KERNEL
#undef TRINE_TARGET_NAMESPACE

#if TRINE_X86
TRINE_TARGET_BEGIN(TRINE_AVX2_FEATURES)
#define TRINE_TARGET_NAMESPACE avx2
#include TRINE_KERNEL
#undef TRINE_TARGET_NAMESPACE
TRINE_TARGET_END

TRINE_TARGET_BEGIN(TRINE_AVX512_VNNI_FEATURES)
#define TRINE_TARGET_NAMESPACE avx512_vnni
#include TRINE_KERNEL
#undef TRINE_TARGET_NAMESPACE
TRINE_TARGET_END
#endif

#if TRINE_ARM64
#define TRINE_TARGET_NAMESPACE neon  // baseline, needs no pragma
#include TRINE_KERNEL
#undef TRINE_TARGET_NAMESPACE

#define TRINE_TARGET_NAMESPACE neon_dotprod  // and one more instruction, written as a number
#include TRINE_KERNEL
#undef TRINE_TARGET_NAMESPACE
#endif

#undef TRINE_KERNEL
