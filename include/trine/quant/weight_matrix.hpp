// SPDX-License-Identifier: Apache-2.0
// A weight matrix as stored: its element type is known at run time, its memory is borrowed from the weight source.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include <trine/core/dtype.hpp>
#include <trine/core/float8_e4m3.hpp>

namespace trine::inline TRINE_ABI {

/// Scales of stored values: one for each block of `block_rows` x `block_columns` values; and, if the format has any,
/// zero points of the same blocks.
struct BlockScales {
  const std::byte* data = nullptr;  ///< scale of block (0, 0); borrowed
  /// f32, bf16, f16 or f8_e4m3; u8: the exponent of a power of two, biased by 127 (MXFP4)
  DType dtype = DType::f32;
  std::size_t stride = 0;         ///< scales of a row of blocks
  std::size_t block_rows = 1;     ///< rows that share a scale
  std::size_t block_columns = 1;  ///< columns that share a scale

  const std::byte* zeros = nullptr;        ///< zero points, packed as the format says; null: the middle of the codes
  std::size_t zeros_stride = 0;            ///< their elements or words from one row to the next
  int zeros_offset = 0;                    ///< is added to each
  const std::int32_t* block_of = nullptr;  ///< [inputs] the block of each input; null: they are consecutive
  float factor = 1.0F;                     ///< of the whole tensor: a scale is its stored value * factor / divisor,
  float divisor = 1.0F;                    ///< rounded to f32; one of the two is 1

  /// The stored value at `index`, of a type that is not u8.
  [[nodiscard]] float value(std::size_t index) const noexcept {
    switch (dtype) {
      case DType::bf16:
        return static_cast<float>(reinterpret_cast<const bfloat16*>(data)[index]);
      case DType::f16:
        return static_cast<float>(reinterpret_cast<const float16*>(data)[index]);
      case DType::f8_e4m3:
        return kFloat8E4M3Values[std::to_integer<std::size_t>(data[index])];
      default:
        return reinterpret_cast<const float*>(data)[index];
    }
  }
};

/// A logical [rows, columns] for y = x W^T: rows are outputs. It is a view of a stored row-major matrix, of some of its
/// rows or columns, or of its transpose. Copying it copies no weights.
///
/// `dtype` says in which format (quant/weight_formats.hpp) the values are stored. Create one of a block format with
/// `stored_matrix`, which knows its layout.
struct WeightMatrix {
  const std::byte* data = nullptr;  ///< stored element (0, 0)
  DType dtype = DType::f32;         ///< type of the elements, or a block format
  std::size_t rows = 0;             ///< outputs
  std::size_t columns = 0;          ///< inputs
  bool transposed = false;          ///< logical (r, c) is stored at (c, r)
  /// Leading dimension: elements from a stored row to the next. In a block format: bytes from a row of blocks to the
  /// next.
  std::size_t stride = transposed ? rows : columns;
  BlockScales scales = {};                    ///< for formats with a separate tensor of scales
  std::array<std::size_t, 2> first = {0, 0};  ///< stored row and column of logical (0, 0)
  std::array<std::size_t, 2> step = {1, 1};   ///< strides along stored rows and stored columns
  std::size_t row_block = 1;                  ///< stored rows per row of blocks

  /// Number of weights; scales do not count.
  [[nodiscard]] std::size_t parameters() const noexcept { return rows * columns; }

  /// Rows [begin, begin + count).
  [[nodiscard]] WeightMatrix row_range(std::size_t begin, std::size_t count) const noexcept {
    WeightMatrix part = *this;
    part.first[row_axis()] += begin * step[row_axis()];
    part.rows = count;
    return part;
  }
  /// Rows begin, begin + every, ...; with every = 2, the even or the odd ones.
  [[nodiscard]] WeightMatrix strided_rows(std::size_t begin, std::size_t every) const noexcept {
    WeightMatrix part = row_range(begin, (rows - begin + every - 1) / every);
    part.step[row_axis()] *= every;
    return part;
  }
  /// W^T: a matmul with it is y = x W.
  [[nodiscard]] WeightMatrix transpose() const noexcept {
    WeightMatrix other = *this;
    other.transposed = !transposed;
    other.rows = columns;
    other.columns = rows;
    return other;
  }

  /// Returns whether rows are contiguous elements that kernels can read directly.
  [[nodiscard]] bool has_plain_rows() const noexcept { return is_plain_float(dtype) && !transposed && step[1] == 1; }
  /// The same for columns, if it is transposed.
  [[nodiscard]] bool has_plain_columns() const noexcept { return is_plain_float(dtype) && transposed && step[1] == 1; }
  /// Leading dimension: elements from one row to the next if rows are plain, from one column to the next if columns
  /// are.
  [[nodiscard]] std::size_t row_stride() const noexcept { return stride * step[0]; }

  /// The address of element (0, 0) of this view, for element types.
  [[nodiscard]] const std::byte* begin() const noexcept {
    return data + (first[0] * stride + first[1]) * size_bytes(dtype);
  }
  /// Returns whether its rows are complete stored rows and begin with a row of blocks, so that a kernel for a block
  /// format can read them directly.
  [[nodiscard]] bool has_whole_rows() const noexcept {
    return !transposed && step[0] == 1 && step[1] == 1 && first[1] == 0 && first[0] % row_block == 0;
  }
  /// The address of its first row; in a block format, of its first row of blocks.
  [[nodiscard]] const std::byte* address() const noexcept {
    return size_bytes(dtype) == 0 ? data + first[0] / row_block * stride : begin();
  }
  /// Calls `use(const T* rows)` with plain rows, leading dimension row_stride(). Throws WeightError for any other
  /// dtype.
  template <class Use>
  decltype(auto) visit(Use&& use) const {
    return visit_dtype(dtype,
                       [&]<class T>(const T*) -> decltype(auto) { return use(reinterpret_cast<const T*>(begin())); });
  }

 private:
  [[nodiscard]] std::size_t row_axis() const noexcept { return transposed ? 1 : 0; }
};

}  // namespace trine::inline TRINE_ABI
