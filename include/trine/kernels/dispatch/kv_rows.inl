// SPDX-License-Identifier: Apache-2.0
// The definitions of kernels/kv_rows.hpp.
#pragma once

#include <trine/kernels/kv_rows.hpp>
#include <trine/kernels/simd/dispatch.hpp>

#define TRINE_KERNEL <trine/kernels/generic/kv_rows.inl>
#include <trine/kernels/simd/foreach_int8_target.inl>

namespace trine::inline TRINE_ABI::kernels {

TRINE_DECL void load_kv_rows(Isa isa, const StoredElements& x, std::size_t rows, std::size_t width, float* out,
                             std::size_t ldo) noexcept {
  if (x.type == KvCacheDtype::q8) {
    TRINE_DISPATCH_INT8(isa, load_rows(reinterpret_cast<const std::int8_t*>(x.elements), x.ld, x.scales, x.ld_scales,
                                       rows, width, out, ldo));
  }
  TRINE_DISPATCH_INT8(isa, widen(reinterpret_cast<const bfloat16*>(x.elements), x.ld, rows, width, out, ldo));
}

TRINE_DECL void load_kv_columns(Isa isa, const StoredElements& x, std::size_t rows, std::size_t width, float* out,
                                std::size_t ldo) noexcept {
  if (x.type == KvCacheDtype::q8) {
    TRINE_DISPATCH_INT8(isa, load_columns(reinterpret_cast<const std::int8_t*>(x.elements), x.ld, x.scales, x.ld_scales,
                                          rows, width, out, ldo));
  }
  TRINE_DISPATCH_INT8(isa, widen(reinterpret_cast<const bfloat16*>(x.elements), x.ld, width, rows, out, ldo));
}

}  // namespace trine::inline TRINE_ABI::kernels
