// SPDX-License-Identifier: Apache-2.0
// A weight format: one row of the table in quant/weight_formats.hpp.
#pragma once

#include <cstddef>
#include <string_view>

#include <trine/core/dtype.hpp>
#include <trine/quant/weight_matrix.hpp>

namespace trine::inline TRINE_ABI {

/// How weight matrices are stored. Layers and readers use these properties and name no format.
///
/// A stored matrix is rows of blocks, one after the other: `block_rows` rows each, whose values are stored together. A
/// plain format has blocks of one value. kernels/weight_kernels.hpp lists the kernels of each format.
struct WeightFormat {
  DType dtype;            ///< of matrices; of stored tensors, too, unless `codes_suffix` says otherwise
  std::string_view name;  ///< in manifests, messages and options

  std::size_t block_rows = 1;     ///< slices of rows that a kernel can read directly begin at multiples of this
  std::size_t block_columns = 1;  ///< values of a row in one block
  /// The columns of a matrix to be encoded must be a multiple of this. Blocks at the end of a row may be shorter if it
  /// is less than `block_columns`.
  std::size_t column_multiple = 1;
  std::size_t alignment = 1;  ///< bytes, of the first block
  /// Bytes of a row of blocks with `columns` columns, < 2^56, without scales in a separate tensor.
  std::size_t (*row_bytes)(std::size_t columns) noexcept = nullptr;

  /// out[k * out_step] = stored value (row, column + k * w.step[1]) for k < count, as f32; a quantised value times its
  /// scale, plus its minimum if there is one, is rounded once.
  void (*decode)(const WeightMatrix& w, std::size_t row, std::size_t column, std::size_t count, float* out,
                 std::size_t out_step) noexcept = nullptr;
  /// Stores w, row-major [rows, columns] of finite values, at `out`. Rows of blocks are independent of each other.
  /// importance: [columns], how much the square of an error of each column counts, or null: equally; formats without a
  /// choice ignore it. Null if trine only reads the format.
  void (*encode)(const float* w, std::size_t ldw, std::size_t rows, std::size_t columns, const float* importance,
                 std::byte* out) noexcept = nullptr;

  bool in_checkpoints = false;  ///< published checkpoints may use it
  bool in_native_file = false;  ///< weights.bin may contain it
  bool is_conversion = false;   ///< a target of conversion, selected by its name
  /// Scales and zero points lie in other tensors, which the reader of a checkpoint puts into WeightMatrix::scales.
  bool has_separate_scales = false;
  /// Values are multiplied by WeightMatrix::scales.factor, for which a file may have a tensor.
  bool has_tensor_scale = false;
  const WeightFormat* copy_of = nullptr;  ///< the format whose elements this one holds, bit by bit, in kernel order
  int ggml_type = -1;                     ///< its number in GGUF files; -1: they cannot contain it

  /// For a matrix NAME with separate scales: NAME + codes_suffix holds the quantised values, NAME + scales_suffix one
  /// scale for each block.
  std::string_view codes_suffix = {};
  std::string_view scales_suffix = {};  ///< empty: there is no such tensor
  DType stored_codes = DType::f32;      ///< element types of these two tensors; scales in f32 may be any plain float
  DType stored_scales = DType::f32;     ///< element type of the scales
  std::size_t stored_block_bytes = 0;   ///< last extent of values [rows, blocks of a row, bytes]; 0: [rows, columns]

  /// Returns whether the scales are in a separate tensor.
  [[nodiscard]] constexpr bool has_scale_tensor() const noexcept { return !scales_suffix.empty(); }
  /// The type of the tensor that holds its values.
  [[nodiscard]] constexpr DType tensor_dtype() const noexcept { return has_scale_tensor() ? stored_codes : dtype; }
};

}  // namespace trine::inline TRINE_ABI
