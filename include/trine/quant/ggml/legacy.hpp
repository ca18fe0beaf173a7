// SPDX-License-Identifier: Apache-2.0
// The legacy quants of ggml, 32 values with a scale and perhaps a minimum: Q4_0, Q4_1, Q5_0, Q5_1 and Q8_0.
//
//   Q4_0   f16 d                 u8 codes[16]      value = d * (code - 8)
//   Q4_1   f16 d, m              u8 codes[16]      value = d * code + m
//   Q5_0   f16 d      u32 fifth  u8 codes[16]      value = d * (code - 16)
//   Q5_1   f16 d, m   u32 fifth  u8 codes[16]      value = d * code + m
//   Q8_0   f16 d                 i8 codes[32]      value = d * code
//
//   byte b of codes     7 .. 4        3 .. 0
//                       code b + 16   code b       bit i of `fifth`: bit 4 of code i
#pragma once

#include <cstddef>
#include <cstdint>

#include <trine/quant/ggml/block.hpp>

namespace trine::inline TRINE_ABI {

namespace ggml {

template <bool HasFifthBit, bool HasMinimum>
void decode_legacy(const std::uint8_t* block, float* __restrict out) noexcept {
  const std::uint8_t* fifth = block + (HasMinimum ? 4 : 2);
  const std::uint8_t* low = fifth + (HasFifthBit ? 4 : 0);
  const float d = read_f16(block);
  const float m = HasMinimum ? read_f16(block + 2) : 0.0F;
  for (std::size_t first = 0; first < 32; first += 16, out += 16) {
    const auto codes = codes_from<4, 16>(low, first);
    for (std::size_t i = 0; i < 16; ++i) {
      const int q = codes[i] | (HasFifthBit ? code<1, 1>(fifth, first + i) << 4 : 0);
      if constexpr (HasMinimum) {
        out[i] = d * static_cast<float>(q) + m;
      } else {
        out[i] = d * static_cast<float>(q - (HasFifthBit ? 16 : 8));
      }
    }
  }
}

inline void decode_q8_0(const std::uint8_t* block, float* __restrict out) noexcept {
  const float d = read_f16(block);
  for (std::size_t i = 0; i < 32; ++i) out[i] = d * static_cast<float>(static_cast<std::int8_t>(block[2 + i]));
}

}  // namespace ggml

inline constexpr DType kQ4_0 = block_format(4);
inline constexpr DType kQ4_1 = block_format(5);
inline constexpr DType kQ5_0 = block_format(6);
inline constexpr DType kQ5_1 = block_format(7);
inline constexpr DType kQ8_0 = block_format(8);

inline constexpr WeightFormat kQ4_0Format =
    ggml::ggml_format<32, 2 + 16, ggml::decode_legacy<false, false>>(kQ4_0, "Q4_0", 2);
inline constexpr WeightFormat kQ4_1Format =
    ggml::ggml_format<32, 4 + 16, ggml::decode_legacy<false, true>>(kQ4_1, "Q4_1", 3);
inline constexpr WeightFormat kQ5_0Format =
    ggml::ggml_format<32, 2 + 4 + 16, ggml::decode_legacy<true, false>>(kQ5_0, "Q5_0", 6);
inline constexpr WeightFormat kQ5_1Format =
    ggml::ggml_format<32, 4 + 4 + 16, ggml::decode_legacy<true, true>>(kQ5_1, "Q5_1", 7);
inline constexpr WeightFormat kQ8_0Format = ggml::ggml_format<32, 2 + 32, ggml::decode_q8_0>(kQ8_0, "Q8_0", 8);

}  // namespace trine::inline TRINE_ABI
