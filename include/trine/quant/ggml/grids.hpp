// SPDX-License-Identifier: Apache-2.0
// The formats of ggml whose codes are indices of points of a grid in 4 or 8 dimensions: 256 values in 1.6 to 3.4 bits.
//
//   IQ2_XXS   f16 d   8 x { u8 point[4]  u32 s }               s: 4 x 7 bits of signs, 4 bits of scale
//   IQ2_XS    f16 d   u16 point[32]      u8 scales[8]          point: 9 bits, 7 bits of signs
//   IQ2_S     f16 d   u8 point[32]       u8 signs[32]   u8 high[8]   u8 scales[8]
//   IQ3_XXS   f16 d   u8 point[64]       u32 s[8]              s: as in IQ2_XXS
//   IQ3_S     f16 d   u8 point[64]       u8 high[8]     u8 signs[32]   u8 scales[4]
//   IQ1_S     f16 d   u8 point[32]       u16 s[8]              s: 4 x 3 bits of points, 3 bits of scale, sign of delta
//   IQ1_M     u8 point[32]   u8 high[16]   u16 s[4]            high: 3 bits of a point, sign of delta; s: 4 x 3 bits of
//                                                              scales, 4 bits of d
//
//   IQ2       value = d * (scale + 1/2) / 4 * point[j] * sign
//   IQ3_XXS   value = d * (scale + 1/2) / 2 * point[j] * sign
//   IQ3_S     value = d * (2 scale + 1) * point[j] * sign
//   IQ1       value = d * (2 scale + 1) * (point[j] + delta)        delta = 1/8 or -1/8
//
// Points have 8 coordinates, in IQ3 four. `high` holds further bits of their index. Scales are for 32 values, in
// IQ2_XS, IQ2_S and IQ1_M for 16.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

#include <trine/quant/ggml/block.hpp>
#include <trine/quant/ggml/grid_tables.hpp>

