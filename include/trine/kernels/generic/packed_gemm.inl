// SPDX-License-Identifier: Apache-2.0
// GEMM of quantised activations with packed weights, written once and included once per instruction set
// (kernels/packed_gemm.hpp).
//
// A lane is an output. Within a block of 128 columns all sums are exact integers, outliers of the activations included;
// then y = integer * (scale of the activations) * (scale of the weights) + y, block after block. This does not depend
// on which outputs are computed at the same time, so the bits of an output depend only on its two rows.

namespace trine::inline TRINE_ABI::kernels::TRINE_TARGET_NAMESPACE {

inline constexpr std::size_t kParts = kPanelRows / Ints::lanes;  // registers of a panel

// What a tile prefetches while it computes the block of the same index: that block of panels [begin, end) of the next
// ones, spread evenly, because memory takes few requests at a time.
struct NextPanels {
  const std::byte* first = nullptr;
  std::size_t panel = 0;  // bytes
  std::size_t group = 0;
  std::size_t header = 0;  // bytes per block
  std::size_t column = 0;  // of a panel
  std::size_t begin = 0;
  std::size_t end = 0;
  TRINE_INLINE void fetch(const std::byte* at) const {
    for (std::size_t p = begin; p < end; ++p) __builtin_prefetch(at + p * panel);
  }
};

// Blocks of consecutive panels of weights: the addresses of values and scales of panel p and block g.
struct PanelGroups {
  const std::byte* codes;
  std::size_t code_panel;
  std::size_t code_group;
  const std::byte* scales;
  std::size_t scale_panel;
  std::size_t scale_group;
  std::size_t prefetch_distance = 0;  // prefetch distance within the panels, or 0 for none
  NextPanels next{};
};

template <std::size_t Panels>
TRINE_INLINE void prefetch_panels(const std::byte* at, std::size_t panel) {
  TRINE_UNROLL
  for (std::size_t p = 0; p < Panels; ++p) __builtin_prefetch(at + p * panel);
}

// Row r of a tile, from the first column of a range of blocks on.
struct TileRow {
  const std::int8_t* codes;
  const float* scale;
  const std::int32_t* sums;
  const Outlier* outlier;
};

TRINE_INLINE std::int32_t four_codes(const std::int8_t* codes) {
  std::int32_t four;
  std::memcpy(&four, codes, sizeof four);
  return four;
}

// sum + (code + offset) * x
TRINE_INLINE Ints add_product(Ints sum, Codes code, std::int32_t offset, std::int32_t x) {
  const Ints factor = Ints::broadcast(x);
  return multiply_add(as_ints(code), factor, multiply_add(Ints::broadcast(offset), factor, sum));
}

// Also prefetches: the hardware prefetcher looks ahead too little for this many streams.
TRINE_INLINE Codes load_codes(const std::byte* codes, std::size_t prefetch_distance) {
  __builtin_prefetch(codes + prefetch_distance);
  return Codes::load(codes);
}

// The scales of a block: 16 floats, of which q3a to q6a use the upper halves.
template <bool Halves>
TRINE_INLINE Vec load_scales(const std::byte* at) {
  if constexpr (Halves) return as_floats(bits(Codes::load(at), 0, 0xffff0000U));
  return Vec::load(reinterpret_cast<const float*>(at));
}

// y += integers * scales of one block, for Rows x Panels * 16 outputs.
template <bool Halves, std::size_t Rows, std::size_t Panels>
TRINE_INLINE void add_group(const Ints (&acc)[Rows][Panels * kParts], const TileRow (&x)[Rows], std::size_t group,
                            const std::byte* scales, std::size_t scale_panel, bool first, float* y, std::size_t ldy) {
  TRINE_UNROLL
  for (std::size_t p = 0; p < Panels * kParts; ++p) {
    const Vec weight = load_scales<Halves>(scales + p / kParts * scale_panel + p % kParts * 4 * Ints::lanes);
    TRINE_UNROLL
    for (std::size_t r = 0; r < Rows; ++r) {
      float* out = y + r * ldy + p * Ints::lanes;
      const Vec value = mul(to_float(acc[r][p]), Vec::broadcast(x[r].scale[group]));
      fma(value, weight, first ? Vec::zero() : Vec::load(out)).store(out);
    }
  }
}

// The products of what the codes of outliers leave out.
template <std::size_t Rows, std::size_t Panels>
TRINE_INLINE void add_outliers(Ints (&acc)[Rows][Panels * kParts], const TileRow (&x)[Rows], std::size_t group,
                               const std::byte* codes, std::size_t panel) {
  TRINE_UNROLL
  for (std::size_t r = 0; r < Rows; ++r) {
    const Outlier outlier = x[r].outlier[group];
    if (outlier.extra == 0) continue;
    const std::byte* four = codes + outlier.column / 4 * 4 * kPanelRows;
    TRINE_UNROLL
    for (std::size_t p = 0; p < Panels * kParts; ++p) {
      const Codes at = Codes::load(four + p / kParts * panel + p % kParts * 4 * Ints::lanes);
      acc[r][p] = add_product(acc[r][p], bits(at, outlier.column % 4 * 8, 255), -128, outlier.extra);
    }
  }
}

// Values of eight bits, with scales as load_scales<Halves> reads them. Adds to y unless `first`.
template <bool Halves, std::size_t Rows, std::size_t Panels>
inline void tile_q8(const TileRow (&x)[Rows], const PanelGroups& w, std::size_t columns, bool first, float* y,
                    std::size_t ldy) {
  for (std::size_t begin = 0, group = 0; begin < columns; begin += kScaleBlock, ++group) {
    const std::size_t length = group_columns(begin, columns);
    Ints acc[Rows][Panels * kParts];
    TRINE_UNROLL
    for (std::size_t r = 0; r < Rows; ++r) {
      std::int32_t sum = 0;
      for (std::size_t j = 0; j < length; j += kSubBlock) sum += x[r].sums[(begin + j) / kSubBlock];
      TRINE_UNROLL
      for (std::size_t p = 0; p < Panels * kParts; ++p) acc[r][p] = Ints::broadcast(-Ints::code_offset * sum);
    }
    const std::byte* codes = w.codes + group * w.code_group;
    add_outliers<Rows, Panels>(acc, x, group, codes, w.code_panel);
    std::size_t prefetch_distance =
        w.prefetch_distance;  // at the ends of its panels, a single row prefetches the beginnings of the next
    if (Rows == 1 && begin + length == columns) prefetch_distance += (Panels - 1) * w.code_panel;
    if (Rows == 1 || prefetch_distance != 0)
      prefetch_panels<Panels>(w.scales + group * w.scale_group + prefetch_distance, w.scale_panel);
    const std::byte* next = w.next.first + group * w.next.group;
    for (std::size_t at = 0; at < w.next.header; at += 64) w.next.fetch(next + at);  // cache lines
    next += w.next.header;
    for (std::size_t i = 0; i < length; i += 4) {
      Codes weight[Panels * kParts];
      TRINE_UNROLL
      for (std::size_t p = 0; p < Panels * kParts; ++p)
        weight[p] = Codes::load(codes + p / kParts * w.code_panel + i * kPanelRows + p % kParts * 4 * Ints::lanes);
      if (Rows == 1 || prefetch_distance != 0)
        prefetch_panels<Panels>(codes + i * kPanelRows + prefetch_distance, w.code_panel);
      if (Rows > 1) w.next.fetch(next + i * w.next.column);
      TRINE_UNROLL
      for (std::size_t r = 0; r < Rows; ++r) {
        const std::int32_t four = four_codes(x[r].codes + begin + i);
        TRINE_UNROLL
        for (std::size_t p = 0; p < Panels * kParts; ++p) acc[r][p] = dot_signed(acc[r][p], weight[p], four);
      }
    }
    add_group<Halves, Rows, Panels>(acc, x, group, w.scales + group * w.scale_group, w.scale_panel, first && group == 0,
                                    y, ldy);
  }
}

// What the codes of a sub-block mean: a value is factor * (code - zero) + offset.
template <DType Format>
struct SubBlocks {
  static constexpr bool has_offset = is_grid(Format);
  static constexpr std::int32_t zero = has_offset ? 0 : 8;

