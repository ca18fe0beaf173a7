// SPDX-License-Identifier: Apache-2.0
// Blocks of ggml (quant/ggml), unpacked to panels of bytes, written once and included once per instruction set
// (kernels/block_gemm.hpp).
//
// 16 bytes of a row at a time are transposed, so that a lane is a row of weights, and then taken apart in all lanes at
// once: codes become bytes without sign, scales and minima floats. Nothing is rounded.

namespace trine::inline TRINE_ABI::kernels::TRINE_TARGET_NAMESPACE {

// 16 rows of up to kBlockColumns columns: weight = scale * (code - zero) + minimum, with a scale and a minimum for each
// sub-block of 16 or 32 columns.
struct BlockPanel {
  alignas(64) std::byte codes[kBlockColumns * kPanelRows];  // [columns / 4][16][4]
  alignas(64) float scale[kBlockColumns / 16][kPanelRows];
  alignas(64) float minimum[kBlockColumns / 16][kPanelRows];
};

// The blocks of 16 rows.
struct BlockRows {
  const std::byte* first;
  std::size_t stride;
  std::size_t columns;    // up to kBlockColumns
  const std::byte* next;  // as many bytes of the panel after it, to prefetch
};

inline constexpr std::size_t kPanelParts = kPanelRows / Ints::lanes;  // registers of a panel
inline constexpr std::size_t kPanelStep = 4 * kPanelRows;             // bytes of four columns of a panel

// The registers of some rows of a panel, and their place in it.
struct BlockPart {
  const std::byte* rows;
  std::size_t stride;
  std::size_t lane;
  const std::byte* next;
  // Bytes from `at` on of each row, transposed. Prefetches as many to L2, in the order of memory: 16 rows are too many
  // streams for the hardware prefetcher.
  TRINE_INLINE void load(std::size_t at, Codes (&out)[4]) const {
    prefetch(at, 16);
    load_rows(rows + at, stride, out);
  }
  template <class C>
  TRINE_INLINE void load(std::size_t at, C (&out)[8]) const {
    if constexpr (requires { load_rows(rows, stride, out); }) {
      prefetch(at, 32);
      load_rows(rows + at, stride, out);
    } else {
      C half[2][4];
      load(at, half[0]);
      load(at + 16, half[1]);
      TRINE_UNROLL
      for (std::size_t i = 0; i < 8; ++i) out[i] = half[i / 4][i % 4];
    }
  }

