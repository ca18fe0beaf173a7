// SPDX-License-Identifier: Apache-2.0
// GEMM of quantised activations with packed weights, in the tiles of Intel AMX. Included by dispatch/packed_gemm.inl.
//
// Integer sums are exact, and the f32 operations are those of generic/packed_gemm.inl, so the bits are the same.

TRINE_TARGET_BEGIN(TRINE_AMX_FEATURES)
namespace trine::inline TRINE_ABI::kernels::amx {

using avx512_vnni::PanelGroups;

// The rows of one tile of activations, from `first` on, of the given total.
struct ByteRows {
  const QuantizedRows& x;
  const std::uint32_t* index;
  std::size_t all;
  std::size_t first;
  [[nodiscard]] TRINE_INLINE std::size_t count() const { return all - first < kTileRows ? all - first : kTileRows; }
  [[nodiscard]] TRINE_INLINE std::size_t at(std::size_t r) const {
    return index == nullptr ? first + r : index[first + r];
  }

  /// Columns [column, column + chunks * 64) as tiles.
  TRINE_INLINE RowTile tile(std::size_t column, std::size_t chunks, std::byte* copy) const {
    const std::size_t rows = count();
    if (index == nullptr && rows == kTileRows)
      return {reinterpret_cast<const std::byte*>(x.codes + first * x.ld + column), x.ld};
    for (std::size_t r = 0; r < kTileRows; ++r) {
      for (std::size_t c = 0; c < chunks; ++c) {
        const __m512i codes =
            r < rows ? _mm512_loadu_si512(x.codes + at(r) * x.ld + column + c * 64) : _mm512_setzero_si512();
        _mm512_store_si512(copy + r * kScaleBlock + c * 64, codes);
      }
    }
    return {copy, kScaleBlock};
  }
};

// Adds the sums of one block of a tile of rows: y += (sums - offset) * scale * weight scales, as in add_group of
// generic/packed_gemm.inl. Padding rows have no y.
struct ByteStep {
  alignas(64) std::int32_t offset[kTileRows];  // 128 times the sum of the int8 values of each row
  alignas(64) float scale[kTileRows];
  Outlier outlier[kTileRows];
  std::size_t rows;
  const std::byte* weight_codes;
  std::size_t code_panel;
  const std::byte* weight_scales;
  bool halves;  // as in load_scales
  bool first;
  float* y;

  TRINE_INLINE void set(const ByteRows& of, std::size_t group, std::size_t sub_blocks) {
    rows = of.count();
    first = group == 0;
    for (std::size_t r = 0; r < rows; ++r) {
      const std::size_t at = of.at(r);
      const std::int32_t* sums = of.x.sums + at * of.x.sub_blocks + group * (kScaleBlock / kSubBlock);
      const auto there = static_cast<__mmask8>((1U << sub_blocks) - 1U);
      const __m128i four = _mm_maskz_loadu_epi32(there, sums);
      const __m128i two = _mm_add_epi32(four, _mm_srli_si128(four, 8));
      offset[r] = 128 * _mm_cvtsi128_si32(_mm_add_epi32(two, _mm_srli_si128(two, 4)));
      scale[r] = of.x.scale[at * of.x.groups + group];
      outlier[r] = of.x.outlier[at * of.x.groups + group];
    }
  }

  // One panel, whose outputs are `lanes`. Whole registers are stored without a mask, because the CPU does not forward
  // masked stores to later loads.
  TRINE_INLINE void add(const std::int32_t* sums, std::size_t panel, std::size_t scale_panel, __mmask16 lanes,
                        std::size_t ldy) const {
    if (lanes == lanes_of(kPanelRows)) {
      add_lanes<false>(sums, panel, scale_panel, lanes, ldy);
    } else {
      add_lanes<true>(sums, panel, scale_panel, lanes, ldy);
    }
  }

