// SPDX-License-Identifier: Apache-2.0
// Matrices of the same shape in one tensor, such as those of all experts of a layer.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include <trine/quant/weight_formats.hpp>

namespace trine::inline TRINE_ABI {

/// The layout of the matrices in the tensor. Packed tensors are always `stacked`, so that each matrix begins with a
/// panel.
enum class StackLayout : std::uint8_t {
  stacked,  ///< [count, projections * rows, columns], one projection after the other
  /// With scales: the same, but the rows of the projections alternate. Plain elements: the transpose of that, [count,
  /// columns, projections * rows].
  interleaved,
  /// Plain elements: the transpose of `stacked`, [count, columns, projections * rows].
  transposed,
};

/// Extents of a stacked tensor: `count` times `projections` matrices [rows, columns]; for example gate and up
/// projections.
struct StackShape {
  std::size_t count = 0;                      ///< experts
  std::size_t projections = 1;                ///< per expert
  std::size_t rows = 0;                       ///< outputs of one matrix
  std::size_t columns = 0;                    ///< inputs of one matrix
  StackLayout layout = StackLayout::stacked;  ///< layout in the tensor

  /// Returns whether a tensor of that type holds the transposed matrices.
  [[nodiscard]] constexpr bool is_transposed(DType dtype) const noexcept {
    return layout != StackLayout::stacked && is_plain_float(dtype);
  }
  /// The row of a projection among those of all projections of a matrix.
  [[nodiscard]] constexpr std::size_t joint_row(std::size_t projection, std::size_t row) const noexcept {
    return layout == StackLayout::interleaved ? row * projections + projection : projection * rows + row;
  }
  /// Of the tensor.
  [[nodiscard]] constexpr std::array<std::size_t, 3> extents(DType dtype) const noexcept {
    if (is_transposed(dtype)) return {count, columns, projections * rows};
    return {count, projections * rows, columns};
  }
};

/// The matrices of a stacked tensor, one by one. Borrows the tensor.
class WeightStack {
 public:
  /// all: the tensor as one matrix with the rows of all its matrices   first_target: see target()
  WeightStack(const WeightMatrix& all, const StackShape& shape, std::uint32_t first_target = 0) noexcept
      : all_(all), shape_(shape), first_target_(first_target) {}

  /// The number of matrices, and their extents.
  [[nodiscard]] const StackShape& shape() const noexcept { return shape_; }

  /// The number of such a matrix among the linear maps of the model.
  [[nodiscard]] std::uint32_t target(std::size_t index, std::size_t projection = 0) const noexcept {
    return first_target_ + static_cast<std::uint32_t>(index * shape_.projections + projection);
  }

  /// Matrix `index` [rows, columns] of a projection.
  [[nodiscard]] WeightMatrix matrix(std::size_t index, std::size_t projection = 0) const noexcept {
    const std::array<std::size_t, 3> extents = shape_.extents(all_.dtype);
    WeightMatrix part = all_.row_range(index * extents[1], extents[1]);
    if (shape_.is_transposed(all_.dtype)) part = part.transpose();
    if (shape_.projections == 1) return part;
    const bool alternate = shape_.layout == StackLayout::interleaved && !is_packed(all_.dtype);
    return alternate ? part.strided_rows(projection, shape_.projections)
                     : part.row_range(projection * shape_.rows, shape_.rows);
  }

 private:
  WeightMatrix all_;
  StackShape shape_;
  std::uint32_t first_target_;
};

}  // namespace trine::inline TRINE_ABI
