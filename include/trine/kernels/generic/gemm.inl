// SPDX-License-Identifier: Apache-2.0
// GEMM of activation rows with weight rows, written once and included once per instruction set (kernels/gemm.hpp).
//
// Lanes hold partial sums. Within a block of kInnerBlock terms, lane l adds those whose index is l modulo the number of
// lanes, in ascending order; then the tree of `sum` reduces the lanes, and blocks are added in ascending order. Tiles
// and blocks of rows only decide which outputs are computed at the same time, so the bits of an output depend only on
// its two rows. Weights are read in their stored layout, row by row.

namespace trine::inline TRINE_ABI::kernels::TRINE_TARGET_NAMESPACE {

// y[r, c] (+)= the sum over one block of columns from `begin` on, for Rows x Columns outputs. In defines how many
// elements a step takes, how they are loaded and how they are multiplied and added to lanes.
template <class In, std::size_t Rows, std::size_t Columns, class X, class W>
inline void inner_tile(const RowsOf<X>& rows, std::size_t first_row, std::size_t begin, const W* w, std::size_t ldw,
                       const Prefetch& prefetch, std::size_t length, float* y, std::size_t ldy) {
  const X* x[Rows];
  TRINE_UNROLL
  for (std::size_t r = 0; r < Rows; ++r) x[r] = rows[first_row + r] + begin;
  Vec acc[Rows * Columns];
  TRINE_UNROLL
  for (std::size_t a = 0; a < Rows * Columns; ++a) acc[a] = Vec::zero();
  std::size_t i = 0;
  for (; i + In::step <= length; i += In::step) {
    typename In::Lanes weight[Columns];
    TRINE_UNROLL
    for (std::size_t c = 0; c < Columns; ++c) weight[c] = In::load(w + c * ldw + i);
    if (Rows > 1 && prefetch.own) {  // at the ends of these weight rows, prefetch the beginnings of the following ones
      constexpr std::size_t far = kOwnAhead / sizeof(W);
      const W* later = w + i + (i + far < length ? far : far + (Columns - 1) * ldw);
      TRINE_UNROLL
      for (std::size_t c = 0; c < Columns; ++c) __builtin_prefetch(later + c * ldw);
    }
    for (std::size_t c = prefetch.begin; c < prefetch.end; ++c) prefetch.fetch(w + c * ldw + i);
    TRINE_UNROLL
    for (std::size_t r = 0; r < Rows; ++r) {
      const typename In::Lanes row = In::load(x[r] + i);
      TRINE_UNROLL
      for (std::size_t c = 0; c < Columns; ++c) acc[r * Columns + c] = In::add(row, weight[c], acc[r * Columns + c]);
    }
  }
  if (i < length) {
    TRINE_UNROLL
    for (std::size_t c = 0; c < Columns; ++c) {
      const typename In::Lanes weight = In::load_part(w + c * ldw + i, length - i);
      TRINE_UNROLL
      for (std::size_t r = 0; r < Rows; ++r)
        acc[r * Columns + c] = In::add(In::load_part(x[r] + i, length - i), weight, acc[r * Columns + c]);
    }
  }
  float sums[Rows * Columns];
  constexpr std::size_t fours = Rows * Columns / 4 * 4;
  TRINE_UNROLL
  for (std::size_t a = 0; a < fours; a += 4) sum4(acc[a], acc[a + 1], acc[a + 2], acc[a + 3], sums + a);
  TRINE_UNROLL
  for (std::size_t a = fours; a < Rows * Columns; ++a) sums[a] = sum(acc[a]);
  for (std::size_t r = 0; r < Rows; ++r) {
    for (std::size_t c = 0; c < Columns; ++c)
      y[r * ldy + c] = begin == 0 ? sums[r * Columns + c] : y[r * ldy + c] + sums[r * Columns + c];
  }
}

// The last `count` <= Rows rows times Columns weight rows.
template <class In, std::size_t Rows, std::size_t Columns, class X, class W>
inline void inner_rest(const RowsOf<X>& x, std::size_t row, std::size_t count, std::size_t begin, const W* w,
                       std::size_t ldw, const Prefetch& prefetch, std::size_t length, float* y, std::size_t ldy) {
  if constexpr (Rows > 0) {
    if (count == Rows)
      return inner_tile<In, Rows, Columns>(x, row, begin, w, ldw, prefetch, length, y + row * ldy, ldy);
    inner_rest<In, Rows - 1, Columns>(x, row, count, begin, w, ldw, prefetch, length, y, ldy);
  }
}

// Rows [row, end), in tiles of Rows, times Columns weight rows. Each tile prefetches some of the following weight rows
// while it computes.
template <class In, std::size_t Rows, std::size_t Columns, class X, class W>
inline void inner_rows(const RowsOf<X>& x, std::size_t row, std::size_t end, std::size_t begin, const W* w,
                       std::size_t ldw, const void* next, std::size_t length, float* y, std::size_t ldy) {
  const std::size_t tiles = (end - row) / Rows;
  for (std::size_t t = 0; t < tiles; ++t, row += Rows) {
    const Prefetch prefetch = Rows == 1 ? Prefetch{} : prefetch_of_tile(offset_to(next, w), Columns, t, tiles);
    inner_tile<In, Rows, Columns>(x, row, begin, w, ldw, prefetch, length, y + row * ldy, ldy);
  }
  if constexpr (Columns > 1) {
    const Prefetch prefetch{.own = tiles == 0};
    inner_rest<In, Rows - 1, Columns>(x, row, end - row, begin, w, ldw, prefetch, length, y, ldy);
  } else {  // a remaining weight row; rare, so two tile sizes suffice
    for (; row < end; ++row) inner_tile<In, 1, 1>(x, row, begin, w, ldw, {}, length, y + row * ldy, ldy);
  }
}

// The source of weight rows: block(o, count, i, length) is `count` rows from o on, columns [i, i + length), leading
// dimension `ld`; at(o, i) is the address to prefetch well before that, `after` the one of the next GEMM.
template <class W>
struct StoredRows {
  const W* w;
  std::size_t ld;
  const void* after;
  TRINE_INLINE const void* at(std::size_t o, std::size_t i) const { return w + o * ld + i; }
  TRINE_INLINE const W* block(std::size_t o, std::size_t, std::size_t i, std::size_t) const { return w + o * ld + i; }
};
// y[r, o] = sum_i x[r, i] w[o, i] in tiles of Rows x Columns.
template <class In, std::size_t Rows, std::size_t Columns, class X, class Weights>
inline void tiled_gemm(const RowsOf<X>& x, std::size_t rows, const Weights& weights, std::size_t outs, std::size_t k,
                       float* y, std::size_t ldy) noexcept {
  // Few rows read each weight row to its end, which streams best; of many rows, a block stays in L2.
  const std::size_t outs_at_a_time = rows <= Rows ? Columns : outs;
  for (std::size_t row = 0; row < rows; row += kRowBlock) {
    const std::size_t end = rows - row < kRowBlock ? rows : row + kRowBlock;
    for (std::size_t o_begin = 0; o_begin < outs; o_begin += outs_at_a_time) {
      const std::size_t o_end = outs - o_begin < outs_at_a_time ? outs : o_begin + outs_at_a_time;
      for (std::size_t i = 0; i < k || i == 0; i += kInnerBlock<X>) {  // once for k = 0: writes the empty sum
        const std::size_t length = k - i < kInnerBlock<X> ? k - i : kInnerBlock<X>;
        const void* last = i + length < k ? weights.at(o_begin, i + length)
                           : o_end < outs ? weights.at(o_end, 0)
                                          : weights.after;  // what follows the last columns of the block
        std::size_t o = o_begin;
        for (; o + Columns <= o_end; o += Columns) {
          const void* next = o + Columns < o_end ? weights.at(o + Columns, i) : last;
          inner_rows<In, Rows, Columns>(x, row, end, i, weights.block(o, Columns, i, length), weights.ld, next, length,
                                        y + o, ldy);
        }
        for (; o < o_end; ++o)
          inner_rows<In, Rows, 1>(x, row, end, i, weights.block(o, 1, i, length), weights.ld, last, length, y + o, ldy);
      }
    }
  }
}

// A single row reads more weight rows at a time, as parallel memory streams.
template <class In, class X, class Weights>
inline void inner_gemm(const RowsOf<X>& x, std::size_t rows, const Weights& weights, std::size_t outs, std::size_t k,
                       float* y, std::size_t ldy) noexcept {
  if (rows == 1) return tiled_gemm<In, 1, Vec::row_columns>(x, rows, weights, outs, k, y, ldy);
  tiled_gemm<In, Vec::tile_rows, Vec::tile_columns>(x, rows, weights, outs, k, y, ldy);
}

// Values converted to f32, one multiply-add per lane.
struct Widened {
  using Lanes = Vec;
  static constexpr std::size_t step = Vec::lanes;
  template <class T>
  static TRINE_INLINE Vec load(const T* p) {
    return Vec::load(p);
  }
  template <class T>
  static TRINE_INLINE Vec load_part(const T* p, std::size_t count) {
    return Vec::load_part(p, count);
  }
  static TRINE_INLINE Vec add(Vec a, Vec b, Vec sum) { return fma(a, b, sum); }
};

/// y[r, o] = sum_i x[r, i] w[o, i]; see kernels/gemm.hpp.
template <class W>
inline void gemm(const RowsOf<float>& x, std::size_t rows, const W* w, std::size_t ldw, std::size_t outs, std::size_t k,
                 const void* after, float* y, std::size_t ldy) noexcept {
  inner_gemm<Widened>(x, rows, StoredRows<W>{w, ldw, after}, outs, k, y, ldy);
}

// Vectors of lanes, or one with `count` lanes.
template <bool Part, class T>
TRINE_INLINE Vec load_lanes(const T* p, std::size_t count) {
  if constexpr (Part) {
    return Vec::load_part(p, count);
  } else {
    return Vec::load(p);
  }
}

// y[r, 0 .. Vectors * lanes) for Rows rows, or the first `count` of these outputs if Part: each output is one chain of
// multiply-adds in ascending order.
template <std::size_t Rows, std::size_t Vectors, bool Part, class W>
inline void column_tile(const RowsOf<float>& x, std::size_t row, const W* w, std::size_t ldw, std::size_t count,
                        std::size_t k, bool add, float* y, std::size_t ldy) {
  Vec acc[Rows][Vectors];
  const float* from[Rows];
  TRINE_UNROLL
  for (std::size_t r = 0; r < Rows; ++r) {
    from[r] = x[row + r];
    TRINE_UNROLL
    for (std::size_t v = 0; v < Vectors; ++v)
      acc[r][v] = add ? load_lanes<Part>(y + r * ldy + v * Vec::lanes, count) : Vec::zero();
  }
  for (std::size_t i = 0; i < k; ++i) {
    Vec weight[Vectors];
    TRINE_UNROLL
    for (std::size_t v = 0; v < Vectors; ++v) weight[v] = load_lanes<Part>(w + i * ldw + v * Vec::lanes, count);
    TRINE_UNROLL
    for (std::size_t r = 0; r < Rows; ++r) {
      const Vec value = Vec::broadcast(from[r][i]);
      TRINE_UNROLL
      for (std::size_t v = 0; v < Vectors; ++v) acc[r][v] = fma(value, weight[v], acc[r][v]);
    }
  }
  TRINE_UNROLL
  for (std::size_t r = 0; r < Rows; ++r) {
    TRINE_UNROLL
    for (std::size_t v = 0; v < Vectors; ++v) {
      if constexpr (Part) {
        acc[r][v].store_part(y + r * ldy + v * Vec::lanes, count);
      } else {
        acc[r][v].store(y + r * ldy + v * Vec::lanes);
      }
    }
  }
}

// All rows of some outputs.
template <std::size_t Vectors, bool Part, class W>
inline void column_rows(const RowsOf<float>& x, std::size_t rows, const W* w, std::size_t ldw, std::size_t count,
                        std::size_t k, bool add, float* y, std::size_t ldy) {
  constexpr std::size_t tile = Vec::tile_rows > 4 ? 6 : 2;  // 6 x 4 sums if there are enough registers
  std::size_t r = 0;
  for (; r + tile <= rows; r += tile) column_tile<tile, Vectors, Part>(x, r, w, ldw, count, k, add, y + r * ldy, ldy);
  for (; r + 2 <= rows; r += 2) column_tile<2, Vectors, Part>(x, r, w, ldw, count, k, add, y + r * ldy, ldy);
  for (; r < rows; ++r) column_tile<1, Vectors, Part>(x, r, w, ldw, count, k, add, y + r * ldy, ldy);
}

/// y[r, o] (+)= sum_i x[r, i] w[i, o]: the sum runs over rows of w. See kernels/gemm.hpp.
template <class W>
inline void gemm_columns(const RowsOf<float>& x, std::size_t rows, const W* w, std::size_t ldw, std::size_t outs,
                         std::size_t k, bool add, float* y, std::size_t ldy) noexcept {
  std::size_t o = 0;
  for (; o + 4 * Vec::lanes <= outs; o += 4 * Vec::lanes)
    column_rows<4, false>(x, rows, w + o, ldw, Vec::lanes, k, add, y + o, ldy);
  for (; o + Vec::lanes <= outs; o += Vec::lanes)
    column_rows<1, false>(x, rows, w + o, ldw, Vec::lanes, k, add, y + o, ldy);
  if (o < outs) column_rows<1, true>(x, rows, w + o, ldw, outs - o, k, add, y + o, ldy);
}

}  // namespace trine::inline TRINE_ABI::kernels::TRINE_TARGET_NAMESPACE
