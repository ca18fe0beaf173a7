// SPDX-License-Identifier: Apache-2.0
// Packed weights of 3 to 6 bits on a grid of 8: q3a, q4a, q5a and q6a ("a" for asymmetric).
//
// The values of a block of 128 columns are whole multiples of one scale, in [-127, 127], as those of q8. Each sub-block
// of 32 columns chooses an evenly spaced part of that grid: 2^bits values that are `factor` apart, from `offset` on. So
// a sub-block has a scale and a minimum of its own, as in Q4_K of ggml, and yet all sums over a block are exact in
// integers, and a block can be expanded to q8 without rounding when many rows share the work.
//
//   block   u32 word[16]        one per row: bits 16 .. 31 the scale, a bf16; bits 4 s .. 4 s + 3 the factor of
//   sub-block s
//           i8  offset[4][16]   one per row and sub-block of 32 columns
//           then for each sub-block the lower bits of its codes, 2 in q3a and 4 in the others, and the upper 0 to 2:
//           u8  lower[b][16][4], upper[b][16][4], of b bits each
//           value = scale * (factor * code + offset), factor in [0, 15], the bracket in [-127, 127]
//
// As in q8, four bytes are four columns of an output, and 64 bytes those of 16 outputs. With b bits each, the lowest b
// bits of 64 such bytes belong to columns 0 .. 3 of a sub-block, the next to 4 .. 7, and so on.
//
// Bits per weight: 3.5, 4.5, 5.5 and 6.5.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include <trine/core/bfloat16.hpp>
#include <trine/quant/packed_layout.hpp>

