// SPDX-License-Identifier: Apache-2.0
// Sizes of packed weights: panels of 16 rows, divided into blocks of 128 columns (quant/packed.hpp).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include <trine/core/check.hpp>
#include <trine/core/dtype.hpp>

namespace trine::inline TRINE_ABI {

inline constexpr DType kQ8 = block_format(0);
inline constexpr DType kQ4 = block_format(1);
inline constexpr DType kBf16Panels = block_format(2);
inline constexpr DType kQ3a = block_format(27);  // these four in a row: quant/packed_grid.hpp
inline constexpr DType kQ4a = block_format(28);
inline constexpr DType kQ5a = block_format(29);
inline constexpr DType kQ6a = block_format(30);

inline constexpr std::size_t kPanelRows = 16;
inline constexpr std::size_t kScaleBlock = 128;
inline constexpr std::size_t kSubBlock = 32;
inline constexpr std::size_t kPanelScaleBytes = kPanelRows * sizeof(float);

/// Columns of the block that begins at `column`, including padding.
[[nodiscard]] constexpr std::size_t group_columns(std::size_t column, std::size_t columns) noexcept {
  const std::size_t left = (columns - column + kSubBlock - 1) / kSubBlock * kSubBlock;
  return left < kScaleBlock ? left : kScaleBlock;
}

/// Bits of a stored value without what its block shares.
[[nodiscard]] constexpr std::size_t code_bits(DType dtype) noexcept {
  if (dtype == kBf16Panels) return 16;
  if (dtype == kQ8) return 8;
  if (dtype == kQ4) return 4;
  return static_cast<std::size_t>(dtype) - static_cast<std::size_t>(kQ3a) + 3;
}

/// Bytes of a block before its values.
[[nodiscard]] constexpr std::size_t group_header_bytes(DType dtype) noexcept {
  return dtype == kBf16Panels ? 0 : dtype == kQ8 ? kPanelScaleBytes : 2 * kPanelScaleBytes;
}

/// Bytes of a block of `columns` columns, 32 to 128.
[[nodiscard]] constexpr std::size_t group_bytes(DType dtype, std::size_t group_columns) noexcept {
  return group_header_bytes(dtype) + group_columns * kPanelRows * code_bits(dtype) / 8;
}

/// Bytes of a panel of 16 rows. columns < 2^56
[[nodiscard]] constexpr std::size_t panel_bytes(DType dtype, std::size_t columns) noexcept {
  const std::size_t whole = columns / kScaleBlock;
  const std::size_t rest = columns % kScaleBlock;
  return whole * group_bytes(dtype, kScaleBlock) +
         (rest == 0 ? 0 : group_bytes(dtype, group_columns(whole * kScaleBlock, columns)));
}

/// Bytes of a matrix [rows, columns]; nullopt if they exceed 64 bits.
[[nodiscard]] constexpr std::optional<std::uint64_t> packed_bytes(DType dtype, std::uint64_t rows,
                                                                  std::uint64_t columns) noexcept {
  if (columns >= std::uint64_t{1} << 56U) return std::nullopt;
  return checked_multiply(rows / kPanelRows + (rows % kPanelRows == 0 ? 0 : 1), panel_bytes(dtype, columns));
}

namespace detail {

/// The nearest integer, ties to even, of a value below 2^22, without calling the math library.
[[nodiscard]] inline float nearest(float x) noexcept {
  constexpr float kShift = 12582912.0F;  // 1.5 * 2^23: sums round to units of 1
  return (x + kShift) - kShift;
}

}  // namespace detail

}  // namespace trine::inline TRINE_ABI
