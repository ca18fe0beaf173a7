// SPDX-License-Identifier: Apache-2.0
// Activations in int8, for GEMM with quantised weights: each block of 128 or 32 values of a row has its own scale.
#pragma once

#include <cstddef>
#include <cstdint>

#include <trine/platform/cpu_features.hpp>
#include <trine/quant/packed.hpp>

namespace trine::inline TRINE_ABI::kernels {

/// How many columns of a row share a scale, and the codes of how many are added up.
struct QuantizedBlocks {
  std::size_t scale_columns;
  std::size_t sum_columns;
  friend bool operator==(const QuantizedBlocks&, const QuantizedBlocks&) = default;
};
inline constexpr QuantizedBlocks kPackedBlocks{kScaleBlock, kSubBlock};  ///< for packed weights
inline constexpr QuantizedBlocks kFineBlocks{32, 16};                    ///< for the formats of ggml

/// The part of a block's largest value that its code leaves out: the value is scale * (code + extra). 0 in most blocks.
struct Outlier {
  std::int32_t extra;
  std::uint32_t column;  ///< in its block
};

/// Rows of x as x = scale * code, padded with zeros to whole sub-blocks of 32.
struct QuantizedRows {
  std::int8_t* codes = nullptr;  // [rows, ld], in [-127, 127]
  float* scale = nullptr;        // [rows, groups]
  std::int32_t* sums = nullptr;  // [rows, sub-blocks] sum of the codes of each sub-block
  std::size_t ld = 0;
  std::size_t groups = 0;
  std::size_t sub_blocks = 0;
  QuantizedBlocks blocks = kPackedBlocks;
  Outlier* outlier = nullptr;  // [rows, groups]; null for kFineBlocks

  /// Rows from `first` on.
  [[nodiscard]] QuantizedRows from(std::size_t first) const noexcept {
    return {codes + first * ld,
            scale + first * groups,
            sums + first * sub_blocks,
            ld,
            groups,
            sub_blocks,
            blocks,
            outlier == nullptr ? nullptr : outlier + first * groups};
  }

  [[nodiscard]] static constexpr std::size_t groups_of(std::size_t columns,
                                                       const QuantizedBlocks& blocks = kPackedBlocks) noexcept {
    return (columns + blocks.scale_columns - 1) / blocks.scale_columns;
  }
  [[nodiscard]] static constexpr std::size_t sub_blocks_of(std::size_t columns,
                                                           const QuantizedBlocks& blocks = kPackedBlocks) noexcept {
    return (columns + kSubBlock - 1) / kSubBlock * (kSubBlock / blocks.sum_columns);
  }
  /// Leading dimension: an odd number of cache lines, so that rows do not map to the same cache sets.
  [[nodiscard]] static constexpr std::size_t leading_dimension(std::size_t columns) noexcept {
    return ((columns + 63) / 64 | 1U) * 64;
  }
};

/// How much larger than all others of its block the largest value must be to become an outlier.
inline constexpr float kOutlierRatio = 1.5F;

/// Columns [first, first + count) of row r, with first a multiple of 128: code = round(x / scale), scale = max |x| /
/// 127 of each block. In kPackedBlocks, if one value is more than kOutlierRatio times as large as all others, these
/// give the scale, and the value is scale * (127 + extra) with its sign; extra is at most 2^21. A value that is not
/// finite makes the scale of its block NaN.   x: [count]   out.blocks: kPackedBlocks or kFineBlocks
TRINE_DECL void quantize_row(Isa isa, const float* x, std::size_t count, const QuantizedRows& out, std::size_t r,
                             std::size_t first = 0) noexcept;

}  // namespace trine::inline TRINE_ABI::kernels

#if TRINE_HEADER_ONLY
#include <trine/kernels/dispatch/quantize_rows.inl>
#endif
