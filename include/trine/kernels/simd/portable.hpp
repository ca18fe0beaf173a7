// SPDX-License-Identifier: Apache-2.0
// Eight floats in plain C++, for any CPU: it defines the contract of every Vec.
#pragma once

#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>

#include <trine/core/bfloat16.hpp>
#include <trine/core/float16.hpp>
#include <trine/kernels/simd/target.hpp>

namespace trine::inline TRINE_ABI::kernels::portable {

struct Vec {
  static constexpr std::size_t lanes = 8;
  static constexpr std::size_t tile_rows = 2;        // gemm keeps the sums of tile_rows activations times tile_columns
  static constexpr std::size_t tile_columns = 2;     // weight rows in registers
  static constexpr std::size_t row_columns = 2;      // the same for one row of activations
  static constexpr std::size_t panel_tile_rows = 2;  // gemm_panels: the same, times tile_panels panels
  static constexpr std::size_t tile_panels = 1;
  static constexpr std::size_t row_panels = 1;  // the same for one row
  float lane[lanes];

  static TRINE_INLINE Vec zero() { return broadcast(0.0F); }
  static TRINE_INLINE Vec broadcast(float value) {
    Vec r;
    for (float& x : r.lane) x = value;
    return r;
  }
  static TRINE_INLINE Vec load(const float* p) {
    Vec r;
    for (std::size_t i = 0; i < lanes; ++i) r.lane[i] = p[i];
    return r;
  }
  static TRINE_INLINE Vec load(const bfloat16* p) {
    Vec r;
    for (std::size_t i = 0; i < lanes; ++i) r.lane[i] = static_cast<float>(p[i]);
    return r;
  }
  static TRINE_INLINE Vec load(const float16* p) {
    Vec r;
    for (std::size_t i = 0; i < lanes; ++i) r.lane[i] = static_cast<float>(p[i]);
    return r;
  }
  /// Elements 0, 2, 4, ... and 1, 3, 5, ... of 2 * lanes elements.
  static TRINE_INLINE Vec load_even(const bfloat16* p) {
    Vec r;
    for (std::size_t i = 0; i < lanes; ++i) r.lane[i] = static_cast<float>(p[2 * i]);
    return r;
  }
  static TRINE_INLINE Vec load_odd(const bfloat16* p) {
    Vec r;
    for (std::size_t i = 0; i < lanes; ++i) r.lane[i] = static_cast<float>(p[2 * i + 1]);
    return r;
  }
  /// The first `count` < lanes elements, zero in the others; reads nothing beyond them.
  template <class T>
  static TRINE_INLINE Vec load_part(const T* p, std::size_t count) {
    Vec r = zero();
    for (std::size_t i = 0; i < count; ++i) r.lane[i] = static_cast<float>(p[i]);
    return r;
  }
  TRINE_INLINE void store(float* p) const {
    for (std::size_t i = 0; i < lanes; ++i) p[i] = lane[i];
  }
  TRINE_INLINE void store_part(float* p, std::size_t count) const {
    for (std::size_t i = 0; i < count; ++i) p[i] = lane[i];
  }
};

#define TRINE_LANEWISE_(expression)                                      \
  Vec r;                                                                 \
  for (std::size_t i = 0; i < Vec::lanes; ++i) r.lane[i] = (expression); \
  return r

TRINE_INLINE Vec add(const Vec& a, const Vec& b) { TRINE_LANEWISE_(a.lane[i] + b.lane[i]); }
TRINE_INLINE Vec sub(const Vec& a, const Vec& b) { TRINE_LANEWISE_(a.lane[i] - b.lane[i]); }
TRINE_INLINE Vec mul(const Vec& a, const Vec& b) { TRINE_LANEWISE_(a.lane[i] * b.lane[i]); }
TRINE_INLINE Vec div(const Vec& a, const Vec& b) { TRINE_LANEWISE_(a.lane[i] / b.lane[i]); }
TRINE_INLINE Vec max(const Vec& a, const Vec& b) { TRINE_LANEWISE_(a.lane[i] > b.lane[i] ? a.lane[i] : b.lane[i]); }
TRINE_INLINE Vec min(const Vec& a, const Vec& b) { TRINE_LANEWISE_(a.lane[i] < b.lane[i] ? a.lane[i] : b.lane[i]); }

/// a * b + c, rounded once if the target has the instruction: explicit, so that the compiler does not choose per call
/// site.
TRINE_INLINE Vec fma(const Vec& a, const Vec& b, const Vec& c) {
#if defined(__FMA__) || defined(__ARM_FEATURE_FMA)
  TRINE_LANEWISE_(__builtin_fmaf(a.lane[i], b.lane[i], c.lane[i]));
#else
  TRINE_LANEWISE_(a.lane[i] * b.lane[i] + c.lane[i]);
#endif
}

TRINE_INLINE Vec round(const Vec& a) { TRINE_LANEWISE_(std::nearbyint(a.lane[i])); }

/// 2^n for integral n in [-126, 127]; some number for NaN, whose conversion to an integer would be undefined.
TRINE_INLINE Vec power_of_two(const Vec& n) {
  TRINE_LANEWISE_(std::bit_cast<float>(
      static_cast<std::uint32_t>((n.lane[i] >= -126.0F ? static_cast<std::int32_t>(n.lane[i]) : 0) + 127) << 23U));
}
#undef TRINE_LANEWISE_

/// Eight 32-bit integers: exact sums of int8 products.
struct Ints {
  static constexpr std::size_t lanes = 8;
  static constexpr std::size_t tile_rows = 1;    // packed_gemm keeps the sums of tile_rows activations times
  static constexpr std::size_t tile_panels = 1;  // tile_panels panels in registers
  static constexpr std::size_t block_rows = 1;   // block_gemm: the same
  static constexpr std::size_t block_panels = 1;
  static constexpr std::int32_t code_offset = 0;  // dot_signed multiplies with code - 128 + code_offset
  std::int32_t lane[lanes];