 private:
  template <bool Part>
  TRINE_INLINE void add_lanes(const std::int32_t* sums, std::size_t panel, std::size_t scale_panel, __mmask16 lanes,
                              std::size_t ldy) const {
    const std::byte* scales = weight_scales + panel * scale_panel;
    const __m512 weight = (halves ? avx512_vnni::load_scales<true>(scales) : avx512_vnni::load_scales<false>(scales)).v;
    const std::byte* codes = weight_codes + panel * code_panel;
    float* out = y + panel * kPanelRows;
#pragma GCC unroll 4
    for (std::size_t r = 0; r < rows; ++r, out += ldy) {
      __m512i exact = _mm512_sub_epi32(_mm512_load_si512(sums + r * kPanelRows), _mm512_set1_epi32(offset[r]));
      if (outlier[r].extra != 0) {
        const auto four = avx512_vnni::Codes::load(codes + outlier[r].column / 4 * kTileRowBytes);
        exact = avx512_vnni::add_product({exact}, bits(four, outlier[r].column % 4 * 8, 255), -128, outlier[r].extra).v;
      }
      const __m512 value = _mm512_mul_ps(_mm512_cvtepi32_ps(exact), _mm512_set1_ps(scale[r]));
      const __m512 before = first  ? _mm512_setzero_ps()
                            : Part ? _mm512_maskz_loadu_ps(lanes, out)
                                   : _mm512_loadu_ps(out);
      const __m512 sum = _mm512_fmadd_ps(value, weight, before);
      if constexpr (Part) {
        _mm512_mask_storeu_ps(out, lanes, sum);
      } else {
        _mm512_storeu_ps(out, sum);
      }
    }
  }
};

// The sums of one panel with the rows in tiles 4 and 5, [16][16].
#define TRINE_TILE_SUMS_(tile)                             \
  _tile_zero(tile);                                        \
  TRINE_TILE_LOAD(6, codes, kTileRowBytes);                \
  _tile_dpbsud(tile, 4, 6);                                \
  if (chunks == 2) {                                       \
    TRINE_TILE_LOAD(7, codes + kTileBytes, kTileRowBytes); \
    _tile_dpbsud(tile, 5, 7);                              \
  }                                                        \
  TRINE_TILE_STORE(tile, sums, kTileRowBytes)
template <std::size_t Panel>
TRINE_INLINE void sums_of_panel(const std::byte* codes, std::size_t chunks, std::int32_t* sums) {
  if constexpr (Panel == 0) {
    TRINE_TILE_SUMS_(0);
  } else if constexpr (Panel == 1) {
    TRINE_TILE_SUMS_(1);
  } else if constexpr (Panel == 2) {
    TRINE_TILE_SUMS_(2);
  } else {
    TRINE_TILE_SUMS_(3);
  }
}
#undef TRINE_TILE_SUMS_

// What to prefetch next: cache lines of each panel for the current block.
struct NextLines {
  const std::byte* group;
  std::size_t panel;
  Prefetch prefetch;
  std::size_t lines;
};

// Panel after panel: computes the sums of this step; meanwhile the sums of the previous step are added to y, and a part
// of the next weights is prefetched.
template <std::size_t Panels, std::size_t Panel = 0>
TRINE_INLINE void step_panels(const std::byte* codes, const PanelGroups& w, std::size_t chunks, std::int32_t* sums,
                              const ByteStep* before, const std::int32_t* sums_before, __mmask16 last, std::size_t ldy,
                              const NextLines& next) {
  constexpr std::size_t whole = kTileRows * kPanelRows;
  if constexpr (Panel < Panels) {
    if (codes != nullptr) sums_of_panel<Panel>(codes + Panel * w.code_panel, chunks, sums + Panel * whole);
    prefetch_lines(next.group, next.panel, next.prefetch, next.lines * Panel / Panels,
                   next.lines * (Panel + 1) / Panels);
    if (before != nullptr)
      before->add(sums_before + Panel * whole, Panel, w.scale_panel, Panel + 1 == Panels ? last : lanes_of(kPanelRows),
                  ldy);
    step_panels<Panels, Panel + 1>(codes, w, chunks, sums, before, sums_before, last, ldy, next);
  }
}

// The next block and tile of rows: block after block for 64 rows, then the next 64 rows.
struct ByteWalk {
  std::size_t rows;
  std::size_t columns;
  std::size_t row = 0;
  std::size_t begin = 0;
  [[nodiscard]] TRINE_INLINE bool ended() const { return row >= rows; }
  TRINE_INLINE void advance() {
    const std::size_t block = row / kRowsAtOnce * kRowsAtOnce;
    row += kTileRows;
    if (row < rows && row < block + kRowsAtOnce) return;
    begin += kScaleBlock;
    if (begin < columns) {
      row = block;
    } else {
      begin = 0;
      row = block + kRowsAtOnce;
    }
  }
};

// All rows times the blocks of `columns` columns from `column` on, of some panels.
template <std::size_t Panels>
inline void byte_panels(const QuantizedRows& x, const std::uint32_t* index, std::size_t rows, const PanelGroups& w,
                        bool halves, std::size_t column, std::size_t columns, std::uintptr_t distance,
                        std::size_t lines, std::size_t outs, float* y, std::size_t ldy) {
  alignas(64) std::byte copy[2][kTileRows * kScaleBlock];
  alignas(64) std::int32_t sums[2][Panels * kTileRows * kPanelRows];
  ByteStep steps[2];
  const ByteStep* before = nullptr;
  const std::size_t tiles = (rows + kTileRows - 1) / kTileRows;
  const __mmask16 last = lanes_of(outs - (Panels - 1) * kPanelRows);
  std::size_t turn = 0;
  ByteWalk at{rows, columns};
  RowTile tile = ByteRows{x, index, rows, 0}.tile(column, group_columns(0, columns) / 64, copy[0]);
  while (!at.ended()) {
    const std::size_t group = at.begin / kScaleBlock;
    const std::size_t length = group_columns(at.begin, columns);
    const std::byte* scales = w.scales + group * w.scale_group;
    const NextLines asked{scales, w.scale_panel, prefetch_of_tile(distance, Panels, at.row / kTileRows, tiles), lines};
    TRINE_TILE_LOAD(4, tile.data, tile.stride);
    if (length == kScaleBlock) TRINE_TILE_LOAD(5, tile.data + kTileRowBytes, tile.stride);
    ByteWalk next = at;
    next.advance();
    if (!next.ended())  // well before it is loaded
      tile = ByteRows{x, index, rows, next.row}.tile(column + next.begin, group_columns(next.begin, columns) / 64,
                                                     copy[turn ^ 1U]);
    step_panels<Panels>(w.codes + group * w.code_group, w, length / 64, sums[turn], before, sums[turn ^ 1U], last, ldy,
                        asked);
    steps[turn].set({x, index, rows, at.row}, (column + at.begin) / kScaleBlock, length / kSubBlock);
    steps[turn].weight_codes = w.codes + group * w.code_group;
    steps[turn].code_panel = w.code_panel;
    steps[turn].weight_scales = scales;
    steps[turn].halves = halves;
    steps[turn].y = y + at.row * ldy;
    before = &steps[turn];
    turn ^= 1U;
    at = next;
  }
  step_panels<Panels>(nullptr, w, 0, nullptr, before, sums[turn ^ 1U], last, ldy, {});
}

template <std::size_t Panels>
inline void byte_columns(const QuantizedRows& x, const std::uint32_t* index, std::size_t rows, DType dtype,
                         const std::byte* w, std::size_t panel, std::size_t columns, const std::byte* next,
                         std::size_t outs, float* y, std::size_t ldy) {
  const std::size_t group = group_bytes(dtype, kScaleBlock);
  const std::uintptr_t distance = offset_to(next, w);
  if (dtype == kQ8) {
    const PanelGroups groups{w + kPanelScaleBytes, panel, group, w, panel, group};
    return byte_panels<Panels>(x, index, rows, groups, false, 0, columns, distance, group / 64, outs, y, ldy);
  }
  alignas(64) std::byte unpacked[Panels * kUnpackBlock * kPanelRows];
  for (std::size_t column = 0; column < columns; column += kUnpackBlock) {
    const std::size_t length = columns - column < kUnpackBlock ? columns - column : kUnpackBlock;
    const std::byte* here = w + column / kScaleBlock * group;
    avx512_vnni::visit_small(dtype, [&](auto small) {
      avx512_vnni::unpack_panels<decltype(small)::format>(here, panel, Panels, length, unpacked,
                                                          kUnpackBlock * kPanelRows);
    });
    const PanelGroups groups{unpacked, kUnpackBlock * kPanelRows, kScaleBlock * kPanelRows, here, panel, group};
    byte_panels<Panels>(x, index, rows, groups, is_grid(dtype), column, length, distance, group / 64, outs, y, ldy);
  }
}

/// See kernels/packed_gemm.hpp; for multiples of 64 columns.
inline void packed_gemm(const QuantizedRows& x, const std::uint32_t* index, std::size_t rows, DType dtype,
                        const std::byte* w, std::size_t outs, std::size_t columns, const std::byte* after, float* y,
                        std::size_t ldy) noexcept {
  const Tiles tiles;
  const std::size_t panel = panel_bytes(dtype, columns);
  constexpr std::size_t width = kPanelsAtOnce * kPanelRows;
  for (std::size_t o = 0; o < outs;) {
    const std::byte* here = w + o / kPanelRows * panel;
    const bool wide = outs - o > width - kPanelRows;
    const std::size_t end = wide ? o + width : o + kPanelRows;
    const std::byte* next = end < outs ? w + end / kPanelRows * panel : after;
    const std::size_t here_outs = (end < outs ? end : outs) - o;
    if (wide) {
      byte_columns<kPanelsAtOnce>(x, index, rows, dtype, here, panel, columns, next, here_outs, y + o, ldy);
    } else {
      byte_columns<1>(x, index, rows, dtype, here, panel, columns, next, here_outs, y + o, ldy);
    }
    o = end;
  }
}

}  // namespace trine::inline TRINE_ABI::kernels::amx
TRINE_TARGET_END
