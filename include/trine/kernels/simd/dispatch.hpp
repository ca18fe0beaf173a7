// SPDX-License-Identifier: Apache-2.0
// From an Isa known at run time to the region compiled for it: the one switch over instruction sets.
#pragma once

#include <trine/kernels/simd/avx2.hpp>
#include <trine/kernels/simd/avx512.hpp>
#include <trine/kernels/simd/portable.hpp>
#include <trine/platform/cpu_features.hpp>

/// Returns REGION::call for the region that `isa` names. Every kernel of ours is `noexcept` and cheap to select.
#if TRINE_X86
#define TRINE_DISPATCH(isa, call) \
  switch (isa) {                  \
    case Isa::avx512:             \
      return avx512::call;        \
    case Isa::avx2:               \
      return avx2::call;          \
    case Isa::portable:           \
      break;                      \
  }                               \
  return portable::call
#else
#define TRINE_DISPATCH(isa, call) \
  static_cast<void>(isa);         \
  return portable::call
#endif
