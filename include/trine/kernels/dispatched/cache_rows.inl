// SPDX-License-Identifier: Apache-2.0
// The definitions of kernels/cache_rows.hpp.
#pragma once

#include <trine/kernels/cache_rows.hpp>
#include <trine/kernels/simd/dispatch.hpp>

#define TRINE_KERNEL <trine/kernels/generic/cache_rows.inl>
#include <trine/kernels/simd/every_byte_region.inl>

namespace trine::inline TRINE_ABI::kernels {

TRINE_DECL void load_cache_rows(Isa isa, const StoredElements& x, std::size_t rows, std::size_t width, float* out,
                                std::size_t ldo) noexcept {
  if (x.type == CacheType::q8) {
    TRINE_DISPATCH_BYTES(isa, load_rows(reinterpret_cast<const std::int8_t*>(x.elements), x.ld, x.scales, x.ld_scales,
                                        rows, width, out, ldo));
  }
  TRINE_DISPATCH_BYTES(isa, widen(reinterpret_cast<const bfloat16*>(x.elements), x.ld, rows, width, out, ldo));
}

TRINE_DECL void load_cache_columns(Isa isa, const StoredElements& x, std::size_t rows, std::size_t width, float* out,
                                   std::size_t ldo) noexcept {
  if (x.type == CacheType::q8) {
    TRINE_DISPATCH_BYTES(isa, load_columns(reinterpret_cast<const std::int8_t*>(x.elements), x.ld, x.scales,
                                           x.ld_scales, rows, width, out, ldo));
  }
  TRINE_DISPATCH_BYTES(isa, widen(reinterpret_cast<const bfloat16*>(x.elements), x.ld, width, rows, out, ldo));
}

}  // namespace trine::inline TRINE_ABI::kernels