  // Of sub-block s, for the outputs of a register; group: the block, from the word of the first of them on.
  static TRINE_INLINE Ints factor(const std::byte* group, std::size_t part, std::size_t s) {
    if constexpr (has_offset)
      return as_ints(bits(Codes::load(group + part * 4 * Ints::lanes), static_cast<unsigned>(4 * s), 15));
    return signed_bytes(group, part, s);
  }
  static TRINE_INLINE Ints offset(const std::byte* group, std::size_t part, std::size_t s) {
    return signed_bytes(group, part, s);
  }

 private:
  static TRINE_INLINE Ints signed_bytes(const std::byte* group, std::size_t part, std::size_t s) {
    return Ints::load(reinterpret_cast<const std::int8_t*>(group + kPanelScaleBytes) + s * kPanelRows +
                      part * Ints::lanes);
  }
};

// Four columns of a sub-block, the i-th of its eight times four, for the outputs of a register.
template <DType Format>
TRINE_INLINE Codes four_columns(const std::byte* group, std::size_t part, std::size_t s, std::size_t i) {
  constexpr std::size_t all = code_bits(Format);
  constexpr std::size_t lower = lower_bits(all);
  constexpr std::size_t upper = all - lower;
  constexpr std::size_t line = 4 * kPanelRows;  // bytes
  const std::byte* at = group + group_header_bytes(Format) + s * all * line + part * 4 * Ints::lanes;
  Codes codes;
  if constexpr (lower == 4) {
    const Codes two = Codes::load(at + i / 2 * line);
    codes = i % 2 == 0 ? low_bits(two) : high_bits(two);
  } else {
    codes = bits(Codes::load(at + i / 4 * line), static_cast<unsigned>(i % 4 * 2), 0x03030303);
  }
  if constexpr (upper > 0) {
    constexpr std::size_t in_byte = 8 / upper;
    const Codes rest = Codes::load(at + (lower + i / in_byte) * line);
    constexpr std::uint32_t mask = upper == 1 ? 0x01010101 : 0x03030303;
    codes = merge(codes, bits(rest, static_cast<unsigned>(i % in_byte * upper), mask), lower);
  }
  return codes;
}

// Eight columns of a sub-block, from the i-th four of its eight on: codes of four bits as they are stored, two in a
// byte.
template <DType Format>
struct EightColumns {
  Codes first;
  Codes second;
  static TRINE_INLINE EightColumns load(const std::byte* group, std::size_t part, std::size_t s, std::size_t i) {
    return {four_columns<Format>(group, part, s, i), four_columns<Format>(group, part, s, i + 1)};
  }
  TRINE_INLINE Ints dot(Ints sum, std::int32_t x, std::int32_t next) const {
    return dot_small(dot_small(sum, first, x), second, next);
  }
};
template <DType Format>
requires(code_bits(Format) == 4) struct EightColumns<Format> {
  Codes two;
  static TRINE_INLINE EightColumns load(const std::byte* group, std::size_t part, std::size_t s, std::size_t i) {
    const std::byte* at = group + group_header_bytes(Format) + (8 * s + i) / 2 * 4 * kPanelRows;
    return {Codes::load(at + part * 4 * Ints::lanes)};
  }
  TRINE_INLINE Ints dot(Ints sum, std::int32_t x, std::int32_t next) const {
    return dot_small(dot_small(sum, low_bits(two), x), high_bits(two), next);
  }
};

// The products of what the codes of outliers leave out.
template <DType Format, std::size_t Rows, std::size_t Panels>
TRINE_INLINE void add_small_outliers(Ints (&total)[Rows][Panels * kParts], const TileRow (&x)[Rows], std::size_t group,
                                     const std::byte* block, std::size_t panel) {
  using Blocks = SubBlocks<Format>;
  for (std::size_t r = 0; r < Rows; ++r) {
    const Outlier outlier = x[r].outlier[group];
    if (outlier.extra == 0) continue;
    const std::size_t s = outlier.column / kSubBlock;
    for (std::size_t p = 0; p < Panels * kParts; ++p) {
      const std::byte* shared = block + p / kParts * panel;
      const std::size_t part = p % kParts;
      const Codes four = four_columns<Format>(shared, part, s, outlier.column % kSubBlock / 4);
      const Ints factor = Blocks::factor(shared, part, s);
      Ints value = multiply_add(Ints::broadcast(-Blocks::zero), factor, Ints::broadcast(0));
      if constexpr (Blocks::has_offset) value = Blocks::offset(shared, part, s);
      value = multiply_add(as_ints(bits(four, outlier.column % 4 * 8, 255)), factor, value);
      total[r][p] = multiply_add(value, Ints::broadcast(outlier.extra), total[r][p]);
    }
  }
}

// Values of up to six bits and factors of sub-blocks, used directly.
template <DType Format, std::size_t Rows, std::size_t Panels>
inline void tile_small(const TileRow (&x)[Rows], const std::byte* w, std::size_t panel, std::size_t columns, bool first,
                       float* y, std::size_t ldy) {
  using Blocks = SubBlocks<Format>;
  for (std::size_t begin = 0, group = 0; begin < columns; begin += kScaleBlock, ++group) {
    const std::size_t length = group_columns(begin, columns);
    const std::byte* block = w + group * group_bytes(Format, kScaleBlock);
    Ints total[Rows][Panels * kParts];
    TRINE_UNROLL
    for (std::size_t r = 0; r < Rows; ++r) {
      TRINE_UNROLL
      for (std::size_t p = 0; p < Panels * kParts; ++p) total[r][p] = Ints::broadcast(0);
    }
    for (std::size_t s = 0; s * kSubBlock < length; ++s) {
      Ints acc[Rows][Panels * kParts];
      TRINE_UNROLL
      for (std::size_t r = 0; r < Rows; ++r) {
        TRINE_UNROLL
        for (std::size_t p = 0; p < Panels * kParts; ++p)
          acc[r][p] = Ints::broadcast(-Blocks::zero * x[r].sums[begin / kSubBlock + s]);
      }
      for (std::size_t i = 0; i < kSubBlock / 4; i += 2) {
        EightColumns<Format> weight[Panels * kParts];
        TRINE_UNROLL
        for (std::size_t p = 0; p < Panels * kParts; ++p) {
          const std::byte* of_panel = block + p / kParts * panel;
          weight[p] = EightColumns<Format>::load(of_panel, p % kParts, s, i);
          __builtin_prefetch(of_panel + (s * kSubBlock / 4 + i) * code_bits(Format) * kPanelRows / 2 + kPrefetchBytes);
        }
        TRINE_UNROLL
        for (std::size_t r = 0; r < Rows; ++r) {
          const std::int8_t* codes = x[r].codes + begin + s * kSubBlock + 4 * i;
          const std::int32_t four = four_codes(codes);
          const std::int32_t next = four_codes(codes + 4);
          TRINE_UNROLL
          for (std::size_t p = 0; p < Panels * kParts; ++p) acc[r][p] = weight[p].dot(acc[r][p], four, next);
        }
      }
      TRINE_UNROLL
      for (std::size_t p = 0; p < Panels * kParts; ++p) {
        const std::byte* shared = block + p / kParts * panel;
        const Ints factor = Blocks::factor(shared, p % kParts, s);
        TRINE_UNROLL
        for (std::size_t r = 0; r < Rows; ++r) total[r][p] = multiply_add(acc[r][p], factor, total[r][p]);
        if constexpr (Blocks::has_offset) {
          const Ints offset = Blocks::offset(shared, p % kParts, s);
          TRINE_UNROLL
          for (std::size_t r = 0; r < Rows; ++r)
            total[r][p] = multiply_add(offset, Ints::broadcast(x[r].sums[begin / kSubBlock + s]), total[r][p]);
        }
      }
    }
    add_small_outliers<Format, Rows, Panels>(total, x, group, block, panel);
    add_group<Blocks::has_offset, Rows, Panels>(total, x, group, block, panel, first && group == 0, y, ldy);
  }
}

// The values of sub-blocks in eight bits, as q8 stores them: [panels][blocks], each with the length of a whole block.
template <DType Format>
inline void unpack_panels(const std::byte* w, std::size_t panel, std::size_t panels, std::size_t columns,
                          std::byte* out, std::size_t out_panel) {
  using Blocks = SubBlocks<Format>;
  for (std::size_t p = 0; p < panels; ++p) {
    for (std::size_t begin = 0; begin < columns; begin += kScaleBlock) {
      const std::byte* group = w + p * panel + begin / kScaleBlock * group_bytes(Format, kScaleBlock);
      std::byte* unpacked = out + p * out_panel + begin * kPanelRows;
      for (std::size_t s = 0; s * kSubBlock < group_columns(begin, columns); ++s) {
        for (std::size_t part = 0; part < kParts; ++part) {
          const Ints factor = Blocks::factor(group, part, s);
          Ints offset = Ints::broadcast(128);
          if constexpr (Blocks::has_offset) {
            offset = multiply_add(Blocks::offset(group, part, s), Ints::broadcast(1), offset);
          } else {
            offset = multiply_add(factor, Ints::broadcast(-Blocks::zero), offset);
          }
          TRINE_UNROLL
          for (std::size_t i = 0; i < kSubBlock / 4; ++i)
            store_scaled(four_columns<Format>(group, part, s, i), factor, offset,
                         unpacked + (s * kSubBlock + 4 * i) * kPanelRows + part * 4 * Ints::lanes);
        }
      }
    }
  }
}

// Calls `use` with a type whose `format` is the given one of less than eight bits.
template <DType Format>
struct SmallFormat {
  static constexpr DType format = Format;
};
template <class Use>
TRINE_INLINE void visit_small(DType dtype, const Use& use) {
  if (dtype == kQ4) return use(SmallFormat<kQ4>());
  if (dtype == kQ4a) return use(SmallFormat<kQ4a>());
  if (dtype == kQ6a) return use(SmallFormat<kQ6a>());
  if (dtype == kQ5a) return use(SmallFormat<kQ5a>());
  use(SmallFormat<kQ3a>());
}

// The address of the block from `column` on, in the panel of output `o`.
TRINE_INLINE const std::byte* packed_block(DType dtype, const std::byte* w, std::size_t panel, std::size_t o,
                                           std::size_t column) {
  return w + o / kPanelRows * panel + column / kScaleBlock * group_bytes(dtype, kScaleBlock);
}

// A range of columns of some panels times all rows, in tiles; calls `tile` with the rows of each.
struct PackedBlock {
  const QuantizedRows& x;
  const std::uint32_t* index;  // row of x for each row of y, or null: the same
  std::size_t first;           // row of y
  std::size_t rows;
  const std::byte* w;  // first panel, at the first column of the range
  std::size_t panel;   // bytes
  std::size_t column;
  std::size_t columns;
  const std::byte* next;  // the panels after these, or null
  float* y;               // the first of these rows, the first output of the first panel
  std::size_t ldy;

