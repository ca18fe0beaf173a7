// SPDX-License-Identifier: Apache-2.0
// Views as Eigen maps and back, without a copy: an application passes its matrices in and reads logits out.
// Included explicitly; no other header of trine needs Eigen.
#pragma once

#include <cstddef>
#include <type_traits>

#include <Eigen/Core>

#include <trine/core/error.hpp>
#include <trine/core/tensor_view.hpp>

namespace trine::inline TRINE_ABI {

/// Row-major like views, and without required alignment: the layout of the map does not depend on compiler flags.
template <class T>
using EigenMatrix = Eigen::Matrix<std::remove_const_t<T>, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
/// A map of such a matrix; of const elements if `T` is const.
template <class T>
using EigenMap =
    Eigen::Map<std::conditional_t<std::is_const_v<T>, const EigenMatrix<T>, EigenMatrix<T>>, Eigen::Unaligned>;

/// The same memory as an Eigen matrix [rows, columns].
template <class T>
[[nodiscard]] EigenMap<T> as_eigen(View<T, 2> view) {
  return {view.data(), static_cast<Eigen::Index>(view.extent(0)), static_cast<Eigen::Index>(view.extent(1))};
}

/// The same memory as an Eigen column vector.
template <class T>
[[nodiscard]] auto as_eigen(View<T, 1> view) {
  using Vector = Eigen::Matrix<std::remove_const_t<T>, Eigen::Dynamic, 1>;
  using Map = Eigen::Map<std::conditional_t<std::is_const_v<T>, const Vector, Vector>, Eigen::Unaligned>;
  return Map(view.data(), static_cast<Eigen::Index>(view.extent(0)));
}

/// A row-major Eigen matrix, map or block, or a vector, as a view; borrows from it. Throws ShapeError if its elements
/// are not contiguous.
template <class Derived>
requires(bool(Derived::IsRowMajor) || Derived::ColsAtCompileTime == 1)
    [[nodiscard]] View<const typename Derived::Scalar, 2> as_view(const Eigen::DenseBase<Derived>& matrix) {
  const Derived& dense = matrix.derived();
  const auto rows = static_cast<std::size_t>(dense.rows());
  const auto columns = static_cast<std::size_t>(dense.cols());
  const bool one_line = rows <= 1 || columns <= 1;
  if ((rows * columns > 1 && dense.innerStride() != 1) || (!one_line && dense.outerStride() != dense.cols()))
    throw ShapeError("Eigen matrix: expected elements without gaps between them");
  return {dense.data(), {rows, columns}};
}
/// A view of a temporary matrix would dangle.
template <class Derived>
void as_view(const Eigen::PlainObjectBase<Derived>&&) = delete;

/// The same for writing. A mutable Eigen expression is passed as an lvalue.
template <class Derived>
requires(bool(Derived::IsRowMajor) || Derived::ColsAtCompileTime == 1)
    [[nodiscard]] View<typename Derived::Scalar, 2> as_mutable_view(Eigen::DenseBase<Derived>& matrix) {
  const auto view = as_view(matrix);
  return {matrix.derived().data(), view.shape()};
}

}  // namespace trine::inline TRINE_ABI