  static TRINE_INLINE Ints broadcast(std::int32_t value) {
    Ints r;
    for (std::int32_t& x : r.lane) x = value;
    return r;
  }
  /// Bytes, one per lane.
  static TRINE_INLINE Ints load(const std::int8_t* p) {
    Ints r;
    for (std::size_t i = 0; i < lanes; ++i) r.lane[i] = p[i];
    return r;
  }
};

/// Four unsigned bytes for each lane of Ints.
struct Codes {
  std::uint8_t byte[4 * Ints::lanes];
  static TRINE_INLINE Codes load(const std::byte* p) {
    Codes r;
    for (std::size_t i = 0; i < sizeof r.byte; ++i) r.byte[i] = std::to_integer<std::uint8_t>(p[i]);
    return r;
  }
};
/// Bits 0 .. 3 and 4 .. 7 of each byte.
TRINE_INLINE Codes low_bits(const Codes& codes) {
  Codes r;
  for (std::size_t i = 0; i < sizeof r.byte; ++i) r.byte[i] = codes.byte[i] & 15U;
  return r;
}
TRINE_INLINE Codes high_bits(const Codes& codes) {
  Codes r;
  for (std::size_t i = 0; i < sizeof r.byte; ++i) r.byte[i] = static_cast<std::uint8_t>(codes.byte[i] >> 4U);
  return r;
}
/// Stores factor * code + offset for each byte of a lane; the results are in [0, 255].
TRINE_INLINE void store_scaled(const Codes& codes, const Ints& factor, const Ints& offset, std::byte* p) {
  for (std::size_t i = 0; i < sizeof codes.byte; ++i)
    p[i] = static_cast<std::byte>(factor.lane[i / 4] * codes.byte[i] + offset.lane[i / 4]);
}

/// 16 bytes of each of Ints::lanes rows, transposed: lane l of out[i] is bytes 4 i .. 4 i + 3 of row l.
TRINE_INLINE void load_rows(const std::byte* rows, std::size_t stride, Codes (&out)[4]) {
  for (std::size_t l = 0; l < Ints::lanes; ++l)
    for (std::size_t b = 0; b < 16; ++b)
      out[b / 4].byte[4 * l + b % 4] = std::to_integer<std::uint8_t>(rows[l * stride + b]);
}
TRINE_INLINE void store(const Codes& codes, std::byte* p) {
  for (std::size_t i = 0; i < sizeof codes.byte; ++i) p[i] = static_cast<std::byte>(codes.byte[i]);
}
/// Each lane as an integer without sign, in the order of memory: lane >> shift & mask.
TRINE_INLINE Codes bits(const Codes& codes, unsigned shift, std::uint32_t mask) {
  auto words = std::bit_cast<std::array<std::uint32_t, Ints::lanes>>(codes);
  for (std::uint32_t& word : words) word = word >> shift & mask;
  return std::bit_cast<Codes>(words);
}
/// low | high << shift, lane by lane.
TRINE_INLINE Codes merge(const Codes& low, const Codes& high, unsigned shift) {
  auto words = std::bit_cast<std::array<std::uint32_t, Ints::lanes>>(low);
  const auto more = std::bit_cast<std::array<std::uint32_t, Ints::lanes>>(high);
  for (std::size_t l = 0; l < Ints::lanes; ++l) words[l] |= more[l] << shift;
  return std::bit_cast<Codes>(words);
}
/// table[byte] for each byte < 16.
TRINE_INLINE Codes lookup(const Codes& codes, const std::uint8_t (&table)[16]) {
  Codes r;
  for (std::size_t i = 0; i < sizeof r.byte; ++i) r.byte[i] = table[codes.byte[i]];
  return r;
}
/// Adds 128 to signed bytes.
TRINE_INLINE Codes offset_signed(const Codes& codes) {
  Codes r;
  for (std::size_t i = 0; i < sizeof r.byte; ++i) r.byte[i] = codes.byte[i] ^ 128U;
  return r;
}
/// Byte number `byte` of each lane, with its sign.
TRINE_INLINE Ints signed_byte(const Codes& codes, unsigned byte) {
  Ints r;
  for (std::size_t l = 0; l < Ints::lanes; ++l) r.lane[l] = static_cast<std::int8_t>(codes.byte[4 * l + byte]);
  return r;
}
/// The lower half of each lane, in binary16.
TRINE_INLINE Vec half_to_float(const Codes& codes) {
  Vec r;
  const auto words = std::bit_cast<std::array<std::uint32_t, Ints::lanes>>(codes);
  for (std::size_t l = 0; l < Vec::lanes; ++l)
    r.lane[l] = static_cast<float>(std::bit_cast<float16>(static_cast<std::uint16_t>(words[l])));
  return r;
}
/// Each lane as an integer.
TRINE_INLINE Ints as_ints(const Codes& codes) { return std::bit_cast<Ints>(codes); }
/// Each lane as a float of these bits.
TRINE_INLINE Vec as_floats(const Codes& codes) { return std::bit_cast<Vec>(codes); }

/// sum[l] += the four products of the lane's codes, at most 63, with the signed bytes of x in the order of memory.
TRINE_INLINE Ints dot_small(const Ints& sum, const Codes& codes, std::int32_t x) {
  Ints r = sum;
  const auto bytes = std::bit_cast<std::array<std::int8_t, 4>>(x);
  for (std::size_t i = 0; i < sizeof codes.byte; ++i) r.lane[i / 4] += codes.byte[i] * bytes[i % 4];
  return r;
}
/// sum[l] += the four products of the lane's code - 128 + code_offset, code in [1, 255], with the bytes of x, none
/// -128.
TRINE_INLINE Ints dot_signed(const Ints& sum, const Codes& codes, std::int32_t x) {
  Ints r = sum;
  const auto bytes = std::bit_cast<std::array<std::int8_t, 4>>(x);
  for (std::size_t i = 0; i < sizeof codes.byte; ++i) r.lane[i / 4] += (codes.byte[i] - 128) * bytes[i % 4];
  return r;
}
/// sum + a * b
TRINE_INLINE Ints multiply_add(const Ints& a, const Ints& b, const Ints& sum) {
  Ints r;
  for (std::size_t i = 0; i < Ints::lanes; ++i) r.lane[i] = sum.lane[i] + a.lane[i] * b.lane[i];
  return r;
}
TRINE_INLINE Vec to_float(const Ints& a) {
  Vec r;
  for (std::size_t i = 0; i < Ints::lanes; ++i) r.lane[i] = static_cast<float>(a.lane[i]);
  return r;
}
/// Integral lanes in [-128, 127], converted to bytes.
TRINE_INLINE void store_bytes(const Vec& a, std::int8_t* p) {
  for (std::size_t i = 0; i < Vec::lanes; ++i) p[i] = static_cast<std::int8_t>(a.lane[i]);
}

/// The sum of all lanes. Within each quad (0+2)+(1+3), then the two quads: the tree of `sum4`.
TRINE_INLINE float sum(const Vec& a) {
  const float low = (a.lane[0] + a.lane[2]) + (a.lane[1] + a.lane[3]);
  const float high = (a.lane[4] + a.lane[6]) + (a.lane[5] + a.lane[7]);
  return low + high;
}

/// out[i] = sum(of vector i), bit for bit what `sum` gives.
TRINE_INLINE void sum4(const Vec& a, const Vec& b, const Vec& c, const Vec& d, float* out) {
  out[0] = sum(a);
  out[1] = sum(b);
  out[2] = sum(c);
  out[3] = sum(d);
}

TRINE_INLINE float max_of(const Vec& a) {
  float best = a.lane[0];
  for (const float x : a.lane) best = x > best ? x : best;
  return best;
}

}  // namespace trine::inline TRINE_ABI::kernels::portable
