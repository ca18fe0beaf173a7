// SPDX-License-Identifier: Apache-2.0
// Converts rows of a KV cache, bf16 or q8, to f32.
#pragma once

#include <cstddef>
#include <cstdint>

#include <trine/core/bfloat16.hpp>
#include <trine/platform/cpu_features.hpp>
#include <trine/quant/kv_cache_dtype.hpp>

namespace trine::inline TRINE_ABI::kernels {

/// Stored elements [rows][ld] and, for q8, their scales.
struct StoredElements {
  KvCacheDtype type;
  const std::byte* elements;
  std::size_t ld;  // in elements
  const float* scales;
  std::size_t ld_scales;
};

/// out[r, i] = x[r, i] for i < width; scales: [rows][groups], leading dimension ld_scales. out: leading dimension ldo
TRINE_DECL void load_kv_rows(Isa isa, const StoredElements& x, std::size_t rows, std::size_t width, float* out,
                             std::size_t ldo) noexcept;

/// The same, transposed: out[i, r] = x[i, r] for i < width, r < rows; scales: [groups][rows].
TRINE_DECL void load_kv_columns(Isa isa, const StoredElements& x, std::size_t rows, std::size_t width, float* out,
                                std::size_t ldo) noexcept;

}  // namespace trine::inline TRINE_ABI::kernels

#if TRINE_HEADER_ONLY
#include <trine/kernels/dispatch/kv_rows.inl>
#endif
