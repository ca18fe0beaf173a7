// SPDX-License-Identifier: Apache-2.0
// Integers in rows, with a scale for each group of columns of a row, as compressed-tensors stores them
// (https://github.com/vllm-project/compressed-tensors, "pack-quantized" and "int-quantized"):
//
//   int4_packed, int8_packed   words of 32 bits, little endian, whose lowest bits are the first column; a row begins
//                              with a word. value = (code - zero) * scale, zero = 8 or 128 if there are no zero points.
//                              Zero points are packed in the same way, but along the rows: [words of rows, groups].
//   int8                       signed bytes; zero points are signed bytes beside the scales, or 0
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include <trine/quant/weight_format.hpp>

namespace trine::inline TRINE_ABI {

/// Code number `index` of a row of words, of 4 or 8 bits.
template <unsigned Bits>
[[nodiscard]] inline int packed_code(const std::byte* words, std::size_t index) noexcept {
  static_assert(Bits == 4 || Bits == 8, "codes that do not cross bytes");
  if constexpr (Bits == 8) return std::to_integer<int>(words[index]);
  return std::to_integer<int>(words[index / 2] >> (index % 2 * Bits)) & 15;
}

namespace detail {

/// Calls use(k, count, block) for the runs of columns column + k * step, k < count, that share a scale.
template <class Use>
void for_scale_runs(const BlockScales& scales, std::size_t column, std::size_t step, std::size_t count,
                    const Use& use) noexcept {
  for (std::size_t k = 0; k < count;) {
    const std::size_t at = column + k * step;
    std::size_t end = k + 1;
    std::size_t block = at / scales.block_columns;
    if (scales.block_of != nullptr) {
      block = static_cast<std::size_t>(scales.block_of[at]);
    } else {
      const std::size_t left = scales.block_columns - at % scales.block_columns;  // columns of this block
      end = std::min(count, k + (left + step - 1) / step);
    }
    use(k, end, block);
    k = end;
  }
}

/// WeightFormat::decode of packed codes.
template <unsigned Bits>
void decode_packed_integers(const WeightMatrix& w, std::size_t row, std::size_t column, std::size_t count, float* out,
                            std::size_t out_step) noexcept {
  constexpr std::size_t kPerWord = 32 / Bits;
  const BlockScales& scales = w.scales;
  const std::byte* codes = w.data + row * w.stride;
  const std::size_t step = w.step[1];
  for_scale_runs(scales, column, step, count, [&](std::size_t k, std::size_t end, std::size_t block) {
    const float scale = scales.value(row / scales.block_rows * scales.stride + block);
    int zero = 1 << (Bits - 1);
    if (scales.zeros != nullptr)
      zero = packed_code<Bits>(scales.zeros + (row / kPerWord * scales.zeros_stride + block) * 4, row % kPerWord);
    for (; k < end; ++k)
      out[k * out_step] = static_cast<float>(packed_code<Bits>(codes, column + k * step) - zero) * scale;
  });
}

/// WeightFormat::decode of signed bytes.
inline void decode_bytes(const WeightMatrix& w, std::size_t row, std::size_t column, std::size_t count, float* out,
                         std::size_t out_step) noexcept {
  const BlockScales& scales = w.scales;
  const auto* codes = reinterpret_cast<const std::int8_t*>(w.data + row * w.stride);
  const std::size_t step = w.step[1];
  for_scale_runs(scales, column, step, count, [&](std::size_t k, std::size_t end, std::size_t block) {
    const std::size_t index = row / scales.block_rows * scales.stride + block;
    const float scale = scales.value(index);
    const int zero = scales.zeros == nullptr ? 0 : reinterpret_cast<const std::int8_t*>(scales.zeros)[index];
    for (; k < end; ++k) out[k * out_step] = static_cast<float>(codes[column + k * step] - zero) * scale;
  });
}

template <unsigned Bits>
[[nodiscard]] constexpr std::size_t packed_row_bytes(std::size_t columns) noexcept {
  return (columns + 32 / Bits - 1) / (32 / Bits) * 4;
}

}  // namespace detail

inline constexpr WeightFormat kInt4PackedFormat = {
    .dtype = block_format(40),
    .name = "int4_packed",
    .block_columns = 8,
    .alignment = 4,
    .row_bytes = detail::packed_row_bytes<4>,
    .decode = detail::decode_packed_integers<4>,
    .in_checkpoints = true,
    .has_separate_scales = true,
};
inline constexpr WeightFormat kInt8PackedFormat = {
    .dtype = block_format(41),
    .name = "int8_packed",
    .block_columns = 4,
    .alignment = 4,
    .row_bytes = detail::packed_row_bytes<8>,
    .decode = detail::decode_packed_integers<8>,
    .in_checkpoints = true,
    .has_separate_scales = true,
};
inline constexpr WeightFormat kInt8Format = {
    .dtype = block_format(42),
    .name = "int8",
    .row_bytes = [](std::size_t columns) noexcept { return columns; },
    .decode = detail::decode_bytes,
    .in_checkpoints = true,
    .has_separate_scales = true,
};

/// The format of signed bytes.
[[nodiscard]] constexpr DType signed_bytes() noexcept { return kInt8Format.dtype; }
/// The packed format of that many bits, 4 or 8.
[[nodiscard]] constexpr DType packed_integers(unsigned bits) noexcept {
  return bits == 4 ? kInt4PackedFormat.dtype : kInt8PackedFormat.dtype;
}

}  // namespace trine::inline TRINE_ABI
