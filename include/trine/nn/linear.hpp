// SPDX-License-Identifier: Apache-2.0
// A linear map without bias, and with one.
#pragma once

#include <optional>
#include <string_view>
#include <utility>

#include <trine/core/tensor.hpp>
#include <trine/core/workspace.hpp>
#include <trine/kernels/matmul.hpp>
#include <trine/kernels/vector_math.hpp>
#include <trine/weights/weight_scope.hpp>

namespace trine::inline TRINE_ABI {

class Linear {
 public:
  enum class Bias : bool { no, yes };

  /// Reads "weight" [out, in] as stored, and "bias" [out] if asked. The weight is borrowed. Throws WeightError.
  Linear(const WeightScope& scope, std::size_t in, std::size_t out, Bias bias = Bias::no)
      : weight_(scope.matrix("weight", out, in)) {
    if (bias == Bias::yes) bias_ = scope.read_f32("bias", out);
  }
  /// bias: [out]
  explicit Linear(const WeightMatrix& weight, std::optional<Tensor<float, 1>> bias = std::nullopt)
      : weight_(weight), bias_(std::move(bias)) {}

  /// y = x W^T + b.   x: [tokens, in]   y: [tokens, out], not aliasing x. Throws ShapeError.
  void forward(const Execution& execution, Workspace& workspace, View<const float, 2> x, View<float, 2> y) const {
    kernels::matmul(execution, workspace, x, weight_, y);
    add_bias(execution.isa, y);
  }
  /// The same for rows that were prepared for this weight, and perhaps for others.
  void forward(const Execution& execution, const kernels::ActivationRows& x, View<float, 2> y) const {
    kernels::matmul(execution, x, weight_, y);
    add_bias(execution.isa, y);
  }
  /// Columns [first, first + count) of rows index[0], index[1], ... in the calling thread; the same bits.
  /// y: [rows, count] at distance ldy   first: a multiple of 16   after: weights that will be read next, or null
  void forward_columns(const Execution& execution, const kernels::ActivationRows& x, const std::uint32_t* index,
                       std::size_t first_row, std::size_t rows, std::size_t first, std::size_t count, float* y,
                       std::size_t ldy, const void* after = nullptr) const {
    kernels::gemm(execution, x, index, first_row, rows, weight_.row_range(first, count), y, ldy, after);
    if (!bias_) return;
    const std::span<const float> bias = bias_->view().span().subspan(first, count);
    for (std::size_t r = 0; r < rows; ++r) kernels::add_to(execution.isa, bias, {y + r * ldy, count});
  }

  /// Where the weights of column `first` and those behind it lie, or null where there are none.
  [[nodiscard]] const void* weight_address(std::size_t first) const noexcept {
    return first < out() ? weight_.row_range(first, out() - first).address() : nullptr;
  }

  [[nodiscard]] std::size_t in() const noexcept { return weight_.columns; }
  [[nodiscard]] std::size_t out() const noexcept { return weight_.rows; }
  [[nodiscard]] const WeightMatrix& weight() const noexcept { return weight_; }
  [[nodiscard]] std::size_t parameters() const noexcept { return weight_.parameters() + (bias_ ? bias_->size() : 0); }

 private:
  void add_bias(Isa isa, View<float, 2> y) const {
    if (!bias_) return;
    for (std::size_t t = 0; t < y.extent(0); ++t) kernels::add_to(isa, bias_->view().span(), y.row(t));
  }

  WeightMatrix weight_;                   // [out, in]
  std::optional<Tensor<float, 1>> bias_;  // [out]
};

}  // namespace trine::inline TRINE_ABI