 private:
  TRINE_INLINE void prefetch(std::size_t at, std::size_t bytes) const {
    const std::byte* share = next + at * kPanelRows + lane * bytes;
    TRINE_UNROLL
    for (std::size_t i = 0; i < Ints::lanes * bytes; i += 64) __builtin_prefetch(share + i, 0, 2);
  }
};
TRINE_INLINE BlockPart part_of(const BlockRows& rows, std::size_t part) {
  return {rows.first + part * Ints::lanes * rows.stride, rows.stride, part * Ints::lanes, rows.next};
}
// Four columns, from column 4 * step on.
TRINE_INLINE void store_codes(Codes codes, std::size_t step, const BlockPart& part, BlockPanel& out) {
  store(codes, out.codes + step * kPanelStep + part.lane * 4);
}

// Prefetches each row to L1, from L2: blocks of 32 values are so short that one row is read in many steps.
TRINE_INLINE void prefetch_rows(const BlockRows& rows, std::size_t at) {
  constexpr std::size_t kAhead = 128;  // bytes
  for (std::size_t r = 0; r < kPanelRows; ++r) __builtin_prefetch(rows.first + r * rows.stride + at + kAhead);
}

// The number in binary16 at `at` of each row.
struct RowHalves {
  alignas(32) float16 of_row[kPanelRows];
  TRINE_INLINE void gather(const BlockRows& rows, std::size_t at) {
    for (std::size_t r = 0; r < kPanelRows; ++r)
      std::memcpy(&of_row[r], rows.first + r * rows.stride + at, sizeof of_row[r]);
  }
  TRINE_INLINE void widen(float (&out)[kPanelRows]) const {
    for (std::size_t lane = 0; lane < kPanelRows; lane += Vec::lanes) Vec::load(of_row + lane).store(out + lane);
  }
};

constexpr std::uint32_t in_all_bytes(std::uint32_t mask) { return mask * 0x01010101U; }

// Bits 4 step .. 4 step + 3 of each lane, one in each of its bytes.
TRINE_INLINE Codes spread(Codes words, std::size_t step) {
  const Codes four = bits(words, static_cast<unsigned>(4 * step), 15);
  const Codes two = merge(four, four, 7);
  return bits(merge(two, two, 14), 0, in_all_bytes(1));
}

// Q8_0.
inline void unpack_q8_0(const BlockRows& rows, BlockPanel& out) {
  constexpr std::size_t kBytes = 2 + 32;
  RowHalves d[kBlockColumns / 32];
  for (std::size_t b = 0; b < rows.columns / 32; ++b) {
    prefetch_rows(rows, b * kBytes);
    d[b].gather(rows, b * kBytes);
    for (std::size_t p = 0; p < kPanelParts; ++p) {
      const BlockPart part = part_of(rows, p);
      Codes codes[8];
      part.load(b * kBytes + 2, codes);
      TRINE_UNROLL
      for (std::size_t i = 0; i < 8; ++i) store_codes(offset_signed(codes[i]), 8 * b + i, part, out);
    }
  }
  for (std::size_t b = 0; b < rows.columns / 32; ++b) d[b].widen(out.scale[b]);
}

// How 16 bytes of codes, the lower halves before the upper ones, are preceded by scales.
struct Q4_0Block {
  static constexpr std::size_t codes = 2;
  static constexpr bool has_fifth_bit = false;
  static constexpr bool has_minimum = false;
};
struct Q4_1Block {
  static constexpr std::size_t codes = 4;
  static constexpr bool has_fifth_bit = false;
  static constexpr bool has_minimum = true;
};
struct Q5_0Block {
  static constexpr std::size_t codes = 6;
  static constexpr bool has_fifth_bit = true;
  static constexpr bool has_minimum = false;
};
struct Q5_1Block {
  static constexpr std::size_t codes = 8;
  static constexpr bool has_fifth_bit = true;
  static constexpr bool has_minimum = true;
};
template <class Block>
inline void unpack_legacy(const BlockRows& rows, BlockPanel& out) {
  constexpr std::size_t kBytes = Block::codes + 16;
  RowHalves d[kBlockColumns / 32];
  RowHalves m[kBlockColumns / 32];
  for (std::size_t b = 0; b < rows.columns / 32; ++b) {
    prefetch_rows(rows, b * kBytes);
    d[b].gather(rows, b * kBytes);
    if constexpr (Block::has_minimum) m[b].gather(rows, b * kBytes + 2);
    for (std::size_t p = 0; p < kPanelParts; ++p) {
      const BlockPart part = part_of(rows, p);
      Codes codes[4];
      Codes fifth[4];
      part.load(b * kBytes + Block::codes, codes);
      if constexpr (Block::has_fifth_bit) part.load(b * kBytes + Block::codes - 4, fifth);
      for (std::size_t i = 0; i < 4; ++i) {
        Codes low = low_bits(codes[i]);
        Codes high = high_bits(codes[i]);
        if constexpr (Block::has_fifth_bit) {
          low = merge(low, spread(fifth[0], i), 4);
          high = merge(high, spread(fifth[0], 4 + i), 4);
        }
        store_codes(low, 8 * b + i, part, out);
        store_codes(high, 8 * b + 4 + i, part, out);
      }
    }
  }
  for (std::size_t b = 0; b < rows.columns / 32; ++b) {
    d[b].widen(out.scale[b]);
    if constexpr (Block::has_minimum) m[b].widen(out.minimum[b]);
  }
}

// Level + 128 of IQ4_NL and IQ4_XS, and twice the value of E2M1 + 12.
inline constexpr std::uint8_t kIq4Bytes[16] = {1, 24, 45, 63, 79, 93, 106, 118, 129, 141, 153, 166, 181, 197, 217, 241};
inline constexpr std::uint8_t kE2M1Bytes[16] = {12, 13, 14, 15, 16, 18, 20, 24, 12, 11, 10, 9, 8, 6, 4, 0};

// 16 bytes of indices into a table.
TRINE_INLINE void unpack_levels(const BlockPart& part, std::size_t at, const std::uint8_t (&table)[16],
                                std::size_t step, BlockPanel& out) {
  Codes codes[4];
  part.load(at, codes);
  for (std::size_t i = 0; i < 4; ++i) {
    store_codes(lookup(low_bits(codes[i]), table), step + i, part, out);
    store_codes(lookup(high_bits(codes[i]), table), step + 4 + i, part, out);
  }
}

inline void unpack_iq4_nl(const BlockRows& rows, BlockPanel& out) {
  constexpr std::size_t kBytes = 2 + 16;
  RowHalves d[kBlockColumns / 32];
  for (std::size_t b = 0; b < rows.columns / 32; ++b) {
    prefetch_rows(rows, b * kBytes);
    d[b].gather(rows, b * kBytes);
    for (std::size_t p = 0; p < kPanelParts; ++p)
      unpack_levels(part_of(rows, p), b * kBytes + 2, kIq4Bytes, 8 * b, out);
  }
  for (std::size_t b = 0; b < rows.columns / 32; ++b) d[b].widen(out.scale[b]);
}

inline void unpack_mxfp4(const BlockRows& rows, BlockPanel& out) {
  constexpr std::size_t kBytes = 1 + 16;
  for (std::size_t b = 0; b < rows.columns / 32; ++b) {
    prefetch_rows(rows, b * kBytes);
    for (std::size_t r = 0; r < kPanelRows; ++r) {
      const auto scale = static_cast<std::uint32_t>(rows.first[r * rows.stride + b * kBytes]);
      const std::uint32_t half = scale < 2 ? 0x00200000U << scale : (scale - 1) << 23U;
      std::memcpy(&out.scale[b][r], &half, sizeof half);
    }
    for (std::size_t p = 0; p < kPanelParts; ++p)
      unpack_levels(part_of(rows, p), b * kBytes + 1, kE2M1Bytes, 8 * b, out);
  }
}

// Stores factor * code.
TRINE_INLINE void store_scale(Ints code, Vec factor, const BlockPart& part, float (&out)[kPanelRows]) {
  mul(to_float(code), factor).store(out + part.lane);
}

// Q4_K and Q5_K.
template <bool HasFifthBit>
inline void unpack_q4_k(const BlockRows& rows, BlockPanel& out) {
  constexpr std::size_t kFifth = 16;
  constexpr std::size_t kLow = kFifth + (HasFifthBit ? 32 : 0);
  for (std::size_t p = 0; p < kPanelParts; ++p) {
    const BlockPart part = part_of(rows, p);
    Codes header[4];  // words 1, 2 and 3 are those of ggml::scale_and_minimum
    part.load(0, header);
    const Vec d = half_to_float(header[0]);
    const Vec m = sub(Vec::zero(), half_to_float(bits(header[0], 16, 0xffff)));
    for (unsigned s = 0; s < 4; ++s) {
      const unsigned at = 8 * s;
      store_scale(as_ints(bits(header[1], at, 63)), d, part, out.scale[s]);
      store_scale(as_ints(bits(header[2], at, 63)), m, part, out.minimum[s]);
      const Codes scale = merge(bits(header[3], at, 15), bits(header[1], at + 6, 3), 4);
      const Codes minimum = merge(bits(header[3], at + 4, 15), bits(header[2], at + 6, 3), 4);
      store_scale(as_ints(scale), d, part, out.scale[4 + s]);
      store_scale(as_ints(minimum), m, part, out.minimum[4 + s]);
    }
    Codes fifth[8];
    if constexpr (HasFifthBit) part.load(kFifth, fifth);
    for (unsigned pair = 0; pair < 4; ++pair) {
      Codes codes[8];
      part.load(kLow + pair * 32, codes);
      TRINE_UNROLL
      for (std::size_t i = 0; i < 8; ++i) {
        Codes low = low_bits(codes[i]);
        Codes high = high_bits(codes[i]);
        if constexpr (HasFifthBit) {
          low = merge(low, bits(fifth[i], 2 * pair, in_all_bytes(1)), 4);
          high = merge(high, bits(fifth[i], 2 * pair + 1, in_all_bytes(1)), 4);
        }
        store_codes(low, pair * 16 + i, part, out);
        store_codes(high, pair * 16 + 8 + i, part, out);
      }
    }
  }
}

inline void unpack_q6_k(const BlockRows& rows, BlockPanel& out) {
  for (std::size_t p = 0; p < kPanelParts; ++p) {
    const BlockPart part = part_of(rows, p);
    Codes scales[4];
    Codes last[4];  // the upper half of its last word is d
    part.load(192, scales);
    part.load(194, last);
    const Vec d = half_to_float(bits(last[3], 16, 0xffff));
    for (unsigned s = 0; s < 16; ++s) store_scale(signed_byte(scales[s / 4], s % 4), d, part, out.scale[s]);
    for (std::size_t half = 0; half < 2; ++half) {  // 128 columns: 4 runs of 32
      Codes high[8];
      part.load(128 + half * 32, high);
      for (std::size_t odd = 0; odd < 2; ++odd) {  // runs 0 and 2, runs 1 and 3
        Codes codes[8];
        part.load(half * 64 + odd * 32, codes);
        TRINE_UNROLL
        for (std::size_t i = 0; i < 8; ++i) {
          const std::size_t step = half * 32 + odd * 8 + i;
          const unsigned shift = 2 * static_cast<unsigned>(odd);
          store_codes(merge(low_bits(codes[i]), bits(high[i], shift, in_all_bytes(3)), 4), step, part, out);
          store_codes(merge(high_bits(codes[i]), bits(high[i], shift + 4, in_all_bytes(3)), 4), step + 16, part, out);
        }
      }
    }
  }
}

// The codes of Q2_K and the lower two bits of those of Q3_K, whose third bits are at `third`.
template <bool HasThirdBit>
TRINE_INLINE void unpack_two_bits(const BlockPart& part, std::size_t low, std::size_t third, BlockPanel& out) {
  Codes thirds[8];
  if constexpr (HasThirdBit) part.load(third, thirds);
  for (unsigned half = 0; half < 2; ++half) {  // 128 columns: 4 runs of 32
    Codes codes[8];
    part.load(low + half * 32, codes);
    for (unsigned run = 0; run < 4; ++run) {
      TRINE_UNROLL
      for (std::size_t i = 0; i < 8; ++i) {
        Codes code = bits(codes[i], 2 * run, in_all_bytes(3));
        if constexpr (HasThirdBit) code = merge(code, bits(thirds[i], 4 * half + run, in_all_bytes(1)), 2);
        store_codes(code, half * 32 + run * 8 + i, part, out);
      }
    }
  }
}

inline void unpack_q2_k(const BlockRows& rows, BlockPanel& out) {
  for (std::size_t p = 0; p < kPanelParts; ++p) {
    const BlockPart part = part_of(rows, p);
    Codes scales[4];
    Codes last[4];  // its last word is d and m
    part.load(0, scales);
    part.load(68, last);
    const Vec d = half_to_float(last[3]);
    const Vec m = sub(Vec::zero(), half_to_float(bits(last[3], 16, 0xffff)));
    for (unsigned s = 0; s < 16; ++s) {
      store_scale(as_ints(bits(scales[s / 4], 8 * (s % 4), 15)), d, part, out.scale[s]);
      store_scale(as_ints(bits(scales[s / 4], 8 * (s % 4) + 4, 15)), m, part, out.minimum[s]);
    }
    unpack_two_bits<false>(part, 16, 0, out);
  }
}

inline void unpack_q3_k(const BlockRows& rows, BlockPanel& out) {
  for (std::size_t p = 0; p < kPanelParts; ++p) {
    const BlockPart part = part_of(rows, p);
    Codes scales[4];  // words 1 and 2 hold the lower four bits of all scales, word 3 the upper two
    Codes last[4];    // the upper half of its last word is d
    part.load(92, scales);
    part.load(94, last);
    const Vec d = half_to_float(bits(last[3], 16, 0xffff));
    for (unsigned s = 0; s < 16; ++s) {
      const Codes low = bits(scales[1 + s / 4 % 2], 8 * (s % 4) + s / 8 * 4, 15);
      const Codes high = bits(scales[3], 8 * (s % 4) + s / 4 * 2, 3);
      const Vec code = sub(to_float(as_ints(merge(low, high, 4))), Vec::broadcast(32.0F));
      mul(code, d).store(out.scale[s] + part.lane);
    }
    unpack_two_bits<true>(part, 32, 0, out);
  }
}

inline void unpack_iq4_xs(const BlockRows& rows, BlockPanel& out) {
  for (std::size_t p = 0; p < kPanelParts; ++p) {
    const BlockPart part = part_of(rows, p);
    Codes header[4];
    part.load(0, header);
    const Vec d = half_to_float(header[0]);
    for (unsigned s = 0; s < 8; ++s) {
      const Codes scale = merge(bits(header[1], 4 * s, 15), bits(header[0], 16 + 2 * s, 3), 4);
      const Vec code = sub(to_float(as_ints(scale)), Vec::broadcast(32.0F));
      mul(code, d).store(out.scale[s] + part.lane);
      unpack_levels(part, 8 + s * 16, kIq4Bytes, 8 * s, out);
    }
  }
}

// What block_gemm knows of a format.
struct BlockFormat {
  DType dtype;
  std::size_t columns;    // of a block
  std::size_t bytes;      // of a block
  std::size_t sub_block;  // columns that share a scale
  std::int32_t zero;      // of codes without sign up to 63; kSigned: codes have the offset 128
  bool has_minimum;
  void (*unpack)(const BlockRows& rows, BlockPanel& out);
};
inline constexpr std::int32_t kSigned = 128;

inline constexpr BlockFormat kBlockFormats[] = {
    {kQ8_0, 32, 34, 32, kSigned, false, unpack_q8_0},       {kQ4_0, 32, 18, 32, 8, false, unpack_legacy<Q4_0Block>},
    {kQ4_1, 32, 20, 32, 0, true, unpack_legacy<Q4_1Block>}, {kQ5_0, 32, 22, 32, 16, false, unpack_legacy<Q5_0Block>},
    {kQ5_1, 32, 24, 32, 0, true, unpack_legacy<Q5_1Block>}, {kIq4Nl, 32, 18, 32, kSigned, false, unpack_iq4_nl},
    {kGgmlMxfp4, 32, 17, 32, 12, false, unpack_mxfp4},      {kQ2_K, 256, 84, 16, 0, true, unpack_q2_k},
    {kQ3_K, 256, 110, 16, 4, false, unpack_q3_k},           {kQ4_K, 256, 144, 32, 0, true, unpack_q4_k<false>},
    {kQ5_K, 256, 176, 32, 0, true, unpack_q4_k<true>},      {kQ6_K, 256, 210, 16, 32, false, unpack_q6_k},
    {kIq4Xs, 256, 136, 32, kSigned, false, unpack_iq4_xs},
};

}  // namespace trine::inline TRINE_ABI::kernels::TRINE_TARGET_NAMESPACE
