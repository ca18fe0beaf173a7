// SPDX-License-Identifier: Apache-2.0
// Includes the file that TRINE_KERNEL names once per target with int8 kernels, in namespace
// trine::kernels::TRINE_REGION. No guard: it is included once per kernel, by kernels/dispatch.

#define TRINE_REGION portable
#include TRINE_KERNEL
#undef TRINE_REGION

#if TRINE_X86
TRINE_TARGET_BEGIN(TRINE_AVX2_FEATURES)
#define TRINE_REGION avx2
#include TRINE_KERNEL
#undef TRINE_REGION
TRINE_TARGET_END

TRINE_TARGET_BEGIN(TRINE_AVX512_VNNI_FEATURES)
#define TRINE_REGION avx512_vnni
#include TRINE_KERNEL
#undef TRINE_REGION
TRINE_TARGET_END
#endif

#if TRINE_ARM64
#define TRINE_REGION neon  // baseline, needs no pragma
#include TRINE_KERNEL
#undef TRINE_REGION

#define TRINE_REGION neon_dotprod  // and one more instruction, written as a number
#include TRINE_KERNEL
#undef TRINE_REGION
#endif

#undef TRINE_KERNEL
