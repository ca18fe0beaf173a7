// SPDX-License-Identifier: Apache-2.0
// GEMM of quantised activations with weights in blocks of ggml, written once and included once per instruction set
// (kernels/block_gemm.hpp). Builds on generic/unpack_blocks.inl.
//
// A lane is an output. Some panels of 16 rows of weights are unpacked to bytes in L1, 256 columns at a time, and
// multiplied with all rows of activations. Sums of a sub-block of 16 or 32 columns are exact integers; then, sub-block
// after sub-block,
//
//   y = integer * (scale of the activations) * scale + y
//   y = sum of the activations * minimum + y                   for formats that have a minimum
//
// This does not depend on which outputs are computed at the same time, so the bits of an output depend only on its two
// rows.

namespace trine::inline TRINE_ABI::kernels::TRINE_TARGET_NAMESPACE {

// Row r of a tile, from the first column of the unpacked ones on.
struct BlockTileRow {
  const std::int8_t* codes;
  const float* scale;        // per 32 columns
  const std::int32_t* sums;  // per 16 columns
};

TRINE_INLINE std::int32_t four_bytes(const std::int8_t* codes) {
  std::int32_t four;
  std::memcpy(&four, codes, sizeof four);
  return four;
}

// The exact sums of 16 columns from `column` on.
template <bool Signed, std::size_t Rows, std::size_t Parts>
TRINE_INLINE void add_columns(Ints (&acc)[Rows][Parts], const BlockTileRow (&x)[Rows], const BlockPanel* w,
                              std::size_t column) {
  TRINE_UNROLL
  for (std::size_t i = 0; i < 16; i += 4) {
    Codes weight[Parts];
    TRINE_UNROLL
    for (std::size_t p = 0; p < Parts; ++p)
      weight[p] = Codes::load(w[p / kPanelParts].codes + (column + i) * kPanelRows + p % kPanelParts * 4 * Ints::lanes);
    TRINE_UNROLL
    for (std::size_t r = 0; r < Rows; ++r) {
      const std::int32_t four = four_bytes(x[r].codes + column + i);
      TRINE_UNROLL
      for (std::size_t p = 0; p < Parts; ++p) {
        if constexpr (Signed) {
          acc[r][p] = dot_signed(acc[r][p], weight[p], four);
        } else {
          acc[r][p] = dot_small(acc[r][p], weight[p], four);
        }
      }
    }
  }
}

// The unpacked columns of Panels panels times Rows rows, added to y unless `first`.
template <bool Signed, std::size_t Rows, std::size_t Panels>
inline void block_tile(const BlockTileRow (&x)[Rows], const BlockPanel* w, const BlockFormat& format,
                       std::size_t columns, bool first, float* y, std::size_t ldy) {
  constexpr std::size_t parts = Panels * kPanelParts;
  const std::size_t sub_block = format.sub_block;
  const std::int32_t zero = Signed ? Ints::code_offset : format.zero;
  Vec total[Rows][parts];
  TRINE_UNROLL
  for (std::size_t r = 0; r < Rows; ++r) {
    TRINE_UNROLL
    for (std::size_t p = 0; p < parts; ++p)
      total[r][p] = first ? Vec::zero() : Vec::load(y + r * ldy + p * Ints::lanes);
  }
  for (std::size_t begin = 0, s = 0; begin < columns; begin += sub_block, ++s) {
    Ints acc[Rows][parts];
    std::int32_t sum[Rows];
    TRINE_UNROLL
    for (std::size_t r = 0; r < Rows; ++r) {
      sum[r] = x[r].sums[begin / 16];
      if (sub_block == 32) sum[r] += x[r].sums[begin / 16 + 1];
      TRINE_UNROLL
      for (std::size_t p = 0; p < parts; ++p) acc[r][p] = Ints::broadcast(-zero * sum[r]);
    }
    for (std::size_t i = begin; i < begin + sub_block; i += 16) add_columns<Signed>(acc, x, w, i);
    TRINE_UNROLL
    for (std::size_t p = 0; p < parts; ++p) {
      const BlockPanel& panel = w[p / kPanelParts];
      const std::size_t lane = p % kPanelParts * Ints::lanes;
      const Vec scale = Vec::load(panel.scale[s] + lane);
      TRINE_UNROLL
      for (std::size_t r = 0; r < Rows; ++r) {
        const Vec value = mul(to_float(acc[r][p]), Vec::broadcast(x[r].scale[begin / 32]));
        total[r][p] = fma(value, scale, total[r][p]);
        if (format.has_minimum)
          total[r][p] = fma(Vec::broadcast(x[r].scale[begin / 32] * static_cast<float>(sum[r])),
                            Vec::load(panel.minimum[s] + lane), total[r][p]);
      }
    }
  }
  TRINE_UNROLL
  for (std::size_t r = 0; r < Rows; ++r) {
    TRINE_UNROLL
    for (std::size_t p = 0; p < parts; ++p) total[r][p].store(y + r * ldy + p * Ints::lanes);
  }
}

// All rows of activations, and where their results belong.
struct BlockProduct {
  const QuantizedRows& x;
  const std::uint32_t* index;  // row of x for each row of y, or null: the same
  std::size_t first;           // row of y
  std::size_t rows;
  std::size_t column;
  std::size_t columns;  // unpacked
  float* y;             // the first of these rows, the first output of the first panel
  std::size_t ldy;

