// SPDX-License-Identifier: Apache-2.0
// Rows of a cache, bf16 or q8, as f32.
#pragma once

#include <cstddef>
#include <cstdint>

#include <trine/core/bfloat16.hpp>
#include <trine/kernels/simd/dispatch.hpp>
#include <trine/quant/cache_type.hpp>

#define TRINE_KERNEL <trine/kernels/generic/cache_rows.inl>
#include <trine/kernels/simd/every_byte_region.inl>

namespace trine::inline TRINE_ABI::kernels {

/// Stored elements [rows][ld] and, for q8, their scales.
struct StoredElements {
  CacheType type;
  const std::byte* elements;
  std::size_t ld;  // in elements
  const float* scales;
  std::size_t ld_scales;
};

/// out[r, i] = x[r, i] for i < width; scales: [rows][groups] at distance ld_scales. out: rows at distance ldo
inline void load_cache_rows(Isa isa, const StoredElements& x, std::size_t rows, std::size_t width, float* out,
                            std::size_t ldo) noexcept {
  if (x.type == CacheType::q8) {
    TRINE_DISPATCH_BYTES(isa, load_rows(reinterpret_cast<const std::int8_t*>(x.elements), x.ld, x.scales, x.ld_scales,
                                        rows, width, out, ldo));
  }
  TRINE_DISPATCH_BYTES(isa, widen(reinterpret_cast<const bfloat16*>(x.elements), x.ld, rows, width, out, ldo));
}

/// The same where rows are columns: out[i, r] = x[i, r] for i < width, r < rows; scales: [groups][rows].
inline void load_cache_columns(Isa isa, const StoredElements& x, std::size_t rows, std::size_t width, float* out,
                               std::size_t ldo) noexcept {
  if (x.type == CacheType::q8) {
    TRINE_DISPATCH_BYTES(isa, load_columns(reinterpret_cast<const std::int8_t*>(x.elements), x.ld, x.scales,
                                           x.ld_scales, rows, width, out, ldo));
  }
  TRINE_DISPATCH_BYTES(isa, widen(reinterpret_cast<const bfloat16*>(x.elements), x.ld, width, rows, out, ldo));
}

}  // namespace trine::inline TRINE_ABI::kernels
