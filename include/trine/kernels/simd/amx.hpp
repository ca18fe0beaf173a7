// SPDX-License-Identifier: Apache-2.0
// The tile registers of Intel AMX, of 16 rows of 64 bytes. 64 columns of q8, or 32 of bf16, of a panel of 16 outputs
// have the layout of a tile (Intel 64 and IA-32 Architectures Software Developer's Manual, TDPBSUD and TDPBF16PS).
#pragma once

#include <trine/kernels/prefetch.hpp>
#include <trine/kernels/simd/avx512_bf16.hpp>
#include <trine/kernels/simd/avx512_vnni.hpp>
#include <trine/quant/packed.hpp>

#if TRINE_X86
#include <cstddef>
#include <cstdint>

TRINE_TARGET_BEGIN(TRINE_AMX_FEATURES)
namespace trine::inline TRINE_ABI::kernels::amx {

inline constexpr std::size_t kTileRows = 16;
inline constexpr std::size_t kTileRowBytes = 64;
inline constexpr std::size_t kTileBytes = kTileRows * kTileRowBytes;
inline constexpr std::size_t kPanelsAtOnce = 4;   // sums 0 to 3, activations 4 and 5, weights 6 and 7
inline constexpr std::size_t kRowsAtOnce = 64;    // whose results for four panels stay in L1
inline constexpr std::size_t kOwnTilesAhead = 4;  // prefetch distance of few rows within their panels, in tiles

// The compilers' macros do not declare that they read memory, which lets GCC move or drop earlier writes.
#define TRINE_TILE_LOAD(tile, from, stride) \
  __asm__ volatile("tileloadd (%0,%1,1), %%tmm" #tile ::"r"(from), "r"(std::size_t{stride}) : "memory")
#define TRINE_TILE_STORE(tile, to, stride) \
  __asm__ volatile("tilestored %%tmm" #tile ", (%0,%1,1)" ::"r"(to), "r"(std::size_t{stride}) : "memory")

/// Owns all eight tile registers of this thread, of 16 rows of 64 bytes each, during its lifetime.
class Tiles {
 public:
  Tiles() noexcept {
    struct alignas(64) {
      std::uint8_t palette = 1;
      std::uint8_t start_row = 0;
      std::uint8_t reserved[14] = {};
      std::uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
      std::uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
    } config;
    __asm__ volatile("ldtilecfg (%0)" ::"r"(&config) : "memory");
  }
  ~Tiles() { __asm__ volatile("tilerelease"); }
  Tiles(const Tiles&) = delete;
  Tiles& operator=(const Tiles&) = delete;
};

/// A tile of activations: in place, or copied and padded with zeros if it has fewer or scattered rows.
struct RowTile {
  const std::byte* data;
  std::size_t stride;
};

// The lanes of the last panel that are outputs.
TRINE_INLINE __mmask16 lanes_of(std::size_t outs) {
  return static_cast<__mmask16>(outs >= kPanelRows ? 0xffffU : (1U << static_cast<unsigned>(outs)) - 1U);
}

// Prefetches a tile's share of the next panels, or further ahead in these: cache lines [begin, end) of each panel in
// [prefetch.begin, prefetch.end). Into L2, because there are many at a time.
TRINE_INLINE void prefetch_lines(const std::byte* first, std::size_t panel, const Prefetch& prefetch, std::size_t begin,
                                 std::size_t end) {
  for (std::size_t p = prefetch.begin; p < prefetch.end; ++p) {
    const auto at = reinterpret_cast<std::uintptr_t>(first + p * panel) + prefetch.distance;
    for (std::size_t i = begin; i < end; ++i) __builtin_prefetch(reinterpret_cast<const void*>(at + i * 64), 0, 2);
  }
}

}  // namespace trine::inline TRINE_ABI::kernels::amx
TRINE_TARGET_END
#endif