namespace trine::inline TRINE_ABI {

/// Returns whether the type is one of q3a to q6a.
[[nodiscard]] constexpr bool is_grid(DType dtype) noexcept { return dtype >= kQ3a && dtype <= kQ6a; }

inline constexpr int kGridFactors = 15;  ///< the greatest factor
inline constexpr int kGridEnd = 127;     ///< multiples of the scale: at most this far from 0

/// Lower bits of a code, which are stored together; the others follow.
[[nodiscard]] constexpr std::size_t lower_bits(std::size_t bits) noexcept { return bits < 4 ? 2 : 4; }

namespace detail {

inline constexpr std::size_t kSubBlockBytes = kSubBlock * kPanelRows / 8;  // per bit of a code

// Of one value, `bits` bits among those of a sub-block: the byte and the lowest bit in it.
struct BitsPlace {
  std::size_t byte;
  std::size_t shift;
};
[[nodiscard]] constexpr BitsPlace place_of_bits(std::size_t bits, std::size_t lane, std::size_t column) noexcept {
  const std::size_t in_byte = 8 / bits;
  const std::size_t four = column / 4;
  return {four / in_byte * 4 * kPanelRows + lane * 4 + column % 4, four % in_byte * bits};
}

// One row of a block.
struct GridRow {
  bfloat16 scale;
  std::array<int, kScaleBlock / kSubBlock> factor{};
  std::array<int, kScaleBlock / kSubBlock> offset{};
  std::array<int, kScaleBlock> code{};
};

[[nodiscard]] inline float grid_value(std::size_t bits, const std::byte* group, std::size_t lane,
                                      std::size_t column) noexcept {
  std::uint32_t word = 0;
  std::memcpy(&word, group + lane * sizeof word, sizeof word);
  const std::size_t sub_block = column / kSubBlock;
  const auto factor = static_cast<int>(word >> (4 * sub_block) & 15U);
  const auto offset =
      static_cast<std::int8_t>(std::to_integer<std::uint8_t>(group[kPanelScaleBytes + sub_block * kPanelRows + lane]));
  const std::byte* at = group + 2 * kPanelScaleBytes + sub_block * bits * kSubBlockBytes;
  const auto get = [&](const std::byte* from, std::size_t count) {
    const BitsPlace place = place_of_bits(count, lane, column % kSubBlock);
    return std::to_integer<int>(from[place.byte]) >> place.shift & ((1 << count) - 1);
  };
  const std::size_t lower = lower_bits(bits);
  int code = get(at, lower);
  if (bits > lower) code |= get(at + lower * kSubBlockBytes, bits - lower) << lower;
  return std::bit_cast<float>(word & 0xffff0000U) * static_cast<float>(factor * code + offset);
}

inline void write_grid_row(std::size_t bits, const GridRow& row, std::size_t lane, std::size_t columns,
                           std::byte* group) noexcept {
  std::uint32_t word = static_cast<std::uint32_t>(std::bit_cast<std::uint16_t>(row.scale)) << 16U;
  for (std::size_t s = 0; s < row.factor.size(); ++s) {
    word |= static_cast<std::uint32_t>(row.factor[s]) << (4 * s);
    group[kPanelScaleBytes + s * kPanelRows + lane] = static_cast<std::byte>(row.offset[s]);
  }
  std::memcpy(group + lane * sizeof word, &word, sizeof word);
  const std::size_t lower = lower_bits(bits);
  for (std::size_t c = 0; c < columns; ++c) {
    std::byte* at = group + 2 * kPanelScaleBytes + c / kSubBlock * bits * kSubBlockBytes;
    const auto put = [&](std::byte* to, std::size_t count, int value) {
      const BitsPlace place = place_of_bits(count, lane, c % kSubBlock);
      if (place.shift == 0) to[place.byte] = std::byte{0};
      to[place.byte] |= static_cast<std::byte>(value << place.shift);
    };
    put(at, lower, row.code[c] & ((1 << lower) - 1));
    if (bits > lower) put(at + lower * kSubBlockBytes, bits - lower, row.code[c] >> lower);
  }
}

// A sub-block on a grid: codes, and the sum of weight * (x - value)^2 with x in units of the scale.
struct GridFit {
  int factor = 0;
  int offset = 0;
  float error = 0.0F;
  std::array<float, kSubBlock> code{};
};

// Sums of 32 values, eight at a time, as the vectoriser likes it.
template <class Term>
[[nodiscard]] inline float sum_of_sub_block(const Term& term) noexcept {
  std::array<float, 8> part{};
  for (std::size_t i = 0; i < kSubBlock; i += part.size())
    for (std::size_t l = 0; l < part.size(); ++l) part[l] += term(i + l);
  float sum = 0.0F;
  for (const float one : part) sum += one;
  return sum;
}

// The nearest codes for a factor and an offset.
inline void fit_grid_codes(const float* x, const float* weight, int most, GridFit& fit) noexcept {
  const auto factor = static_cast<float>(fit.factor);
  const auto offset = static_cast<float>(fit.offset);
  const float inverse = 1.0F / factor;
  const auto end = static_cast<float>(std::min(most, (kGridEnd - fit.offset) / fit.factor));
  for (std::size_t i = 0; i < kSubBlock; ++i) {
    const float code = (x[i] - offset) * inverse;
    fit.code[i] = nearest(code < 0.0F ? 0.0F : code > end ? end : code);
  }
  fit.error = sum_of_sub_block([&](std::size_t i) {
    const float rest = x[i] - (factor * fit.code[i] + offset);
    return weight[i] * rest * rest;
  });
}

// The best of some factors around the range of the values, and of offsets: the middle of the range on a code or between
// two, then the mean of what remains.
[[nodiscard]] inline GridFit fit_sub_block(const float* x, const float* weight, int most) noexcept {
  float lowest = x[0];
  float highest = x[0];
  for (std::size_t i = 1; i < kSubBlock; ++i) {
    lowest = std::min(lowest, x[i]);
    highest = std::max(highest, x[i]);
  }
  const float total = sum_of_sub_block([&](std::size_t i) { return weight[i]; });
  const auto end = static_cast<float>(kGridEnd);
  const float middle = 0.5F * (lowest + highest);
  const int factor = static_cast<int>(std::ceil((highest - lowest) / static_cast<float>(most)));
  GridFit best{.offset = static_cast<int>(nearest(std::clamp(middle, -end, end)))};
  best.error = sum_of_sub_block([&](std::size_t i) {
    const float rest = x[i] - static_cast<float>(best.offset);
    return weight[i] * rest * rest;
  });
  for (int near = std::max(factor - 1, 1); near <= std::min(factor + 1, kGridFactors); ++near) {
    const auto step = static_cast<float>(near);
    for (const float shift : {-0.5F, 0.0F, 0.5F}) {
      GridFit fit{.factor = near};
      const float first = middle - step * (0.5F * static_cast<float>(most) - shift);
      fit.offset = static_cast<int>(nearest(std::clamp(first, -end, end)));
      fit_grid_codes(x, weight, most, fit);
      if (total > 0.0F) {
        const float mean =
            sum_of_sub_block([&](std::size_t i) { return weight[i] * (x[i] - step * fit.code[i]); }) / total;
        const auto better = static_cast<int>(nearest(std::clamp(mean, -end, end)));
        if (better != fit.offset) {
          GridFit moved{.factor = near, .offset = better};
          fit_grid_codes(x, weight, most, moved);
          if (moved.error < fit.error) fit = moved;
        }
      }
      if (fit.error < best.error) best = fit;
    }
  }
  return best;
}

// The best of some scales around the least one with which the grid reaches all values. Errors count by their weight and
// more where values are large: sqrt(2 mean x^2 + x^2), as in ggml.
[[nodiscard]] inline GridRow round_to_grid(std::size_t bits, const std::array<float, kScaleBlock>& x,
                                           const std::array<float, kScaleBlock>& importance, std::size_t columns,
                                           float root_mean_square) noexcept {
  GridRow row;
  float largest = 0.0F;
  float widest = 0.0F;
  for (std::size_t s = 0; s < columns; s += kSubBlock) {
    float lowest = x[s];
    float highest = x[s];
    for (std::size_t i = s; i < s + kSubBlock; ++i) {
      lowest = std::min(lowest, x[i]);
      highest = std::max(highest, x[i]);
    }
    largest = std::max({largest, -lowest, highest});
    widest = std::max(widest, highest * 0.5F - lowest * 0.5F);
  }
  if (largest < 1e-30F) return row;  // a fraction of less may underflow; zero is as accurate
  const int most = (1 << bits) - 1;
  const float reach = std::min(static_cast<float>(kGridFactors * most), 2.0F * kGridEnd);
  const float least = std::max(largest / kGridEnd, widest / reach * 2.0F);
  std::array<float, kScaleBlock> weight;
  for (std::size_t i = 0; i < x.size(); ++i) {  // in units of the row: at most the root of its length
    const float unit = x[i] / root_mean_square;
    weight[i] = importance[i] * std::sqrt(2.0F + unit * unit);
  }
  float best = -1.0F;
  for (const float part : {1.0F, 0.93F, 1.07F, 1.15F}) {
    const bfloat16 scale(least * part);
    const float inverse = 1.0F / static_cast<float>(scale);
    if (!std::isfinite(static_cast<float>(scale)) || !std::isfinite(inverse)) continue;
    std::array<float, kScaleBlock> units;
    for (std::size_t i = 0; i < x.size(); ++i) units[i] = x[i] * inverse;
    std::array<GridFit, kScaleBlock / kSubBlock> fits;
    float error = 0.0F;
    for (std::size_t s = 0; s * kSubBlock < columns; ++s) {
      fits[s] = fit_sub_block(units.data() + s * kSubBlock, weight.data() + s * kSubBlock, most);
      error += fits[s].error;
    }
    const float unit = static_cast<float>(scale) / largest;
    error *= unit * unit;
    if (best >= 0.0F && error >= best) continue;
    best = error;
    row.scale = scale;
    for (std::size_t s = 0; s * kSubBlock < columns; ++s) {
      row.factor[s] = fits[s].factor;
      row.offset[s] = fits[s].offset;
      for (std::size_t i = 0; i < kSubBlock; ++i) row.code[s * kSubBlock + i] = static_cast<int>(fits[s].code[i]);
    }
  }
  return row;
}

/// pack() of quant/packed.hpp for q3a to q6a.
inline void pack_grid(DType dtype, const float* w, std::size_t ldw, std::size_t rows, std::size_t columns,
                      const float* importance, std::byte* out) noexcept {
  const std::size_t bits = code_bits(dtype);
  for (std::size_t first = 0; first < rows; first += kPanelRows) {
    std::array<float, kPanelRows> root_mean_square{};
    for (std::size_t lane = 0; lane < kPanelRows && first + lane < rows; ++lane) {
      double sum = 0.0;
      for (std::size_t c = 0; c < columns; ++c)
        sum += double{w[(first + lane) * ldw + c]} * w[(first + lane) * ldw + c];
      root_mean_square[lane] = static_cast<float>(std::sqrt(sum / static_cast<double>(columns)));
    }
    for (std::size_t column = 0; column < columns; column += kScaleBlock) {
      const std::size_t length = group_columns(column, columns);
      const std::size_t count = std::min(kScaleBlock, columns - column);
      std::array<float, kScaleBlock> weight{};
      if (importance == nullptr) {
        std::fill_n(weight.begin(), count, 1.0F);
      } else {
        std::copy_n(importance + column, count, weight.begin());
      }
      for (std::size_t lane = 0; lane < kPanelRows; ++lane) {
        std::array<float, kScaleBlock> x{};
        if (first + lane < rows) std::copy_n(w + (first + lane) * ldw + column, count, x.begin());
        const GridRow row = round_to_grid(bits, x, weight, length, root_mean_square[lane]);
        write_grid_row(bits, row, lane, length, out);
      }
      out += group_bytes(dtype, length);
    }
  }
}

}  // namespace detail

}  // namespace trine::inline TRINE_ABI
