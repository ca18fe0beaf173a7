// SPDX-License-Identifier: Apache-2.0
// The formats of ggml whose codes of four bits are indices into a table of 16 values.
//
//   IQ4_NL   32 values   f16 d          u8 codes[16]               value = d * level[code]
//   IQ4_XS   256         f16 d          u16 high   u8 low[4]   u8 codes[128]
//                                                                  value = d * (scale - 32) * level[code]
//   MXFP4    32          u8 scale       u8 codes[16]               value = 2^(scale - 127) * e2m1[code]
//   NVFP4    64          u8 scales[4]   u8 codes[32]               value = e4m3(scale) * e2m1[code]
//
// IQ4_XS has a scale of 6 bits for 32 values, four bits of it in `low` and two in `high`; NVFP4 one for 16. MXFP4 and
// NVFP4 differ from the OCP specification as ggml does: e2m1 has no negative zero, the scale 255 of MXFP4 is 2^128, and
// the sign of a scale of NVFP4 is ignored; its code 127 is 0 instead of NaN.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

#include <trine/quant/ggml/block.hpp>

namespace trine::inline TRINE_ABI {

namespace ggml {

using Codebook = std::array<float, 16>;
inline constexpr Codebook kIq4Levels = {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};
/// Twice the values of E2M1, so that they are integers.
inline constexpr Codebook kDoubledE2M1 = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};

/// out[i] = scale * level[code i].   codes: of half a byte each, first the lower halves of all bytes, then the upper
/// ones
template <std::size_t Values>
void decode_levels(const std::uint8_t* codes, const Codebook& level, float scale, float* out) noexcept {
  for (std::size_t i = 0; i < Values; ++i)
    out[i] = scale * level[static_cast<std::size_t>(code<4, Values / 2>(codes, i))];
}

inline void decode_iq4_nl(const std::uint8_t* block, float* out) noexcept {
  decode_levels<32>(block + 2, kIq4Levels, read_f16(block), out);
}

inline void decode_iq4_xs(const std::uint8_t* block, float* out) noexcept {
  const float d = read_f16(block);
  for (std::size_t s = 0; s < 8; ++s) {
    const int scale = (code<4, 1>(block + 4, s) | code<2, 1>(block + 2, s) << 4) - 32;
    decode_levels<32>(block + 8 + s * 16, kIq4Levels, d * static_cast<float>(scale), out + s * 32);
  }
}

/// 2^(code - 128), half of what E8M0 means.
[[nodiscard]] constexpr float half_e8m0_value(std::uint32_t code) noexcept {
  return std::bit_cast<float>(code < 2 ? 0x00200000U << code : (code - 1) << 23U);
}

inline void decode_mxfp4(const std::uint8_t* block, float* out) noexcept {
  decode_levels<32>(block + 1, kDoubledE2M1, half_e8m0_value(block[0]), out);
}

/// Half of what E4M3 means, without its sign; 0 for 127.
[[nodiscard]] constexpr float half_e4m3_value(std::uint32_t code) noexcept {
  const std::uint32_t exponent = code >> 3U & 15U;
  const std::uint32_t fraction = code & 7U;
  if (code == 127) return 0.0F;
  if (exponent == 0) return static_cast<float>(fraction) * 0x1p-10F;
  return std::bit_cast<float>((exponent + 119) << 23U | fraction << 20U);
}

inline void decode_nvfp4(const std::uint8_t* block, float* out) noexcept {
  for (std::size_t s = 0; s < 4; ++s)
    decode_levels<16>(block + 4 + s * 8, kDoubledE2M1, half_e4m3_value(block[s]), out + s * 16);
}

}  // namespace ggml

inline constexpr DType kIq4Nl = block_format(14);
inline constexpr DType kIq4Xs = block_format(15);
inline constexpr DType kGgmlMxfp4 = block_format(16);
inline constexpr DType kGgmlNvfp4 = block_format(17);

inline constexpr WeightFormat kIq4NlFormat = ggml::ggml_format<32, 2 + 16, ggml::decode_iq4_nl>(kIq4Nl, "IQ4_NL", 20);
inline constexpr WeightFormat kIq4XsFormat =
    ggml::ggml_format<256, 2 + 2 + 4 + 128, ggml::decode_iq4_xs>(kIq4Xs, "IQ4_XS", 23);
/// Scales and codes alternate, unlike in kMxfp4Format, where each is a tensor.
inline constexpr WeightFormat kGgmlMxfp4Format =
    ggml::ggml_format<32, 1 + 16, ggml::decode_mxfp4>(kGgmlMxfp4, "MXFP4", 39);
inline constexpr WeightFormat kGgmlNvfp4Format = [] {
  WeightFormat format = ggml::ggml_format<64, 4 + 32, ggml::decode_nvfp4>(kGgmlNvfp4, "NVFP4", 40);
  format.has_tensor_scale = true;
  format.decode = [](const WeightMatrix& w, std::size_t row, std::size_t column, std::size_t count, float* out,
                     std::size_t out_step) noexcept {
    ggml::decode_run<64, 4 + 32, ggml::decode_nvfp4>(w, row, column, count, out, out_step);
    if (const float factor = w.scales.factor; factor != 1.0F)
      for (std::size_t k = 0; k < count; ++k) out[k * out_step] *= factor;
  };
  return format;
}();

}  // namespace trine::inline TRINE_ABI
