// SPDX-License-Identifier: Apache-2.0
// What the bytes of each weight format stand for, worked out in double from docs/reference/file-formats.md and from the
// specifications that the headers in quant/ name, one value at a time and without a line of the library.
#pragma once

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <map>
#include <string>

namespace trine::test {

/// A matrix [rows, columns] in some format, and scales where these are a tensor of their own.
struct ReferenceMatrix {
  const std::uint8_t* bytes;
  std::size_t columns;
  const std::uint8_t* scales = nullptr;  // f32 or a byte each, [rows / scale_rows, columns / scale_columns], rounded up
  std::size_t scale_rows = 1;
  std::size_t scale_columns = 1;
  std::size_t rows = 0;                 // of formats whose stored rows are columns
  const std::uint8_t* zeros = nullptr;  // zero points
  [[nodiscard]] std::size_t scale_index(std::size_t r, std::size_t c) const {
    return r / scale_rows * ((columns + scale_columns - 1) / scale_columns) + c / scale_columns;
  }
};

/// Code number i of words of 32 bits, the lowest bits first.
inline int code_of(const std::uint8_t* words, std::size_t i, unsigned bits) {
  return bits == 8 ? words[i] : i % 2 == 0 ? words[i / 2] & 15 : words[i / 2] >> 4;
}

template <class T>
T read_as(const std::uint8_t* bytes) {
  T value;
  std::memcpy(&value, bytes, sizeof value);
  return value;
}

/// A float of `exponent` and `fraction` bits after a sign, bias 2^(exponent - 1) - 1, without infinities.
inline double small_float(unsigned bits, int exponent, int fraction) {
  const auto e =
      static_cast<int>(bits >> static_cast<unsigned>(fraction) & ((1U << static_cast<unsigned>(exponent)) - 1));
  const double f = std::ldexp(static_cast<double>(bits & ((1U << static_cast<unsigned>(fraction)) - 1)), -fraction);
  const int bias = (1 << (exponent - 1)) - 1;
  const double magnitude = e == 0 ? std::ldexp(f, 1 - bias) : std::ldexp(1.0 + f, e - bias);
  return bits >> static_cast<unsigned>(exponent + fraction) & 1U ? -magnitude : magnitude;
}

/// Where the columns of a panel's group of 128 begin, what is left of it, and the bytes of `columns` columns.
struct PanelGroup {
  const std::uint8_t* bytes;
  std::size_t lane;
  std::size_t column;  // in the group
};
inline PanelGroup panel_group(const ReferenceMatrix& m, std::size_t r, std::size_t c, std::size_t header,
                              std::size_t bits) {
  const std::size_t padded = (m.columns + 31) / 32 * 32;
  const std::size_t groups = (padded + 127) / 128;
  const std::size_t panel = groups * header + padded * 16 * bits / 8;
  return {m.bytes + r / 16 * panel + c / 128 * (header + 128 * 16 * bits / 8), r % 16, c % 128};
}

// Of q3a to q6a: scale * (factor * code + offset), the lower bits of the codes of 32 columns before the upper ones.
inline double grid_value(const PanelGroup& group, unsigned bits, unsigned lower) {
  const auto word = read_as<std::uint32_t>(group.bytes + 4 * group.lane);
  const std::size_t sub_block = group.column / 32;
  const std::size_t column = group.column % 32;
  const std::uint8_t* codes = group.bytes + 128 + sub_block * 64 * bits;
  const auto part = [&](const std::uint8_t* from, unsigned width) -> unsigned {
    const std::size_t bit = column / 4 * width;  // of the byte, and of those that follow 64 further on
    return from[bit / 8 * 64 + group.lane * 4 + column % 4] >> bit % 8 & ((1U << width) - 1U);
  };
  unsigned code = part(codes, lower);
  if (bits > lower) code += part(codes + std::size_t{64} * lower, bits - lower) << lower;
  const int factor = static_cast<int>(word >> (4 * sub_block) & 15U);
  const auto offset = static_cast<std::int8_t>(group.bytes[64 + sub_block * 16 + group.lane]);
  return small_float(static_cast<std::uint16_t>(word >> 16U), 8, 7) * (factor * static_cast<int>(code) + offset);
}

/// The value at (r, c) by the name of the format. A new format has its line here; those of ggml have goldens instead.
inline const std::map<std::string, std::function<double(const ReferenceMatrix&, std::size_t, std::size_t)>>&
reference_formats() {
  static const std::map<std::string, std::function<double(const ReferenceMatrix&, std::size_t, std::size_t)>> formats =
      {
          {"f32",
           [](const auto& m, auto r, auto c) { return double{read_as<float>(m.bytes + 4 * (r * m.columns + c))}; }},
          {"bf16", [](const auto& m, auto r,
                      auto c) { return small_float(read_as<std::uint16_t>(m.bytes + 2 * (r * m.columns + c)), 8, 7); }},
          {"f16", [](const auto& m, auto r,
                     auto c) { return small_float(read_as<std::uint16_t>(m.bytes + 2 * (r * m.columns + c)), 5, 10); }},
          {"f8_e4m3",
           [](const auto& m, auto r, auto c) {
             return small_float(m.bytes[r * m.columns + c], 4, 3) *
                    double{read_as<float>(m.scales + 4 * m.scale_index(r, c))};
           }},
          {"mxfp4",
           [](const auto& m, auto r, auto c) {
             const unsigned two = m.bytes[(r * m.columns + c) / 2];
             return small_float(c % 2 == 0 ? two & 15U : two >> 4U, 2, 1) *
                    std::ldexp(1.0, m.scales[m.scale_index(r, c)] - 127);
           }},
          // Groups of scale_columns columns, all of them here: of a matrix, and of one that is stored transposed.
          {"int4_packed",
           [](const auto& m, auto r, auto c) {
             const std::size_t groups = m.columns / m.scale_columns;
             const int code = code_of(m.bytes + r * ((m.columns + 7) / 8) * 4, c, 4);
             const int zero = code_of(m.zeros + (r / 8 * groups + c / m.scale_columns) * 4, r % 8, 4);
             return (code - zero) * double{read_as<float>(m.scales + 4 * m.scale_index(r, c))};
           }},
          {"int8_packed",
           [](const auto& m, auto r, auto c) {
             const std::size_t groups = m.columns / m.scale_columns;
             const int code = code_of(m.bytes + r * ((m.columns + 3) / 4) * 4, c, 8);
             const int zero = code_of(m.zeros + (r / 4 * groups + c / m.scale_columns) * 4, r % 4, 8);
             return (code - zero) * double{read_as<float>(m.scales + 4 * m.scale_index(r, c))};
           }},
          {"int8",
           [](const auto& m, auto r, auto c) {
             const int zero = read_as<std::int8_t>(m.zeros + m.scale_index(r, c));
             return (read_as<std::int8_t>(m.bytes + r * m.columns + c) - zero) *
                    double{read_as<float>(m.scales + 4 * m.scale_index(r, c))};
           }},
          {"gptq_int4",
           [](const auto& m, auto r, auto c) {
             const std::size_t scale = c / m.scale_columns * m.rows + r;
             const int code = code_of(m.bytes + (c / 8 * m.rows + r) * 4, c % 8, 4);
             return (code - code_of(m.zeros, scale, 4) - 1) * double{read_as<float>(m.scales + 4 * scale)};
           }},
          {"gptq_int8",
           [](const auto& m, auto r, auto c) {
             const std::size_t scale = c / m.scale_columns * m.rows + r;
             const int code = code_of(m.bytes + (c / 4 * m.rows + r) * 4, c % 4, 8);
             return (code - code_of(m.zeros, scale, 8) - 1) * double{read_as<float>(m.scales + 4 * scale)};
           }},
          {"awq_int4",
           [](const auto& m, auto r, auto c) {
             const std::size_t group = c / m.scale_columns * m.rows;
             const std::size_t place = r / 8 * 8 + std::array<std::size_t, 8>{0, 4, 1, 5, 2, 6, 3, 7}[r % 8];
             return (code_of(m.bytes, c * m.rows + place, 4) - code_of(m.zeros, group + place, 4)) *
                    double{read_as<float>(m.scales + 4 * (group + r))};
           }},
          {"nvfp4",
           [](const auto& m, auto r, auto c) {
             const auto code = static_cast<unsigned>(code_of(m.bytes, r * m.columns + c, 4));
             return small_float(code, 2, 1) * small_float(m.scales[(r * m.columns + c) / 16], 4, 3) / 4.0;
           }},
          {"bf16_panels",
           [](const auto& m, auto r, auto c) {
             const PanelGroup group = panel_group(m, r, c, 0, 16);
             const std::size_t element = (group.column / 2 * 16 + group.lane) * 2 + group.column % 2;
             return small_float(read_as<std::uint16_t>(group.bytes + 2 * element), 8, 7);
           }},
          {"q8",
           [](const auto& m, auto r, auto c) {
             const PanelGroup group = panel_group(m, r, c, 64, 8);
             const int code = group.bytes[64 + (group.column / 4 * 16 + group.lane) * 4 + group.column % 4];
             return double{read_as<float>(group.bytes + 4 * group.lane)} * (code - 128);
           }},
          {"q4",
           [](const auto& m, auto r, auto c) {
             const PanelGroup group = panel_group(m, r, c, 128, 4);
             const auto factor = static_cast<std::int8_t>(group.bytes[64 + group.column / 32 * 16 + group.lane]);
             const unsigned two = group.bytes[128 + (group.column / 8 * 16 + group.lane) * 4 + group.column % 4];
             const auto code = static_cast<int>(group.column % 8 < 4 ? two & 15U : two >> 4U);
             return double{read_as<float>(group.bytes + 4 * group.lane)} * factor * (code - 8);
           }},
          {"q3a", [](const auto& m, auto r, auto c) { return grid_value(panel_group(m, r, c, 128, 3), 3, 2); }},
          {"q4a", [](const auto& m, auto r, auto c) { return grid_value(panel_group(m, r, c, 128, 4), 4, 4); }},
          {"q5a", [](const auto& m, auto r, auto c) { return grid_value(panel_group(m, r, c, 128, 5), 5, 4); }},
          {"q6a", [](const auto& m, auto r, auto c) { return grid_value(panel_group(m, r, c, 128, 6), 6, 4); }},
      };
  return formats;
}

}  // namespace trine::test