namespace trine::inline TRINE_ABI {

namespace ggml {

inline constexpr std::array<float, 4> kIq2Coordinates = {8, 25, 43, 0};
inline constexpr std::array<float, 8> kIq3XxsCoordinates = {4, 12, 20, 28, 36, 44, 52, 62};
inline constexpr std::array<float, 8> kIq3SCoordinates = {1, 3, 5, 7, 9, 11, 13, 15};

/// The number of negative signs is even, so seven bits say all eight.
[[nodiscard]] constexpr unsigned eight_signs(unsigned seven) noexcept {
  return seven | (static_cast<unsigned>(std::popcount(seven)) & 1U) << 7U;
}

/// out[j] = scale * coordinate j of a point, negated if bit j of `signs` is set.   point: 16 bits, all coordinates
template <std::size_t Dimensions, std::size_t Size>
void decode_point(unsigned point, const std::array<float, Size>& coordinate, float scale, unsigned signs,
                  float* out) noexcept {
  constexpr unsigned bits = 16 / Dimensions;
  for (unsigned j = 0; j < Dimensions; ++j) {
    const float value = scale * coordinate[point >> j * bits & (Size - 1)];
    const std::uint32_t sign = (signs >> j & 1U) << 31U;  // random: a branch would be mispredicted
    out[j] = std::bit_cast<float>(std::bit_cast<std::uint32_t>(value) ^ sign);
  }
}

inline void decode_iq2_xxs(const std::uint8_t* block, float* out) noexcept {
  const float d = read_f16(block);
  block += 2;
  for (std::size_t s = 0; s < 8; ++s, block += 8) {
    const std::uint32_t signs = read_u32(block + 4);
    const float scale = d * (0.5F + static_cast<float>(signs >> 28U)) * 0.25F;
    for (unsigned p = 0; p < 4; ++p, out += 8)
      decode_point<8>(kIq2XxsGrid[block[p]], kIq2Coordinates, scale, eight_signs(signs >> 7 * p & 127U), out);
  }
}

inline void decode_iq2_xs(const std::uint8_t* block, float* out) noexcept {
  const float d = read_f16(block);
  for (std::size_t p = 0; p < 32; ++p, out += 8) {
    const std::uint32_t point = read_u16(block + 2 + 2 * p);
    const float scale = d * (0.5F + static_cast<float>(code<4, 1>(block + 66, p / 2))) * 0.25F;
    decode_point<8>(kIq2XsGrid[point & 511U], kIq2Coordinates, scale, eight_signs(point >> 9U), out);
  }
}

inline void decode_iq2_s(const std::uint8_t* block, float* out) noexcept {
  const float d = read_f16(block);
  for (std::size_t p = 0; p < 32; ++p, out += 8) {
    const auto point = static_cast<std::size_t>(block[2 + p] | code<2, 1>(block + 66, p) << 8);
    const float scale = d * (0.5F + static_cast<float>(code<4, 1>(block + 74, p / 2))) * 0.25F;
    decode_point<8>(kIq2SGrid[point], kIq2Coordinates, scale, block[34 + p], out);
  }
}

inline void decode_iq3_xxs(const std::uint8_t* block, float* out) noexcept {
  const float d = read_f16(block);
  const std::uint8_t* points = block + 2;
  for (std::size_t s = 0; s < 8; ++s) {
    const std::uint32_t signs = read_u32(block + 66 + 4 * s);
    const float scale = d * (0.5F + static_cast<float>(signs >> 28U)) * 0.5F;
    for (unsigned p = 0; p < 4; ++p, points += 2, out += 8) {
      const unsigned sign = eight_signs(signs >> 7 * p & 127U);
      decode_point<4>(kIq3XxsGrid[points[0]], kIq3XxsCoordinates, scale, sign, out);
      decode_point<4>(kIq3XxsGrid[points[1]], kIq3XxsCoordinates, scale, sign >> 4U, out + 4);
    }
  }
}

inline void decode_iq3_s(const std::uint8_t* block, float* out) noexcept {
  const float d = read_f16(block);
  for (std::size_t p = 0; p < 64; ++p, out += 4) {
    const auto point = static_cast<std::size_t>(block[2 + p] | code<1, 1>(block + 66, p) << 8);
    const float scale = d * static_cast<float>(1 + 2 * code<4, 1>(block + 106, p / 8));
    decode_point<4>(kIq3SGrid[point], kIq3SCoordinates, scale, static_cast<unsigned>(code<4, 1>(block + 74, p)), out);
  }
}

/// out[j] = scale * (coordinate j of a point + delta).   point: 16 bits, a coordinate + 1 in two bits
inline void decode_ternary_point(unsigned point, float scale, float delta, float* out) noexcept {
  for (unsigned j = 0; j < 8; ++j)
    out[j] = scale * (static_cast<float>(static_cast<int>(point >> 2 * j & 3U) - 1) + delta);
}

inline void decode_iq1_s(const std::uint8_t* block, float* out) noexcept {
  const float d = read_f16(block);
  for (std::size_t s = 0; s < 8; ++s) {
    const std::uint32_t high = read_u16(block + 34 + 2 * s);
    const float scale = d * static_cast<float>(2 * (high >> 12U & 7U) + 1);
    const float delta = high >> 15U == 0 ? 0.125F : -0.125F;
    for (unsigned p = 0; p < 4; ++p, out += 8)
      decode_ternary_point(kIq1Grid[block[2 + 4 * s + p] | (high >> 3 * p & 7U) << 8U], scale, delta, out);
  }
}

inline void decode_iq1_m(const std::uint8_t* block, float* out) noexcept {
  const std::uint8_t* scales = block + 48;
  std::uint32_t half = 0;
  for (unsigned k = 0; k < 4; ++k) half |= (read_u16(scales + std::size_t{2} * k) >> 12U) << 4 * k;
  const auto d = static_cast<float>(std::bit_cast<float16>(static_cast<std::uint16_t>(half)));
  for (std::size_t p = 0; p < 32; ++p, out += 8) {
    const auto high = static_cast<unsigned>(code<4, 1>(block + 32, p));
    const std::uint32_t s = read_u16(scales + p / 8 * 2) >> 3 * (p / 2 % 4) & 7U;
    decode_ternary_point(kIq1Grid[block[p] | (high & 7U) << 8U], d * static_cast<float>(2 * s + 1),
                         high < 8 ? 0.125F : -0.125F, out);
  }
}

}  // namespace ggml

inline constexpr DType kIq2Xxs = block_format(18);
inline constexpr DType kIq2Xs = block_format(19);
inline constexpr DType kIq2S = block_format(20);
inline constexpr DType kIq3Xxs = block_format(21);
inline constexpr DType kIq3S = block_format(22);
inline constexpr DType kIq1S = block_format(23);
inline constexpr DType kIq1M = block_format(24);

inline constexpr WeightFormat kIq2XxsFormat =
    ggml::ggml_format<256, 2 + 64, ggml::decode_iq2_xxs>(kIq2Xxs, "IQ2_XXS", 16);
inline constexpr WeightFormat kIq2XsFormat =
    ggml::ggml_format<256, 2 + 64 + 8, ggml::decode_iq2_xs>(kIq2Xs, "IQ2_XS", 17);
inline constexpr WeightFormat kIq2SFormat =
    ggml::ggml_format<256, 2 + 32 + 32 + 8 + 8, ggml::decode_iq2_s>(kIq2S, "IQ2_S", 22);
inline constexpr WeightFormat kIq3XxsFormat =
    ggml::ggml_format<256, 2 + 64 + 32, ggml::decode_iq3_xxs>(kIq3Xxs, "IQ3_XXS", 18);
inline constexpr WeightFormat kIq3SFormat =
    ggml::ggml_format<256, 2 + 64 + 8 + 32 + 4, ggml::decode_iq3_s>(kIq3S, "IQ3_S", 21);
inline constexpr WeightFormat kIq1SFormat = ggml::ggml_format<256, 2 + 32 + 16, ggml::decode_iq1_s>(kIq1S, "IQ1_S", 19);
inline constexpr WeightFormat kIq1MFormat = ggml::ggml_format<256, 32 + 16 + 8, ggml::decode_iq1_m>(kIq1M, "IQ1_M", 29);

}  // namespace trine::inline TRINE_ABI
