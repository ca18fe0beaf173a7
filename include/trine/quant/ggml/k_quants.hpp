// SPDX-License-Identifier: Apache-2.0
// The K-quants of ggml: 256 values in sub-blocks of 16 or 32, whose scales (and minima) are codes with a common scale.
//
//   Q2_K   u8 scales[16]   u8 low[64]      f16 d, m                    value = d * scale * code - m * minimum
//   Q3_K   u8 high[32]     u8 low[64]      u8 scales[12]   f16 d       value = d * (scale - 32) * (code - 4)
//   Q4_K   f16 d, m        u8 scales[12]   u8 low[128]                 value = d * scale * code - m * minimum
//   Q5_K   f16 d, m        u8 scales[12]   u8 high[32]   u8 low[128]   value = d * scale * code - m * minimum
//   Q6_K   u8 low[128]     u8 high[64]     i8 scales[16]   f16 d       value = d * scale * (code - 32)
//
// Sub-blocks of 16 values (Q4_K and Q5_K: 32) have a scale of 4 bits (Q2_K), 6 bits or 8 bits (Q6_K). `low` holds the
// lower 2 bits of codes (Q2_K, Q3_K) or 4 bits, `high` the others.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include <trine/quant/ggml/block.hpp>

namespace trine::inline TRINE_ABI {

namespace ggml {

inline void decode_q2_k(const std::uint8_t* block, float* __restrict out) noexcept {
  const float d = read_f16(block + 80);
  const float m = read_f16(block + 82);
  for (std::size_t s = 0; s < 16; ++s, out += 16) {
    const auto codes = codes_from<2, 32>(block + 16, s * 16);
    const float scale = d * static_cast<float>(block[s] & 15);
    const float minimum = m * static_cast<float>(block[s] >> 4);
    for (std::size_t i = 0; i < 16; ++i) out[i] = scale * static_cast<float>(codes[i]) - minimum;
  }
}

inline void decode_q3_k(const std::uint8_t* block, float* __restrict out) noexcept {
  const std::uint8_t* scales = block + 96;  // lower four bits of two in each of 8 bytes, two upper bits of four in 4
  const float d = read_f16(block + 108);
  for (std::size_t s = 0; s < 16; ++s, out += 16) {
    const auto low = codes_from<2, 32>(block + 32, s * 16);
    const auto high = codes_from<1, 32>(block, s * 16);
    const float scale = d * static_cast<float>((code<4, 8>(scales, s) | code<2, 4>(scales + 8, s) << 4) - 32);
    for (std::size_t i = 0; i < 16; ++i) out[i] = scale * static_cast<float>((low[i] | high[i] << 2) - 4);
  }
}

/// The scale and the minimum of sub-block s, 6 bits each.
///
///   bytes 0 .. 3    bits 5 .. 0: scales 0 .. 3                 bits 7, 6: bits 5, 4 of scales 4 .. 7
///   bytes 4 .. 7    bits 5 .. 0: minima 0 .. 3                 bits 7, 6: bits 5, 4 of minima 4 .. 7
///   bytes 8 .. 11   bits 3 .. 0: bits 3 .. 0 of scales 4 .. 7   bits 7 .. 4: bits 3 .. 0 of minima 4 .. 7
[[nodiscard]] inline std::array<int, 2> scale_and_minimum(const std::uint8_t* scales, std::size_t s) noexcept {
  if (s < 4) return {scales[s] & 63, scales[s + 4] & 63};
  return {(scales[s + 4] & 15) | (scales[s - 4] >> 2 & 48), scales[s + 4] >> 4 | (scales[s] >> 2 & 48)};
}

template <bool HasFifthBit>
void decode_q4_k(const std::uint8_t* block, float* __restrict out) noexcept {
  const std::uint8_t* fifth = block + 16;
  const float d = read_f16(block);
  const float m = read_f16(block + 2);
  for (std::size_t s = 0; s < 8; ++s, out += 32) {
    const auto low = codes_from<4, 32>(fifth + (HasFifthBit ? 32 : 0), s * 32);
    const auto high = codes_from<1, 32>(fifth, s * 32);
    const auto codes = scale_and_minimum(block + 4, s);
    const float scale = d * static_cast<float>(codes[0]);
    const float minimum = m * static_cast<float>(codes[1]);
    for (std::size_t i = 0; i < 32; ++i)
      out[i] = scale * static_cast<float>(low[i] | (HasFifthBit ? high[i] << 4 : 0)) - minimum;
  }
}

inline void decode_q6_k(const std::uint8_t* block, float* __restrict out) noexcept {
  const float d = read_f16(block + 208);
  for (std::size_t s = 0; s < 16; ++s, out += 16) {
    const auto low = codes_from<4, 64>(block, s * 16);
    const auto high = codes_from<2, 32>(block + 128, s * 16);
    const float scale = d * static_cast<float>(static_cast<std::int8_t>(block[192 + s]));
    for (std::size_t i = 0; i < 16; ++i) out[i] = scale * static_cast<float>((low[i] | high[i] << 4) - 32);
  }
}

}  // namespace ggml

inline constexpr DType kQ2_K = block_format(9);
inline constexpr DType kQ3_K = block_format(10);
inline constexpr DType kQ4_K = block_format(11);
inline constexpr DType kQ5_K = block_format(12);
inline constexpr DType kQ6_K = block_format(13);

inline constexpr WeightFormat kQ2_KFormat = ggml::ggml_format<256, 16 + 64 + 4, ggml::decode_q2_k>(kQ2_K, "Q2_K", 10);
inline constexpr WeightFormat kQ3_KFormat =
    ggml::ggml_format<256, 32 + 64 + 12 + 2, ggml::decode_q3_k>(kQ3_K, "Q3_K", 11);
inline constexpr WeightFormat kQ4_KFormat =
    ggml::ggml_format<256, 4 + 12 + 128, ggml::decode_q4_k<false>>(kQ4_K, "Q4_K", 12);
inline constexpr WeightFormat kQ5_KFormat =
    ggml::ggml_format<256, 4 + 12 + 32 + 128, ggml::decode_q4_k<true>>(kQ5_K, "Q5_K", 13);
inline constexpr WeightFormat kQ6_KFormat =
    ggml::ggml_format<256, 128 + 64 + 16 + 2, ggml::decode_q6_k>(kQ6_K, "Q6_K", 14);

}  // namespace trine::inline TRINE_ABI
