// SPDX-License-Identifier: Apache-2.0
// Packed weights, q8, q4, bf16_panels and, in quant/packed_grid.hpp, q3a to q6a: matrices [out, in] in the order in
// which the kernels read them, with the same layout on disk and in memory. docs/reference/file-formats.md defines the
// layout.
//
// A matrix is divided into panels of 16 rows (outputs), and a panel into blocks of 128 columns; the last block may be
// shorter, a multiple of 32 columns. Padding rows and columns hold zeros. All sizes are multiples of 64 bytes.
//
//   q8 block   f32 scale[16]                      one per row
//              u8  code[columns / 4][16][4]       value = scale * (code - 128), code in [1, 255]
//   q4 block   f32 scale[16]
//              i8  factor[4][16]                  one per row and sub-block of 32 columns, in [-15, 15]
//              u8  codes[columns / 8][16][4]      bits 0 .. 3: columns 8 b + j, bits 4 .. 7: columns 8 b + 4 + j
//                                                 value = scale * factor * (code - 8), code in [0, 15]
//   bf16_panels block
//              bf16 value[columns / 2][16][2]
//
// So 64 bytes hold four columns (eight in q4, two in bf16_panels) of 16 outputs: one load feeds a dot product of four
// bytes, or of two bf16, in each of 16 lanes. factor * (code - 8) fits in eight bits, so q4 can be expanded to q8
// without rounding when many rows share the work. Bits per weight: 8.25, 4.5 and 16.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include <trine/core/bfloat16.hpp>
#include <trine/quant/packed_grid.hpp>
#include <trine/quant/packed_layout.hpp>
#include <trine/quant/plain_formats.hpp>
#include <trine/quant/weight_format.hpp>

