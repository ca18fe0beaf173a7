// SPDX-License-Identifier: Apache-2.0
// The ternary formats of ggml: 256 values d * (code - 1), with codes 0, 1 and 2.
//
//   TQ1_0   u8 codes[52]   f16 d     five codes in a byte
//   TQ2_0   u8 codes[64]   f16 d     two bits per code
#pragma once

#include <cstddef>
#include <cstdint>

#include <trine/quant/ggml/block.hpp>

namespace trine::inline TRINE_ABI {

namespace ggml {

/// A byte of TQ1_0 is the fraction 0.c0 c1 c2 c3 c4 in base 3, in units of 1/256 and rounded up. Multiplied by 3^n
/// modulo 1, it begins with code n.   Digit n of `bytes` bytes is out[n * bytes + b].
inline float* decode_base3(const std::uint8_t* codes, std::size_t bytes, std::size_t digits, float d,
                           float* out) noexcept {
  for (unsigned power = 1; digits > 0; --digits, power *= 3) {
    for (std::size_t b = 0; b < bytes; ++b) {
      const unsigned fraction = codes[b] * power % 256;
      *out++ = d * static_cast<float>(static_cast<int>(fraction * 3 / 256) - 1);
    }
  }
  return out;
}

inline void decode_tq1_0(const std::uint8_t* block, float* out) noexcept {
  const float d = read_f16(block + 52);
  out = decode_base3(block, 32, 5, d, out);
  out = decode_base3(block + 32, 16, 5, d, out);
  decode_base3(block + 48, 4, 4, d, out);
}

inline void decode_tq2_0(const std::uint8_t* block, float* out) noexcept {
  const float d = read_f16(block + 64);
  for (std::size_t first = 0; first < 256; first += 32, out += 32) {
    const auto codes = codes_from<2, 32>(block, first);
    for (std::size_t i = 0; i < 32; ++i) out[i] = d * static_cast<float>(codes[i] - 1);
  }
}

}  // namespace ggml

inline constexpr DType kTq1_0 = block_format(25);
inline constexpr DType kTq2_0 = block_format(26);

inline constexpr WeightFormat kTq1_0Format = ggml::ggml_format<256, 52 + 2, ggml::decode_tq1_0>(kTq1_0, "TQ1_0", 34);
inline constexpr WeightFormat kTq2_0Format = ggml::ggml_format<256, 64 + 2, ggml::decode_tq2_0>(kTq2_0, "TQ2_0", 35);

}  // namespace trine::inline TRINE_ABI
