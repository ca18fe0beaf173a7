// SPDX-License-Identifier: Apache-2.0
// A matrix of weights as it is stored: element type known at run time, memory borrowed from the weight source.
#pragma once

#include <array>
#include <cstddef>

#include <trine/core/dtype.hpp>

namespace trine::inline TRINE_ABI {

/// Scales that stored codes are multiplied with: one for each block of `block_rows` x `block_columns` codes.
struct BlockScales {
  const std::byte* data = nullptr;
  DType dtype = DType::f32;  // f32, bf16 or f16; u8: the exponent of a power of two, biased by 127 (MXFP4)
  std::size_t stride = 0;    // scales of a row of blocks
  std::size_t block_rows = 1;
  std::size_t block_columns = 1;
};

/// A logical [rows, columns] for y = x W^T: rows are outputs. It looks at a stored matrix, row-major, whose rows lie
/// `stride` elements apart: at all of it, at some rows or columns, or at its transpose. Copying it copies no weights.
///
///   dtype           a stored element is
///   f32, bf16, f16  the number
///   f8_e4m3         a code, times its block's scale (DeepSeek: blocks of 128 x 128)
///   u8              two codes of FP4 E2M1, the first in the low four bits, times the scale of 32 in a row (MXFP4, OCP
///                   Microscaling Formats 1.0); `stride` counts codes
///   q8, q4          packed in panels of 16 rows (quant/packed.hpp), `stride` bytes apart, with their scales
///   bf16_panels     the same, the numbers themselves
struct WeightMatrix {
  const std::byte* data = nullptr;  // stored element (0, 0)
  DType dtype = DType::f32;
  std::size_t rows = 0;
  std::size_t columns = 0;
  bool transposed = false;  // logical (r, c) is stored (c, r)
  std::size_t stride = transposed ? rows : columns;
  BlockScales scales = {};
  std::array<std::size_t, 2> first = {0, 0};  // stored row and column of logical (0, 0)
  std::array<std::size_t, 2> step = {1, 1};   // between neighbours, along stored rows and stored columns

  [[nodiscard]] std::size_t parameters() const noexcept { return rows * columns; }

  /// Rows [begin, begin + count).
  [[nodiscard]] WeightMatrix row_range(std::size_t begin, std::size_t count) const noexcept {
    WeightMatrix part = *this;
    part.first[row_axis()] += begin * step[row_axis()];
    part.rows = count;
    return part;
  }
  /// Rows begin, begin + every, ...: with every = 2 the even or the odd ones.
  [[nodiscard]] WeightMatrix strided_rows(std::size_t begin, std::size_t every) const noexcept {
    WeightMatrix part = row_range(begin, (rows - begin + every - 1) / every);
    part.step[row_axis()] *= every;
    return part;
  }
  /// W^T: a product with it is y = x W.
  [[nodiscard]] WeightMatrix transpose() const noexcept {
    WeightMatrix other = *this;
    other.transposed = !transposed;
    other.rows = columns;
    other.columns = rows;
    return other;
  }

  /// Are rows contiguous numbers that kernels may read as they are?
  [[nodiscard]] bool has_plain_rows() const noexcept { return is_plain_float(dtype) && !transposed && step[1] == 1; }
  /// The same of columns, where it is a transpose.
  [[nodiscard]] bool has_plain_columns() const noexcept { return is_plain_float(dtype) && transposed && step[1] == 1; }
  /// Elements from one row to the next, where rows are plain; from one column to the next, where columns are.
  [[nodiscard]] std::size_t row_stride() const noexcept { return stride * step[0]; }

  /// Where stored element (0, 0) of this view of plain floats lies.
  [[nodiscard]] const std::byte* begin() const noexcept {
    return data + (first[0] * stride + first[1]) * size_bytes(dtype);
  }
  /// Is it packed, and rows from the beginning of a panel on?
  [[nodiscard]] bool has_panels() const noexcept {
    return is_packed(dtype) && !transposed && step[0] == 1 && first[0] % 16 == 0;
  }
  /// The first of its panels, which are `stride` bytes apart.
  [[nodiscard]] const std::byte* panels() const noexcept { return data + first[0] / 16 * stride; }
  /// Where the first of its rows begins in memory.
  [[nodiscard]] const void* address() const noexcept { return is_packed(dtype) ? panels() : begin(); }
  /// Calls `use(const T* rows)` with plain rows, row_stride() apart. Throws WeightError for any other dtype.
  template <class Use>
  decltype(auto) visit(Use&& use) const {
    return visit_dtype(dtype,
                       [&]<class T>(const T*) -> decltype(auto) { return use(reinterpret_cast<const T*>(begin())); });
  }

 private:
  [[nodiscard]] std::size_t row_axis() const noexcept { return transposed ? 1 : 0; }
};

}  // namespace trine::inline TRINE_ABI
