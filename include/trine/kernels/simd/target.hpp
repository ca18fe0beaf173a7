// SPDX-License-Identifier: Apache-2.0
// Target code: code between TRINE_TARGET_BEGIN and TRINE_TARGET_END is compiled for its own instruction set, so
// that one binary holds several targets and the user passes no -m flags.
//
//   TRINE_TARGET_BEGIN("avx2,fma,f16c")     outside any namespace; no #include of other headers between the two lines
//   #define TRINE_TARGET_NAMESPACE avx2
//   #include <trine/kernels/generic/gemm.inl>
//   #undef TRINE_TARGET_NAMESPACE
//   TRINE_TARGET_END
//
// Rules for target code: no lambdas (GCC does not give them the target), no virtual functions, and nothing instantiated
// from it may be called before asking cpu_features.hpp. GCC 12's own AVX-512 header raises -Wuninitialized and
// -Wmaybe-uninitialized in optimised builds; TRINE_TARGET_BEGIN silences both.
#pragma once

#define TRINE_PRAGMA_(text) _Pragma(#text)
#if defined(__clang__)
#define TRINE_TARGET_BEGIN(features) \
  TRINE_PRAGMA_(clang attribute push(__attribute__((target(features))), apply_to = function))
#define TRINE_TARGET_END _Pragma("clang attribute pop")
#elif defined(__GNUC__)
#if defined(__OPTIMIZE__)
#define TRINE_MACRO_WARNINGS
#else  // without optimisation GCC's intrinsics are macros, and warn at their use
#define TRINE_MACRO_WARNINGS _Pragma("GCC diagnostic ignored \"-Wsign-conversion\"")
#endif
#define TRINE_TARGET_BEGIN(features)                                                             \
  _Pragma("GCC push_options") TRINE_PRAGMA_(GCC target(features)) _Pragma("GCC diagnostic push") \
      _Pragma("GCC diagnostic ignored \"-Wuninitialized\"")                                      \
          _Pragma("GCC diagnostic ignored \"-Wmaybe-uninitialized\"") TRINE_MACRO_WARNINGS
#define TRINE_TARGET_END _Pragma("GCC diagnostic pop") _Pragma("GCC pop_options")
#endif

/// Before a loop over registers: unrolls it completely at any -O level, so that arrays of Vec stay in registers. Not
/// with sanitizers: they check each unrolled access, which doubles the compile time of every user of a kernel.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define TRINE_UNROLL
#elif defined(__clang__)
#define TRINE_UNROLL _Pragma("clang loop unroll(full)")
#else
#define TRINE_UNROLL _Pragma("GCC unroll 32")
#endif

/// Operations on vectors must never be calls: a call would pass registers through memory.
#define TRINE_INLINE inline __attribute__((always_inline))

#if defined(__x86_64__)
#define TRINE_X86 1
#define TRINE_AVX2_FEATURES "avx2,fma,f16c"
#define TRINE_AVX512_FEATURES "avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl"
#define TRINE_AVX512_VNNI_FEATURES TRINE_AVX512_FEATURES ",avx512vnni"
#define TRINE_AVX512_BF16_FEATURES TRINE_AVX512_FEATURES ",avx512bf16"
#define TRINE_AMX_FEATURES TRINE_AVX512_FEATURES ",avx512vnni,avx512bf16,amx-tile,amx-int8,amx-bf16"
#else
#define TRINE_X86 0
#endif
#if defined(__aarch64__)
#define TRINE_ARM64 1
#else
#define TRINE_ARM64 0
#endif
