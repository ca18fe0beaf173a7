// SPDX-License-Identifier: Apache-2.0
// A borrowed, dense, row-major tensor: a pointer and its extents. The last dimension is contiguous.
#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <type_traits>

#include <trine/core/abi.hpp>

namespace trine::inline TRINE_ABI {

/// View<float, 2> is [rows, columns] in memory that it does not own. Copying it copies a pointer.
template <class T, std::size_t Rank>
class View {
  static_assert(Rank >= 1);

 public:
  /// The element without const.
  using value_type = std::remove_cv_t<T>;
  /// Extents, the first axis first.
  using Shape = std::array<std::size_t, Rank>;

  /// An empty view with extents of 0.
  constexpr View() noexcept = default;
  /// Borrows the product of the extents of `shape` elements from `data` on.
  constexpr View(T* data, const Shape& shape) noexcept : data_(data), shape_(shape) {}

  /// A view of mutable elements is also a view of const elements.
  template <class U>
  requires(std::is_same_v<const U, T> && !std::is_const_v<U>) constexpr View(const View<U, Rank>& other) noexcept
      : data_(other.data()), shape_(other.shape()) {}

  /// The first element.
  [[nodiscard]] constexpr T* data() const noexcept { return data_; }
  /// Extents, the first axis first.
  [[nodiscard]] constexpr const Shape& shape() const noexcept { return shape_; }
  /// Extent of one dimension, which must be below Rank (not checked).
  [[nodiscard]] constexpr std::size_t extent(std::size_t axis) const noexcept { return shape_[axis]; }

  /// Number of elements: the product of the extents.
  [[nodiscard]] constexpr std::size_t size() const noexcept {
    std::size_t product = 1;
    for (const std::size_t extent : shape_) product *= extent;
    return product;
  }

  /// All elements, in order.
  [[nodiscard]] constexpr std::span<T> span() const noexcept { return {data_, size()}; }

  /// Element `i` of a vector. Not checked.
  [[nodiscard]] constexpr T& operator[](std::size_t i) const noexcept requires(Rank == 1) { return data_[i]; }

  /// One element of a matrix. Not checked.
  [[nodiscard]] constexpr T& operator()(std::size_t row, std::size_t column) const noexcept requires(Rank == 2) {
    return data_[row * shape_[1] + column];
  }

  /// Row `i` of a matrix.
  [[nodiscard]] constexpr std::span<T> row(std::size_t i) const noexcept requires(Rank == 2) {
    return {data_ + i * shape_[1], shape_[1]};
  }

  /// Entries [first, first + count) of the first dimension.
  [[nodiscard]] constexpr View slice(std::size_t first, std::size_t count) const noexcept {
    Shape shape = shape_;
    shape[0] = count;
    std::size_t stride = 1;
    for (std::size_t axis = 1; axis < Rank; ++axis) stride *= shape_[axis];
    return {data_ + first * stride, shape};
  }

 private:
  T* data_ = nullptr;
  Shape shape_{};
};

}  // namespace trine::inline TRINE_ABI
