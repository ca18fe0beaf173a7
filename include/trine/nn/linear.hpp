// SPDX-License-Identifier: Apache-2.0
// A linear map without bias, and with one.
#pragma once

#include <optional>
#include <string_view>
#include <utility>

#include <trine/core/tensor.hpp>
#include <trine/kernels/gemm.hpp>
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
  explicit Linear(const AnyMatrix& weight, std::optional<Tensor<float, 1>> bias = std::nullopt)
      : weight_(weight), bias_(std::move(bias)) {}

  /// y = x W^T + b.   x: [tokens, in]   y: [tokens, out], not aliasing x. Allocates nothing. Throws ShapeError.
  void forward(const Execution& execution, View<const float, 2> x, View<float, 2> y) const {
    kernels::matmul(execution, x, weight_, y);
    if (!bias_) return;
    for (std::size_t t = 0; t < y.extent(0); ++t) kernels::add_to(execution.isa, bias_->view().span(), y.row(t));
  }
  /// Columns [first, first + count) of y in the calling thread; the same bits.   x: [tokens, in]   y: [tokens, out]
  void forward_columns(Isa isa, View<const float, 2> x, std::size_t first, std::size_t count, View<float, 2> y) const {
    kernels::gemm(isa, x.data(), x.extent(1), x.extent(0), weight_.row_range(first, count), y.data() + first,
                  y.extent(1));
    if (!bias_) return;
    const std::span<const float> bias = bias_->view().span().subspan(first, count);
    for (std::size_t t = 0; t < y.extent(0); ++t) kernels::add_to(isa, bias, y.row(t).subspan(first, count));
  }

  [[nodiscard]] std::size_t in() const noexcept { return weight_.columns; }
  [[nodiscard]] std::size_t out() const noexcept { return weight_.rows; }
  [[nodiscard]] const AnyMatrix& weight() const noexcept { return weight_; }
  [[nodiscard]] std::size_t parameters() const noexcept { return weight_.parameters() + (bias_ ? bias_->size() : 0); }

 private:
  AnyMatrix weight_;                      // [out, in]
  std::optional<Tensor<float, 1>> bias_;  // [out]
};

}  // namespace trine::inline TRINE_ABI
