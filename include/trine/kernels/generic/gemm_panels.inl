// SPDX-License-Identifier: Apache-2.0
// GEMM of activation rows with bf16 weights in panels (quant/packed.hpp), written once and included once per
// instruction set (kernels/gemm.hpp).
//
// A lane is an output. Within a block of kPanelBlock columns its sum is one chain in ascending order, column by column,
// or pair by pair with bf16 dot products; then the blocks are added in ascending order, because short chains round
// less. So the bits of an output depend only on its two rows.

namespace trine::inline TRINE_ABI::kernels::TRINE_TARGET_NAMESPACE {

inline constexpr std::size_t kPanelVectors = kPanelRows / Vec::lanes;

// Bf16 weights converted to f32, one multiply-add per lane and column.
struct WidenedPanels {
  using X = float;
  static constexpr std::size_t tile_rows = Vec::panel_tile_rows;
  static constexpr std::size_t tile_panels = Vec::tile_panels;
  static constexpr std::size_t row_panels = Vec::row_panels;
  struct Weights {
    Vec even;
    Vec odd;
  };
  static TRINE_INLINE Weights load(const bfloat16* p) { return {Vec::load_even(p), Vec::load_odd(p)}; }
  static TRINE_INLINE Vec add(const Weights& w, const float* x, Vec sum) {
    return fma(Vec::broadcast(x[1]), w.odd, add_last(w, x, sum));
  }
  static TRINE_INLINE Vec add_last(const Weights& w, const float* x, Vec sum) {
    return fma(Vec::broadcast(*x), w.even, sum);
  }
};

// y[r, o] (+)= the sum over one block of columns from `begin` on, of `left` to the end of the panels, for Rows x Panels
// * 16 outputs. w: the block in the first panel, whose panels are `panel` elements apart.
template <class In, std::size_t Rows, std::size_t Panels>
inline void panel_tile(const RowsOf<typename In::X>& rows, std::size_t first_row, std::size_t begin, const bfloat16* w,
                       std::size_t panel, const Prefetch& prefetch, std::size_t left, float* y, std::size_t ldy) {
  const std::size_t length = left < kPanelBlock ? left : kPanelBlock;
  constexpr std::size_t vectors = Panels * kPanelVectors;
  const typename In::X* x[Rows];
  Vec acc[Rows][vectors];
  TRINE_UNROLL
  for (std::size_t r = 0; r < Rows; ++r) {
    x[r] = rows[first_row + r] + begin;
    TRINE_UNROLL
    for (std::size_t v = 0; v < vectors; ++v) acc[r][v] = Vec::zero();
  }
  std::size_t i = 0;
  for (; i + 2 <= length; i += 2) {
    const bfloat16* pairs = w + i * kPanelRows;
    typename In::Weights weight[vectors];
    TRINE_UNROLL
    for (std::size_t v = 0; v < vectors; ++v)
      weight[v] = In::load(pairs + v / kPanelVectors * panel + v % kPanelVectors * 2 * Vec::lanes);
    if (prefetch.own) {  // at the ends of these panels, prefetch the beginnings of the following ones
      constexpr std::size_t far = kOwnAhead / sizeof(bfloat16);
      const bfloat16* later = pairs + (i + far / kPanelRows < left ? far : far + (Panels - 1) * panel);
      TRINE_UNROLL
      for (std::size_t p = 0; p < Panels; ++p) __builtin_prefetch(later + p * panel);
    }
    for (std::size_t p = prefetch.begin; p < prefetch.end; ++p) prefetch.fetch(pairs + p * panel);
    TRINE_UNROLL
    for (std::size_t r = 0; r < Rows; ++r) {
      TRINE_UNROLL
      for (std::size_t v = 0; v < vectors; ++v) acc[r][v] = In::add(weight[v], x[r] + i, acc[r][v]);
    }
  }
  TRINE_UNROLL
  for (std::size_t v = 0; v < vectors; ++v) {
    const bfloat16* pairs = w + i * kPanelRows + v / kPanelVectors * panel + v % kPanelVectors * 2 * Vec::lanes;
    TRINE_UNROLL
    for (std::size_t r = 0; r < Rows; ++r) {
      if (i < length) acc[r][v] = In::add_last(In::load(pairs), x[r] + i, acc[r][v]);
      float* out = y + r * ldy + v * Vec::lanes;
      if (begin != 0) acc[r][v] = add(Vec::load(out), acc[r][v]);
      acc[r][v].store(out);
    }
  }
}

// The last `count` <= Rows rows.
template <class In, std::size_t Rows, std::size_t Panels>
inline void panel_rest(const RowsOf<typename In::X>& x, std::size_t row, std::size_t count, std::size_t begin,
                       const bfloat16* w, std::size_t panel, const Prefetch& prefetch, std::size_t left, float* y,
                       std::size_t ldy) {
  if constexpr (Rows > 0) {
    if (count == Rows) return panel_tile<In, Rows, Panels>(x, row, begin, w, panel, prefetch, left, y, ldy);
    panel_rest<In, Rows - 1, Panels>(x, row, count, begin, w, panel, prefetch, left, y, ldy);
  }
}

// Rows [row, end) in tiles of Rows, which together prefetch `next`; y: the first of them.
template <class In, std::size_t Rows, std::size_t Panels>
inline void panel_rows(const RowsOf<typename In::X>& x, std::size_t row, std::size_t end, std::size_t begin,
                       const bfloat16* w, std::size_t panel, const void* next, std::size_t left, float* y,
                       std::size_t ldy) {
  const std::size_t tiles = (end - row) / Rows;
  for (std::size_t t = 0; t < tiles; ++t, row += Rows, y += Rows * ldy) {
    const Prefetch prefetch =
        Rows == 1 ? Prefetch{.own = true} : prefetch_of_tile(offset_to(next, w), Panels, t, tiles);
    panel_tile<In, Rows, Panels>(x, row, begin, w, panel, prefetch, left, y, ldy);
  }
  panel_rest<In, Rows - 1, Panels>(x, row, end - row, begin, w, panel, {.own = tiles == 0}, left, y, ldy);
}

// All columns of some panels, times rows [row, end).
template <class In, std::size_t Rows, std::size_t Panels>
inline void panel_columns(const RowsOf<typename In::X>& x, std::size_t row, std::size_t end, const bfloat16* w,
                          std::size_t panel, std::size_t k, const void* after, float* y, std::size_t ldy) {
  for (std::size_t i = 0; i < k || i == 0; i += kPanelBlock) {  // once for k = 0: writes the empty sum
    const bfloat16* here = w + i * kPanelRows;
    const void* next = i + kPanelBlock < k ? here + kPanelBlock * kPanelRows : after;
    panel_rows<In, Rows, Panels>(x, row, end, i, here, panel, next, k - i, y, ldy);
  }
}

// y[r, o] = sum_i x[r, i] w[o, i] in tiles of Rows x Panels.
template <class In, std::size_t Rows, std::size_t Panels>
inline void tiled_panels(const RowsOf<typename In::X>& x, std::size_t rows, const bfloat16* w, std::size_t panel,
                         std::size_t outs, std::size_t k, const void* after, float* y, std::size_t ldy) {
  for (std::size_t row = 0; row < rows; row += kRowBlock) {
    const std::size_t end = rows - row < kRowBlock ? rows : row + kRowBlock;
    for (std::size_t o = 0; o < outs;) {
      const bfloat16* here = w + o / kPanelRows * panel;
      const std::size_t left = outs - o;
      float* out = y + row * ldy + o;
      if (left >= Panels * kPanelRows) {
        o += Panels * kPanelRows;
        panel_columns<In, Rows, Panels>(x, row, end, here, panel, k, o < outs ? here + Panels * panel : after, out,
                                        ldy);
      } else if (left >= kPanelRows) {
        o += kPanelRows;
        panel_columns<In, Rows, 1>(x, row, end, here, panel, k, o < outs ? here + panel : after, out, ldy);
      } else {  // a last panel with fewer outputs is computed in a buffer
        alignas(64) float whole[kRowBlock * kPanelRows];
        panel_columns<In, Rows, 1>(x, row, end, here, panel, k, after, whole, kPanelRows);
        for (std::size_t r = 0; r < end - row; ++r)
          for (std::size_t l = 0; l < left; ++l) out[r * ldy + l] = whole[r * kPanelRows + l];
        o = outs;
      }
    }
  }
}

/// See kernels/gemm.hpp. A single row reads more panels at a time, as parallel memory streams.
template <class In>
inline void gemm_panels(const RowsOf<typename In::X>& x, std::size_t rows, const bfloat16* w, std::size_t panel,
                        std::size_t outs, std::size_t k, const void* after, float* y, std::size_t ldy) noexcept {
  if (rows == 1) return tiled_panels<In, 1, In::row_panels>(x, rows, w, panel, outs, k, after, y, ldy);
  tiled_panels<In, In::tile_rows, In::tile_panels>(x, rows, w, panel, outs, k, after, y, ldy);
}
inline void gemm_widened_panels(const RowsOf<float>& x, std::size_t rows, const bfloat16* w, std::size_t panel,
                                std::size_t outs, std::size_t k, const void* after, float* y,
                                std::size_t ldy) noexcept {
  gemm_panels<WidenedPanels>(x, rows, w, panel, outs, k, after, y, ldy);
}

}  // namespace trine::inline TRINE_ABI::kernels::TRINE_TARGET_NAMESPACE
