// SPDX-License-Identifier: Apache-2.0
// Products of activation rows with weight rows, written once and included once per instruction set (kernels/gemm.hpp).
//
// Lanes hold different outputs and every output is one chain of fused multiply-adds, s = x[i] * w[i] + s for i
// ascending from s = 0. Tiles, panels and blocks only decide which outputs are worked on at the same time, so the bits
// of a row do not depend on them.

namespace trine::inline TRINE_ABI::kernels::TRINE_REGION {

// Elements of a weight row that load_columns takes at once.
template <class W>
inline constexpr std::size_t kColumns = Vec::column_bytes / sizeof(W);

// Columns [i, i + count) of `lanes` weight rows; count <= kColumns<W>, outs <= lanes rows exist.
template <class W>
inline void load_edge(const W* w, std::size_t ldw, std::size_t outs, std::size_t count, Vec (&column)[kColumns<W>]) {
  W edge[Vec::lanes * kColumns<W>] = {};
  for (std::size_t o = 0; o < outs; ++o)
    for (std::size_t c = 0; c < count; ++c) edge[o * kColumns<W> + c] = w[o * ldw + c];
  Vec::load_columns(edge, kColumns<W>, column);
}

// Asks for what the next tile reads while this one is at column `i`: whole lines in the order of memory, which the
// hardware follows, where the tile itself reads as many short streams as it has rows.
template <class W>
TRINE_INLINE void prefetch_next_tile(const W* w, std::size_t ldw, std::size_t i) {
  const W* next = w + Vec::lanes * (ldw + i);
  TRINE_UNROLL
  for (std::size_t r = 0; r < Vec::lanes; ++r) __builtin_prefetch(next + r * kColumns<W>);
}

// y[r, 0 .. lanes) for Rows rows straight from the stored weights, transposed in registers: each weight is used Rows
// times.
template <std::size_t Rows, class W>
TRINE_INLINE void direct_tile(const float* x, std::size_t ldx, const W* w, std::size_t ldw, std::size_t outs,
                              std::size_t k, float* y, std::size_t ldy) {
  Vec acc[Rows];
  TRINE_UNROLL
  for (std::size_t r = 0; r < Rows; ++r) acc[r] = Vec::zero();
  Vec column[kColumns<W>];
  std::size_t i = 0;
  if (outs == Vec::lanes) {
    for (; i + kColumns<W> <= k; i += kColumns<W>) {
      prefetch_next_tile(w, ldw, i);
      Vec::load_columns(w + i, ldw, column);
      TRINE_UNROLL
      for (std::size_t c = 0; c < kColumns<W>; ++c) {
        TRINE_UNROLL
        for (std::size_t r = 0; r < Rows; ++r) acc[r] = fma(Vec::broadcast(x[r * ldx + i + c]), column[c], acc[r]);
      }
    }
  }
  for (; i < k; i += kColumns<W>) {
    const std::size_t count = k - i < kColumns<W> ? k - i : kColumns<W>;
    load_edge(w + i, ldw, outs, count, column);
    for (std::size_t c = 0; c < count; ++c) {
      TRINE_UNROLL
      for (std::size_t r = 0; r < Rows; ++r) acc[r] = fma(Vec::broadcast(x[r * ldx + i + c]), column[c], acc[r]);
    }
  }
  TRINE_UNROLL
  for (std::size_t r = 0; r < Rows; ++r) {
    if (outs == Vec::lanes) {
      acc[r].store(y + r * ldy);
    } else {
      acc[r].store_part(y + r * ldy, outs);
    }
  }
}

// panel[i, o] = w[o, i] for `length` columns of `outs` <= kPanel rows, the missing rows zero.
template <class W>
TRINE_INLINE void pack_panel(const W* w, std::size_t ldw, std::size_t outs, std::size_t length, float* panel) {
  constexpr std::size_t width = Vec::tile_vectors * Vec::lanes;
  Vec column[kColumns<W>];
  for (std::size_t v = 0; v < Vec::tile_vectors; ++v) {
    const std::size_t first = v * Vec::lanes;
    const std::size_t rows = first >= outs ? 0 : outs - first < Vec::lanes ? outs - first : Vec::lanes;
    for (std::size_t i = 0; i < length; i += kColumns<W>) {
      const std::size_t count = length - i < kColumns<W> ? length - i : kColumns<W>;
      if (rows == Vec::lanes && count == kColumns<W>) {
        Vec::load_columns(w + first * ldw + i, ldw, column);
        TRINE_UNROLL
        for (std::size_t c = 0; c < kColumns<W>; ++c) column[c].store(panel + (i + c) * width + first);
      } else {
        load_edge(w + first * ldw + i, ldw, rows, count, column);
        for (std::size_t c = 0; c < count; ++c) column[c].store(panel + (i + c) * width + first);
      }
    }
  }
}

// Rows of activations at a distance that is no power of two: rows that share cache sets would push each other out.
TRINE_INLINE void copy_rows(const float* x, std::size_t ldx, std::size_t rows, std::size_t length, float* tile) {
  for (std::size_t r = 0; r < rows; ++r) std::memcpy(tile + r * kTileStride, x + r * ldx, length * sizeof(float));
}

// y[r, 0 .. width) for Rows copied rows against a packed panel; goes on from y's values unless `first`.
template <std::size_t Rows>
inline void panel_tile(const float* x, const float* panel, std::size_t length, bool first, std::size_t outs, float* y,
                       std::size_t ldy) {
  constexpr std::size_t vectors = Vec::tile_vectors;
  constexpr std::size_t width = vectors * Vec::lanes;
  alignas(64) float edge[Rows * width];  // a whole tile where y has fewer columns
  const bool whole = outs == width;
  if (!whole && !first) {
    for (std::size_t r = 0; r < Rows; ++r)
      for (std::size_t o = 0; o < outs; ++o) edge[r * width + o] = y[r * ldy + o];
  }
  float* out = whole ? y : edge;
  const std::size_t ldo = whole ? ldy : width;
  Vec acc[Rows][vectors];
  TRINE_UNROLL
  for (std::size_t r = 0; r < Rows; ++r) {
    TRINE_UNROLL
    for (std::size_t v = 0; v < vectors; ++v)
      acc[r][v] = first ? Vec::zero() : Vec::load(out + r * ldo + v * Vec::lanes);
  }
  for (std::size_t i = 0; i < length; ++i) {
    Vec weight[vectors];
    TRINE_UNROLL
    for (std::size_t v = 0; v < vectors; ++v) weight[v] = Vec::load(panel + i * width + v * Vec::lanes);
    TRINE_UNROLL
    for (std::size_t r = 0; r < Rows; ++r) {
      const Vec value = Vec::broadcast(x[r * kTileStride + i]);
      TRINE_UNROLL
      for (std::size_t v = 0; v < vectors; ++v) acc[r][v] = fma(value, weight[v], acc[r][v]);
    }
  }
  TRINE_UNROLL
  for (std::size_t r = 0; r < Rows; ++r) {
    TRINE_UNROLL
    for (std::size_t v = 0; v < vectors; ++v) acc[r][v].store(out + r * ldo + v * Vec::lanes);
  }
  if (!whole) {
    for (std::size_t r = 0; r < Rows; ++r)
      for (std::size_t o = 0; o < outs; ++o) y[r * ldy + o] = edge[r * width + o];
  }
}

// Where panels come from: pack(o, outs, i, length, panel) packs columns [i, i + length) of weight rows [o, o + outs).
template <class W>
struct StoredRows {
  const W* w;
  std::size_t ldw;
  TRINE_INLINE void pack(std::size_t o, std::size_t outs, std::size_t i, std::size_t length, float* panel) const {
    pack_panel(w + o * ldw + i, ldw, outs, length, panel);
  }
};
struct DecodedRows {
  const AnyMatrix& w;
  TRINE_INLINE void pack(std::size_t o, std::size_t outs, std::size_t i, std::size_t length, float* panel) const {
    constexpr std::size_t width = Vec::tile_vectors * Vec::lanes;
    if (outs < width) std::memset(panel, 0, length * width * sizeof(float));
    decode(w, o, outs, i, length, panel, 1, width);
  }
};

// y[r, o] = sum_i x[r, i] w[o, i], panel by panel.
template <class Weights>
inline void panel_gemm(const float* x, std::size_t ldx, std::size_t rows, const Weights& weights, std::size_t outs,
                       std::size_t k, float* y, std::size_t ldy) noexcept {
  constexpr std::size_t width = Vec::tile_vectors * Vec::lanes;
  alignas(64) float panels[kPanels * kPanelDepth * width];
  alignas(64) float x_tile[Vec::tile_rows * kTileStride];
  for (std::size_t begin = 0; begin < rows; begin += kRowBlock) {
    const std::size_t end = rows - begin < kRowBlock ? rows : begin + kRowBlock;
    for (std::size_t o = 0; o < outs; o += kPanels * width) {
      const std::size_t o_end = outs - o < kPanels * width ? outs : o + kPanels * width;
      for (std::size_t i = 0; i < k || i == 0; i += kPanelDepth) {  // once for k = 0: the sum of nothing is written
        const std::size_t length = k - i < kPanelDepth ? k - i : kPanelDepth;
        for (std::size_t p = o; p < o_end; p += width)
          weights.pack(p, o_end - p < width ? o_end - p : width, i, length, panels + (p - o) * kPanelDepth);
        for (std::size_t r = begin; r < end;) {
          const std::size_t count = end - r >= Vec::tile_rows ? Vec::tile_rows : end - r >= 4 ? 4 : 1;
          copy_rows(x + r * ldx + i, ldx, count, length, x_tile);
          for (std::size_t p = o; p < o_end; p += width) {
            const float* panel = panels + (p - o) * kPanelDepth;
            const std::size_t columns = o_end - p < width ? o_end - p : width;
            float* out = y + r * ldy + p;
            if (count == Vec::tile_rows) {
              panel_tile<Vec::tile_rows>(x_tile, panel, length, i == 0, columns, out, ldy);
            } else if (count == 4) {
              panel_tile<4>(x_tile, panel, length, i == 0, columns, out, ldy);
            } else {
              panel_tile<1>(x_tile, panel, length, i == 0, columns, out, ldy);
            }
          }
          r += count;
        }
      }
    }
  }
}

/// y[r, o] = sum_i x[r, i] w[o, i]; see kernels/gemm.hpp.
template <class W>
inline void gemm(const float* x, std::size_t ldx, std::size_t rows, const W* w, std::size_t ldw, std::size_t outs,
                 std::size_t k, float* y, std::size_t ldy) noexcept {
  if (rows >= kPanelFrom) return panel_gemm(x, ldx, rows, StoredRows<W>{w, ldw}, outs, k, y, ldy);
  for (std::size_t o = 0; o < outs; o += Vec::lanes) {
    const std::size_t count = outs - o < Vec::lanes ? outs - o : Vec::lanes;
    std::size_t r = 0;
    for (; r + 2 <= rows; r += 2) direct_tile<2>(x + r * ldx, ldx, w + o * ldw, ldw, count, k, y + r * ldy + o, ldy);
    if (r < rows) direct_tile<1>(x + r * ldx, ldx, w + o * ldw, ldw, count, k, y + r * ldy + o, ldy);
  }
}

/// The same for weights that are not rows of plain numbers: codes, columns.
inline void gemm_decoded(const float* x, std::size_t ldx, std::size_t rows, const AnyMatrix& w, float* y,
                         std::size_t ldy) noexcept {
  panel_gemm(x, ldx, rows, DecodedRows{w}, w.rows, w.columns, y, ldy);
}

}  // namespace trine::inline TRINE_ABI::kernels::TRINE_REGION
