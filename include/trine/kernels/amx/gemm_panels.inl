// SPDX-License-Identifier: Apache-2.0
// GEMM of bf16 activations with bf16 weights in panels, in the tiles of Intel AMX. Included by dispatch/gemm.inl.
//
// A sum takes 32 columns at a time, whatever the other rows are, so the bits of an output depend only on its two rows.

TRINE_TARGET_BEGIN(TRINE_AMX_FEATURES)
namespace trine::inline TRINE_ABI::kernels::amx {

// Rows [row, row + count) of x, count <= 16.
struct Bf16Rows {
  const RowsOf<bfloat16>& x;
  std::size_t row;
  std::size_t count;
  std::size_t k;

  /// Returns whether whole tiles can be read in place.
  [[nodiscard]] TRINE_INLINE bool in_place() const { return x.index == nullptr && count == kTileRows; }
  /// Columns [column, column + 32); beyond k they are zeros, and nothing is read.
  TRINE_INLINE RowTile copied(std::size_t column, std::byte* copy) const {
    const std::size_t columns = k - column < 32 ? k - column : 32;
    const auto there = static_cast<__mmask32>((std::uint64_t{1} << columns) - 1);
    for (std::size_t r = 0; r < kTileRows; ++r) {
      const __m512i numbers = r < count ? _mm512_maskz_loadu_epi16(there, x[row + r] + column) : _mm512_setzero_si512();
      _mm512_store_si512(copy + r * kTileRowBytes, numbers);
    }
    return {copy, kTileRowBytes};
  }
};

// sums += 32 columns of a tile of rows times some panels.
template <std::size_t Panels>
TRINE_INLINE void bf16_step(const RowTile& x, const std::byte* w, std::size_t panel) {
  TRINE_TILE_LOAD(4, x.data, x.stride);
  TRINE_TILE_LOAD(6, w, kTileRowBytes);
  _tile_dpbf16ps(0, 4, 6);
  if constexpr (Panels > 1) {
    TRINE_TILE_LOAD(7, w + panel, kTileRowBytes);
    _tile_dpbf16ps(1, 4, 7);
    TRINE_TILE_LOAD(6, w + 2 * panel, kTileRowBytes);
    _tile_dpbf16ps(2, 4, 6);
    TRINE_TILE_LOAD(7, w + 3 * panel, kTileRowBytes);
    _tile_dpbf16ps(3, 4, 7);
  }
}

// y of one tile of rows and Panels * 16 outputs, of which `outs` exist. The panels are read from memory for the first
// tile of rows, and from L2 for the others.
template <std::size_t Panels>
inline void bf16_tile(const Bf16Rows& rows, const std::byte* w, std::size_t panel, const Prefetch& prefetch,
                      std::size_t outs, float* y, std::size_t ldy) {
  constexpr std::size_t width = Panels * kPanelRows;
  constexpr std::size_t lines = kTileBytes / 64;
  alignas(64) std::byte copy[2][kTileBytes];
  alignas(64) float beside[kTileRows * width];
  _tile_zero(0);
  if constexpr (Panels > 1) {
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
  }
  std::size_t i = 0;
  if (rows.in_place()) {
    const std::byte* x = reinterpret_cast<const std::byte*>(rows.x[rows.row]);
    const std::size_t stride = rows.x.ld * sizeof(bfloat16);
    for (; i + 32 <= rows.k; i += 32, w += kTileBytes, x += kTileRowBytes) {
      prefetch_lines(w, panel, prefetch, 0, lines);
      bf16_step<Panels>({x, stride}, w, panel);
    }
  }
  for (; i < rows.k; i += 32, w += kTileBytes) {
    prefetch_lines(w, panel, prefetch, 0, lines);
    bf16_step<Panels>(rows.copied(i, copy[i / 32 % 2]), w, panel);
  }
  const bool whole = rows.count == kTileRows && outs == width;
  float* out = whole ? y : beside;
  const std::size_t stride = (whole ? ldy : width) * sizeof(float);
  TRINE_TILE_STORE(0, out, stride);
  if constexpr (Panels > 1) {
    TRINE_TILE_STORE(1, out + kPanelRows, stride);
    TRINE_TILE_STORE(2, out + 2 * kPanelRows, stride);
    TRINE_TILE_STORE(3, out + 3 * kPanelRows, stride);
  }
  for (std::size_t r = 0; r < rows.count && !whole; ++r)
    for (std::size_t o = 0; o < outs; ++o) y[r * ldy + o] = beside[r * width + o];
}

template <std::size_t Panels>
inline void bf16_rows(const RowsOf<bfloat16>& x, std::size_t rows, const std::byte* w, std::size_t panel, std::size_t k,
                      const void* next, std::size_t outs, float* y, std::size_t ldy) {
  const std::size_t tiles = (rows + kTileRows - 1) / kTileRows;
  for (std::size_t t = 0; t < tiles; ++t) {
    const std::size_t row = t * kTileRows;
    const std::size_t count = rows - row < kTileRows ? rows - row : kTileRows;
    const Prefetch prefetch = tiles == 1 ? Prefetch{kOwnTilesAhead * kTileBytes, 0, Panels}  // further on in these
                                         : prefetch_of_tile(offset_to(next, w), Panels, t, tiles);
    bf16_tile<Panels>({x, row, count, k}, w, panel, prefetch, outs, y + row * ldy, ldy);
  }
}

/// y[r, o] = sum_i x[r, i] w[o, i], w being bf16_panels.
inline void gemm_panels(const RowsOf<bfloat16>& x, std::size_t rows, const std::byte* w, std::size_t panel,
                        std::size_t outs, std::size_t k, const void* after, float* y, std::size_t ldy) noexcept {
  if (rows == 0) return;
  const Tiles tiles;
  constexpr std::size_t width = kPanelsAtOnce * kPanelRows;
  for (std::size_t o = 0; o < outs;) {
    const std::byte* here = w + o / kPanelRows * panel;
    const bool wide = outs - o > width - kPanelRows;
    const std::size_t end = wide ? o + width : o + kPanelRows;
    const void* next = end < outs ? w + end / kPanelRows * panel : after;
    const std::size_t here_outs = (end < outs ? end : outs) - o;
    if (wide) {
      bf16_rows<kPanelsAtOnce>(x, rows, here, panel, k, next, here_outs, y + o, ldy);
    } else {
      bf16_rows<1>(x, rows, here, panel, k, next, here_outs, y + o, ldy);
    }
    o = end;
  }
}

}  // namespace trine::inline TRINE_ABI::kernels::amx
TRINE_TARGET_END