  TRINE_INLINE BlockTileRow row(std::size_t r) const {
    const std::size_t at = index == nullptr ? first + r : index[first + r];
    return {x.codes + at * x.ld + column, x.scale + at * x.groups + column / 32,
            x.sums + at * x.sub_blocks + column / 16};
  }
};

// The last `rows` <= Rows rows.
template <bool Signed, std::size_t Rows, std::size_t Panels>
inline void block_rest(const BlockProduct& b, const BlockPanel* w, const BlockFormat& format, std::size_t r,
                       std::size_t rows) {
  if constexpr (Rows > 0) {
    if (rows < Rows) return block_rest<Signed, Rows - 1, Panels>(b, w, format, r, rows);
    BlockTileRow x[Rows];
    TRINE_UNROLL
    for (std::size_t i = 0; i < Rows; ++i) x[i] = b.row(r + i);
    block_tile<Signed, Rows, Panels>(x, w, format, b.columns, b.column == 0, b.y + r * b.ldy, b.ldy);
  }
}

template <std::size_t Panels>
inline void block_rows(const BlockProduct& b, const BlockPanel* w, const BlockFormat& format) {
  constexpr bool differs = Ints::code_offset == 0;  // otherwise an offset is an offset
  for (std::size_t r = 0; r < b.rows; r += Ints::block_rows) {
    const std::size_t rows = b.rows - r < Ints::block_rows ? b.rows - r : Ints::block_rows;
    if (differs && format.zero == kSigned) {
      block_rest<differs, Ints::block_rows, Panels>(b, w, format, r, rows);
    } else {
      block_rest<false, Ints::block_rows, Panels>(b, w, format, r, rows);
    }
  }
}

// The blocks of some panels. Those of the last one, if it has fewer than 16 rows, are copied, so that 16 can be read.
struct BlockSource {
  const BlockFormat& format;
  const std::byte* w;
  std::size_t stride;
  std::size_t outs;
  std::size_t columns;

  // Columns of some panels, followed by others at `next`, or null.
  template <std::size_t Panels>
  TRINE_INLINE void unpack(std::size_t o, std::size_t column, std::size_t count, const std::byte* next,
                           BlockPanel* out) const {
    const std::size_t at = column / format.columns * format.bytes;
    for (std::size_t p = 0; p < Panels; ++p) {
      const std::byte* rows = w + (o + p * kPanelRows) * stride + at;
      format.unpack({rows, stride, count, next == nullptr ? rows : next + (p * stride + at) * kPanelRows}, out[p]);
    }
  }
  inline void unpack_last(std::size_t o, std::size_t column, std::size_t count, BlockPanel& out) const {
    constexpr std::size_t kMost = kBlockColumns / 32 * 34;  // bytes of kBlockColumns in Q8_0, the largest format
    std::byte copy[kPanelRows * kMost] = {};
    const std::size_t bytes = count / format.columns * format.bytes;
    for (std::size_t r = 0; o + r < outs; ++r)
      std::memcpy(copy + r * kMost, w + (o + r) * stride + column / format.columns * format.bytes, bytes);
    format.unpack({copy, kMost, count, copy}, out);
  }
};

template <std::size_t Panels>
inline void block_panels(const BlockSource& source, BlockProduct b, std::size_t o, const std::byte* next) {
  BlockPanel panels[Panels];
  for (b.column = 0; b.column < source.columns; b.column += kBlockColumns) {
    const std::size_t left = source.columns - b.column;
    b.columns = left < kBlockColumns ? left : kBlockColumns;
    source.unpack<Panels>(o, b.column, b.columns, next, panels);
    block_rows<Panels>(b, panels, source.format);
  }
}

// The last panel, of less than 16 outputs.
inline void block_edge(const BlockSource& source, BlockProduct b, std::size_t o) {
  alignas(64) float whole[kBlockRows * kPanelRows];
  BlockPanel panel;
  const BlockProduct to = b;
  b.y = whole;
  b.ldy = kPanelRows;
  for (b.column = 0; b.column < source.columns; b.column += kBlockColumns) {
    const std::size_t left = source.columns - b.column;
    b.columns = left < kBlockColumns ? left : kBlockColumns;
    source.unpack_last(o, b.column, b.columns, panel);
    block_rows<1>(b, &panel, source.format);
  }
  for (std::size_t r = 0; r < b.rows; ++r)
    for (std::size_t i = 0; o + i < source.outs; ++i) to.y[r * to.ldy + i] = whole[r * kPanelRows + i];
}

/// See kernels/block_gemm.hpp.
inline void block_gemm(const QuantizedRows& x, const std::uint32_t* index, std::size_t rows, DType dtype,
                       const std::byte* w, std::size_t stride, std::size_t outs, std::size_t columns,
                       const std::byte* after, float* y, std::size_t ldy) noexcept {
  constexpr std::size_t width = Ints::block_panels * kPanelRows;
  const BlockFormat* format = kBlockFormats;
  while (format->dtype != dtype) ++format;
  const BlockSource source{*format, w, stride, outs, columns};
  BlockProduct b{x, index, 0, 0, 0, 0, nullptr, ldy};
  for (b.first = 0; b.first < rows; b.first += kBlockRows) {
    b.rows = rows - b.first < kBlockRows ? rows - b.first : kBlockRows;
    for (std::size_t o = 0; o < outs;) {
      b.y = y + b.first * ldy + o;
      const std::size_t left = outs - o;
      if (left >= width) {
        block_panels<Ints::block_panels>(source, b, o, left > width ? w + (o + width) * stride : after);
        o += width;
      } else if (left >= kPanelRows) {
        block_panels<1>(source, b, o, left > kPanelRows ? w + (o + kPanelRows) * stride : after);
        o += kPanelRows;
      } else {
        block_edge(source, b, o);
        o = outs;
      }
    }
  }
}

}  // namespace trine::inline TRINE_ABI::kernels::TRINE_TARGET_NAMESPACE