namespace trine::inline TRINE_ABI {

namespace detail {

/// Byte offset of an element in a block of bf16_panels.
[[nodiscard]] constexpr std::size_t bf16_pair_offset(std::size_t lane, std::size_t column) noexcept {
  return (column / 2 * 2 * kPanelRows + lane * 2 + column % 2) * sizeof(bfloat16);
}

}  // namespace detail

/// The value at (row, column) of a packed matrix whose panels have `panel` bytes.
[[nodiscard]] inline float packed_value(DType dtype, const std::byte* packed, std::size_t panel, std::size_t row,
                                        std::size_t column) noexcept {
  const std::size_t lane = row % kPanelRows;
  const std::size_t in_group = column % kScaleBlock;
  const std::byte* group = packed + row / kPanelRows * panel + column / kScaleBlock * group_bytes(dtype, kScaleBlock);
  if (is_grid(dtype)) return detail::grid_value(code_bits(dtype), group, lane, in_group);
  const std::byte* codes = group + group_header_bytes(dtype);
  if (dtype == kBf16Panels) {
    bfloat16 value;
    std::memcpy(&value, codes + detail::bf16_pair_offset(lane, in_group), sizeof value);
    return static_cast<float>(value);
  }
  float scale = 0.0F;
  std::memcpy(&scale, group + lane * sizeof(float), sizeof scale);
  if (dtype == kQ8) {
    const std::byte code = codes[in_group / 4 * 4 * kPanelRows + lane * 4 + in_group % 4];
    return scale * static_cast<float>(std::to_integer<int>(code) - 128);
  }
  const auto factor = static_cast<std::int8_t>(
      std::to_integer<std::uint8_t>(group[kPanelScaleBytes + in_group / kSubBlock * kPanelRows + lane]));
  const auto two = std::to_integer<int>(codes[in_group / 8 * 4 * kPanelRows + lane * 4 + in_group % 4]);
  const int code = in_group % 8 < 4 ? two & 15 : two >> 4;
  return scale * static_cast<float>(factor * (code - 8));
}

namespace detail {

/// One row of a block as integers times a scale. Blocks are padded with zeros at the end of the matrix.
struct PackedRow {
  float scale = 0.0F;
  std::array<int, kScaleBlock / kSubBlock> factor{};
  std::array<int, kScaleBlock> code{};  // of q8 in [-127, 127], of q4 in [-8, 7]
};

/// Symmetric: the largest magnitude becomes 127.
[[nodiscard]] inline PackedRow round_q8(const std::array<float, kScaleBlock>& x) noexcept {
  PackedRow row;
  float largest = 0.0F;
  for (const float value : x) largest = std::max(largest, std::abs(value));
  row.scale = largest / 127.0F;
  if (row.scale == 0.0F) return row;
  for (std::size_t i = 0; i < kScaleBlock; ++i)
    row.code[i] = std::clamp(static_cast<int>(std::lrint(x[i] / row.scale)), -127, 127);
  return row;
}

/// sum x q, sum q q and the codes q = round(x / step) in [-8, 7] of a sub-block.
struct Fit {
  float xq = 0.0F;
  float qq = 0.0F;
  std::array<float, kSubBlock> q{};
};
[[nodiscard]] inline Fit fit_codes(const float* x, float inverse_step) noexcept {
  Fit fit;
  for (std::size_t i = 0; i < kSubBlock; ++i) {
    const float q = x[i] * inverse_step;
    fit.q[i] = nearest(q < -8.0F ? -8.0F : q > 7.0F ? 7.0F : q);
  }
  std::array<float, 8> xq{};  // eight sums at a time
  std::array<float, 8> qq{};
  for (std::size_t i = 0; i < kSubBlock; i += 8) {
    for (std::size_t l = 0; l < 8; ++l) {
      xq[l] += x[i + l] * fit.q[i + l];
      qq[l] += fit.q[i + l] * fit.q[i + l];
    }
  }
  for (std::size_t l = 0; l < 8; ++l) {
    fit.xq += xq[l];
    fit.qq += qq[l];
  }
  return fit;
}

/// The step with the smallest squared error: candidates around largest / -8, each refined by least squares. Its sign
/// maps the element of largest magnitude to -8, the longer side.
[[nodiscard]] inline float best_step(const float* x) noexcept {
  float largest = 0.0F;
  for (std::size_t i = 0; i < kSubBlock; ++i)
    if (std::abs(x[i]) > std::abs(largest)) largest = x[i];
  if (std::abs(largest) < 1e-30F) return 0.0F;
  float best = -1.0F;
  float step = 0.0F;
  for (const float lowest : {-7.2F, -7.6F, -8.0F, -8.3F, -8.6F, -8.9F}) {
    const Fit fit = fit_codes(x, lowest / largest);
    if (fit.qq == 0.0F || fit.xq * fit.xq <= best * fit.qq) continue;
    best = fit.xq * fit.xq / fit.qq;  // the error is sum x^2 minus this
    step = fit.xq / fit.qq;
  }
  return step;
}

/// Codes and factors for a given scale, the factor of each sub-block being the best of three around step / scale; then
/// the least-squares scale for them. Returns sum x v and sum v v with v = factor * code.
struct GroupFit {
  PackedRow row;
  float xv = 0.0F;
  float vv = 0.0F;
};
[[nodiscard]] inline GroupFit fit_group(const std::array<float, kScaleBlock>& x, const std::array<float, 4>& step,
                                        float scale) noexcept {
  GroupFit result;
  for (std::size_t j = 0; j < step.size(); ++j) {
    const float* part = x.data() + j * kSubBlock;
    const auto middle = static_cast<int>(nearest(std::clamp(step[j] / scale, -15.0F, 15.0F)));
    float best = -1.0F;
    for (int factor = middle - 1; factor <= middle + 1; ++factor) {
      if (factor == 0 || factor < -15 || factor > 15) continue;
      const float size = scale * static_cast<float>(factor);
      const Fit fit = fit_codes(part, 1.0F / size);
      const float gain = 2.0F * size * fit.xq - size * size * fit.qq;  // by how much the error is below sum x^2
      if (gain <= best) continue;
      best = gain;
      result.row.factor[j] = factor;
      for (std::size_t i = 0; i < kSubBlock; ++i) result.row.code[j * kSubBlock + i] = static_cast<int>(fit.q[i]);
    }
    for (std::size_t i = 0; i < kSubBlock; ++i) {
      const auto v = static_cast<float>(result.row.factor[j] * result.row.code[j * kSubBlock + i]);
      result.xv += part[i] * v;
      result.vv += v * v;
    }
  }
  result.row.scale = result.vv == 0.0F ? 0.0F : result.xv / result.vv;
  return result;
}

/// Least squares over steps of sub-blocks, a common scale and factors of it. Works on values up to 1, whose squares
/// neither overflow nor vanish.
[[nodiscard]] inline PackedRow round_q4(const std::array<float, kScaleBlock>& x) noexcept {
  float most = 0.0F;
  for (const float value : x) most = std::max(most, std::abs(value));
  GroupFit best;
  if (most < 1e-30F) return best.row;  // a fraction of less may underflow; zero is as accurate
  std::array<float, kScaleBlock> unit;
  for (std::size_t i = 0; i < x.size(); ++i) unit[i] = x[i] / most;
  std::array<float, 4> step{};
  float largest = 0.0F;
  for (std::size_t j = 0; j < step.size(); ++j) {
    step[j] = best_step(unit.data() + j * kSubBlock);
    largest = std::max(largest, std::abs(step[j]));
  }
  float best_gain = -1.0F;
  for (const float highest : {15.0F, 14.0F, 12.5F}) {
    GroupFit fit = fit_group(unit, step, largest / highest);
    if (fit.row.scale != 0.0F) fit = fit_group(unit, step, fit.row.scale);
    const float gain = fit.vv == 0.0F ? 0.0F : fit.xv * fit.xv / fit.vv;
    if (gain <= best_gain) continue;
    best_gain = gain;
    best = fit;
  }
  best.row.scale *= most;
  return best.row;
}

inline void write_bf16(const std::array<float, kScaleBlock>& x, std::size_t lane, std::size_t columns,
                       std::byte* group) noexcept {
  for (std::size_t c = 0; c < columns; ++c) {
    const bfloat16 value(x[c]);
    std::memcpy(group + bf16_pair_offset(lane, c), &value, sizeof value);
  }
}

inline void write_row(DType dtype, const PackedRow& row, std::size_t lane, std::size_t columns,
                      std::byte* group) noexcept {
  std::memcpy(group + lane * sizeof(float), &row.scale, sizeof row.scale);
  std::byte* codes = group + group_header_bytes(dtype);
  if (dtype == kQ8) {
    for (std::size_t c = 0; c < columns; ++c)
      codes[c / 4 * 4 * kPanelRows + lane * 4 + c % 4] = static_cast<std::byte>(row.code[c] + 128);
    return;
  }
  for (std::size_t j = 0; j < row.factor.size(); ++j)
    group[kPanelScaleBytes + j * kPanelRows + lane] = static_cast<std::byte>(row.factor[j]);
  for (std::size_t c = 0; c < columns; c += 8) {
    for (std::size_t j = 0; j < 4; ++j)
      codes[c / 8 * 4 * kPanelRows + lane * 4 + j] =
          static_cast<std::byte>((row.code[c + j] + 8) | (row.code[c + 4 + j] + 8) << 4);
  }
}

}  // namespace detail

/// Packs w, row-major [rows, columns], into packed_bytes(dtype, rows, columns) bytes. Panels are independent of each
/// other: rows may be packed 16 at a time. q8 scales by the largest magnitude in a block; the smaller types search for
/// the steps and the scale with the smallest squared error; bf16_panels rounds to nearest. Values must be finite.
/// importance: [columns], how much the square of an error of each column counts, or null: equally; q8, q4 and
/// bf16_panels ignore it
inline void pack(DType dtype, const float* w, std::size_t ldw, std::size_t rows, std::size_t columns, std::byte* out,
                 const float* importance = nullptr) noexcept {
  if (is_grid(dtype)) return detail::pack_grid(dtype, w, ldw, rows, columns, importance, out);
  for (std::size_t first = 0; first < rows; first += kPanelRows) {
    for (std::size_t column = 0; column < columns; column += kScaleBlock) {
      const std::size_t length = group_columns(column, columns);
      for (std::size_t lane = 0; lane < kPanelRows; ++lane) {
        std::array<float, kScaleBlock> x{};
        if (first + lane < rows)
          std::copy_n(w + (first + lane) * ldw + column, std::min(kScaleBlock, columns - column), x.begin());
        if (dtype == kBf16Panels) {
          detail::write_bf16(x, lane, length, out);
        } else {
          detail::write_row(dtype, dtype == kQ8 ? detail::round_q8(x) : detail::round_q4(x), lane, length, out);
        }
      }
      out += group_bytes(dtype, length);
    }
  }
}

namespace detail {

template <DType Format>
void decode_packed(const WeightMatrix& w, std::size_t row, std::size_t column, std::size_t count, float* out,
                   std::size_t out_step) noexcept {
  for (std::size_t k = 0; k < count; ++k)
    out[k * out_step] = packed_value(Format, w.data, w.stride, row, column + k * w.step[1]);
}

// Pairs of columns, interleaved over 16 rows.
inline void decode_panels(const WeightMatrix& w, std::size_t row, std::size_t column, std::size_t count, float* out,
                          std::size_t out_step) noexcept {
  const auto* lane = reinterpret_cast<const bfloat16*>(w.data + row / kPanelRows * w.stride) + row % kPanelRows * 2;
  for (std::size_t k = 0, c = column; k < count; ++k, c += w.step[1])
    out[k * out_step] = static_cast<float>(lane[c / 2 * 2 * kPanelRows + c % 2]);
}

template <DType Format>
[[nodiscard]] constexpr WeightFormat packed_format(std::string_view name) noexcept {
  return {.dtype = Format,
          .name = name,
          .block_rows = kPanelRows,
          .block_columns = kScaleBlock,
          .column_multiple = kSubBlock,
          .alignment = 64,
          .row_bytes = [](std::size_t columns) noexcept { return panel_bytes(Format, columns); },
          .decode = Format == kBf16Panels ? decode_panels : decode_packed<Format>,
          .encode = [](const float* w, std::size_t ldw, std::size_t rows, std::size_t columns, const float* importance,
                       std::byte* out) noexcept { pack(Format, w, ldw, rows, columns, out, importance); },
          .in_native_file = true,
          .is_conversion = Format != kBf16Panels,
          .copy_of = Format == kBf16Panels ? &kBf16Format : nullptr};
}

}  // namespace detail

inline constexpr WeightFormat kQ3aFormat = detail::packed_format<kQ3a>("q3a");
inline constexpr WeightFormat kQ4aFormat = detail::packed_format<kQ4a>("q4a");
inline constexpr WeightFormat kQ5aFormat = detail::packed_format<kQ5a>("q5a");
inline constexpr WeightFormat kQ6aFormat = detail::packed_format<kQ6a>("q6a");
inline constexpr WeightFormat kQ8Format = detail::packed_format<kQ8>("q8");
inline constexpr WeightFormat kQ4Format = detail::packed_format<kQ4>("q4");
inline constexpr WeightFormat kBf16PanelsFormat = detail::packed_format<kBf16Panels>("bf16_panels");

}  // namespace trine::inline TRINE_ABI