  TRINE_INLINE TileRow row(std::size_t r) const {
    const std::size_t at = index == nullptr ? first + r : index[first + r];
    return {x.codes + at * x.ld + column, x.scale + at * x.groups + column / kScaleBlock,
            x.sums + at * x.sub_blocks + column / kSubBlock, x.outlier + at * x.groups + column / kScaleBlock};
  }
};

template <bool Halves>
struct Q8Tiles {
  template <std::size_t Rows, std::size_t Panels>
  static TRINE_INLINE void tile(const PackedBlock& b, const PanelGroups& w, const TileRow (&x)[Rows], float* y) {
    tile_q8<Halves, Rows, Panels>(x, w, b.columns, b.column == 0, y, b.ldy);
  }
};
template <DType Format>
struct SmallTiles {
  template <std::size_t Rows, std::size_t Panels>
  static TRINE_INLINE void tile(const PackedBlock& b, const PanelGroups&, const TileRow (&x)[Rows], float* y) {
    if constexpr (Rows == 1 || Panels == 1) {
      tile_small<Format, Rows, Panels>(x, b.w, b.panel, b.columns, b.column == 0, y, b.ldy);
    } else {  // sums and totals of half the panels fit into registers
      tile_small<Format, Rows, Panels / 2>(x, b.w, b.panel, b.columns, b.column == 0, y, b.ldy);
      tile_small<Format, Rows, Panels / 2>(x, b.w + Panels / 2 * b.panel, b.panel, b.columns, b.column == 0,
                                           y + Panels / 2 * kPanelRows, b.ldy);
    }
  }
};

// The last `rows` <= Rows rows.
template <class Tiles, std::size_t Rows, std::size_t Panels>
inline void packed_rest(const PackedBlock& b, const PanelGroups& w, std::size_t r, std::size_t rows) {
  if constexpr (Rows > 0) {
    if (rows < Rows) return packed_rest<Tiles, Rows - 1, Panels>(b, w, r, rows);
    TileRow x[Rows];
    TRINE_UNROLL
    for (std::size_t i = 0; i < Rows; ++i) x[i] = b.row(r + i);
    Tiles::template tile<Rows, Panels>(b, w, x, b.y + r * b.ldy);
  }
}

// All rows, in tiles. With many tiles, each prefetches some of the next panels while it computes; with few, the first
// prefetches within its own panels.
template <class Tiles, std::size_t Panels>
inline void packed_rows(DType dtype, const PackedBlock& b, PanelGroups w) {
  const std::size_t tiles = b.rows / Ints::tile_rows;
  if (b.rows < unpack_from(dtype)) {
    w.prefetch_distance = kPrefetchBytes;
  } else if (b.next != nullptr) {
    const std::size_t header = group_header_bytes(dtype);
    const std::size_t group = group_bytes(dtype, kScaleBlock);
    w.next = {b.next, b.panel, group, header, (group - header) / kScaleBlock};
  }
  for (std::size_t t = 0; t < tiles; ++t) {
    w.next.begin = w.next.end;
    w.next.end = w.next.first == nullptr ? 0 : Panels * (t + 1) / tiles;
    packed_rest<Tiles, Ints::tile_rows, Panels>(b, w, t * Ints::tile_rows, Ints::tile_rows);
    w.prefetch_distance = 0;
  }
  w.next = {};
  packed_rest<Tiles, Ints::tile_rows - 1, Panels>(b, w, tiles * Ints::tile_rows, b.rows % Ints::tile_rows);
}

// Of few rows, values are used as they are stored.
template <DType Format, std::size_t Panels>
inline void packed_in_place(const PackedBlock& b) {
  if constexpr (unpack_from(Format) == 2) {
    const TileRow row[1] = {b.row(0)};
    tile_small<Format, 1, Panels>(row, b.w, b.panel, b.columns, b.column == 0, b.y, b.ldy);
  } else {
    packed_rows<SmallTiles<Format>, Panels>(Format, b, {});
  }
}

// The range with Panels panels: tile_panels, or one.
template <std::size_t Panels>
inline void packed_panels(DType dtype, const PackedBlock& b) {
  const std::size_t group = group_bytes(dtype, kScaleBlock);
  if (dtype == kQ8)
    return packed_rows<Q8Tiles<false>, Panels>(dtype, b, {b.w + kPanelScaleBytes, b.panel, group, b.w, b.panel, group});
  if (b.rows < unpack_from(dtype))
    return visit_small(dtype, [&](auto small) { packed_in_place<decltype(small)::format, Panels>(b); });
  alignas(64) std::byte unpacked[Panels * kUnpackBlock * kPanelRows];
  visit_small(dtype, [&](auto small) {
    unpack_panels<decltype(small)::format>(b.w, b.panel, Panels, b.columns, unpacked, kUnpackBlock * kPanelRows);
  });
  const PanelGroups groups{unpacked, kUnpackBlock * kPanelRows, kScaleBlock * kPanelRows, b.w, b.panel, group};
  if (is_grid(dtype)) return packed_rows<Q8Tiles<true>, Panels>(dtype, b, groups);
  packed_rows<Q8Tiles<false>, Panels>(dtype, b, groups);
}

// A last panel with fewer than 16 outputs is computed in a buffer.
inline void packed_edge(DType dtype, const PackedBlock& b, std::size_t outs) {
  alignas(64) float whole[kPackedRows * kPanelRows];
  for (std::size_t r = 0; r < b.rows; ++r)
    for (std::size_t o = 0; o < outs; ++o) whole[r * kPanelRows + o] = b.column == 0 ? 0.0F : b.y[r * b.ldy + o];
  PackedBlock beside = b;
  beside.y = whole;
  beside.ldy = kPanelRows;
  packed_panels<1>(dtype, beside);
  for (std::size_t r = 0; r < b.rows; ++r)
    for (std::size_t o = 0; o < outs; ++o) b.y[r * b.ldy + o] = whole[r * kPanelRows + o];
}

/// See kernels/packed_gemm.hpp.
inline void packed_gemm(const QuantizedRows& x, const std::uint32_t* index, std::size_t rows, DType dtype,
                        const std::byte* w, std::size_t outs, std::size_t columns, const std::byte* after, float* y,
                        std::size_t ldy) noexcept {
  constexpr std::size_t width = Ints::tile_panels * kPanelRows;
  const std::size_t panel = panel_bytes(dtype, columns);
  // Few rows read each panel to its end, which streams best; of many rows, a block stays in L2.
  const bool few = rows < unpack_from(dtype);
  const std::size_t block = few ? columns : dtype == kQ8 ? kPackedBlock : kUnpackBlock;
  const std::size_t outs_at_a_time = few ? width : outs;
  PackedBlock b{x, index, 0, 0, nullptr, panel, 0, 0, nullptr, nullptr, ldy};
  for (b.first = 0; b.first < rows; b.first += kPackedRows) {
    b.rows = rows - b.first < kPackedRows ? rows - b.first : kPackedRows;
    for (std::size_t o_begin = 0; o_begin < outs; o_begin += outs_at_a_time) {
      const std::size_t o_end = outs - o_begin < outs_at_a_time ? outs : o_begin + outs_at_a_time;
      for (b.column = 0; b.column < columns; b.column += block) {
        b.columns = columns - b.column < block ? columns - b.column : block;
        for (std::size_t o = o_begin; o < o_end;) {
          const std::size_t left = o_end - o;
          b.w = packed_block(dtype, w, panel, o, b.column);
          b.y = y + b.first * ldy + o;
          b.next = left > width                     ? b.w + Ints::tile_panels * panel
                   : b.column + b.columns < columns ? packed_block(dtype, w, panel, o_begin, b.column + block)
                                                    : after;
          if (left >= width) {
            packed_panels<Ints::tile_panels>(dtype, b);
            o += width;
          } else if (left >= kPanelRows) {
            packed_panels<1>(dtype, b);
            o += kPanelRows;
          } else {
            packed_edge(dtype, b, left);
            o = o_end;
          }
        }
      }
    }
  }
}

}  // namespace trine::inline TRINE_ABI::kernels::TRINE_TARGET_NAMESPACE
