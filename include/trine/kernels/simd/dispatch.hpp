// SPDX-License-Identifier: Apache-2.0
// Selects the target of an Isa at run time: the only switch over instruction sets.
#pragma once

#include <trine/kernels/simd/amx.hpp>
#include <trine/kernels/simd/avx2.hpp>
#include <trine/kernels/simd/avx512.hpp>
#include <trine/kernels/simd/avx512_bf16.hpp>
#include <trine/kernels/simd/avx512_vnni.hpp>
#include <trine/kernels/simd/neon.hpp>
#include <trine/kernels/simd/neon_dotprod.hpp>
#include <trine/kernels/simd/portable.hpp>
#include <trine/platform/cpu_features.hpp>

/// Returns TARGET::call for the target that `isa` names. Every kernel is `noexcept` and cheap to select.
/// TRINE_DISPATCH_INT8: the same for int8 kernels; AVX-512 without VNNI is no faster than AVX2.
#if TRINE_X86
#define TRINE_DISPATCH(isa, call) \
  switch (isa) {                  \
    case Isa::amx:                \
    case Isa::avx512_bf16:        \
    case Isa::avx512_vnni:        \
    case Isa::avx512:             \
      return avx512::call;        \
    case Isa::avx2:               \
      return avx2::call;          \
    case Isa::neon:               \
    case Isa::neon_dotprod:       \
    case Isa::portable:           \
      break;                      \
  }                               \
  return portable::call
#define TRINE_DISPATCH_INT8(isa, call) \
  switch (isa) {                       \
    case Isa::amx:                     \
    case Isa::avx512_bf16:             \
    case Isa::avx512_vnni:             \
      return avx512_vnni::call;        \
    case Isa::avx512:                  \
    case Isa::avx2:                    \
      return avx2::call;               \
    case Isa::neon:                    \
    case Isa::neon_dotprod:            \
    case Isa::portable:                \
      break;                           \
  }                                    \
  return portable::call
#elif TRINE_ARM64
#define TRINE_DISPATCH(isa, call)            \
  if ((isa) >= Isa::neon) return neon::call; \
  return portable::call
#define TRINE_DISPATCH_INT8(isa, call)                       \
  if ((isa) == Isa::neon_dotprod) return neon_dotprod::call; \
  TRINE_DISPATCH(isa, call)
#else
#define TRINE_DISPATCH(isa, call) \
  static_cast<void>(isa);         \
  return portable::call
#define TRINE_DISPATCH_INT8(isa, call) TRINE_DISPATCH(isa, call)
#endif
