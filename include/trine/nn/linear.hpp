// SPDX-License-Identifier: Apache-2.0
// A linear map, with or without bias: the only access to a weight. Layers call it for matmuls; the type and layout of a
// weight, and the rounding of its input, are known only here and below.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <initializer_list>
#include <optional>
#include <span>
#include <string_view>
#include <utility>

#include <trine/core/tensor.hpp>
#include <trine/kernels/matmul.hpp>
#include <trine/kernels/vector_math.hpp>
#include <trine/nn/forward_context.hpp>
#include <trine/quant/panel_copy.hpp>
#include <trine/weights/weight_scope.hpp>

namespace trine::inline TRINE_ABI {

/// The linear map y = x W^T + b. Hides the format of its weights from layers.
class Linear {
 public:
  /// Whether a checkpoint has a bias for the map.
  enum class Bias : bool {
    no,   ///< y = x W^T
    yes,  ///< y = x W^T + b
  };

  /// Reads "weight" [out, in] as stored, and "bias" [out] if requested. The weight is borrowed. Throws WeightError.
  Linear(const WeightScope& scope, std::size_t in, std::size_t out, Bias bias = Bias::no)
      : weight_(scope.matrix("weight", out, in)) {
    if (bias == Bias::yes) bias_ = scope.read_f32("bias", out);
  }
  /// bias: [out]
  explicit Linear(const WeightMatrix& weight, std::optional<Tensor<float, 1>> bias = std::nullopt)
      : weight_(weight), bias_(std::move(bias)) {}

  /// y = x W^T + b.   x: [tokens, in]   y: [tokens, out], not aliasing x. Throws ShapeError.
  void forward(const ForwardContext& context, View<const float, 2> x, View<float, 2> y) const;

  /// Columns [first, first + count) of y for rows index[0], index[1], ..., or from `first_row` on if `index` is null,
  /// in the calling thread; the same bits.   x: from prepare() or a buffer for this map   y: [rows, count], leading
  /// dimension ldy   first: a multiple of 16   after: weights to prefetch, or null
  void forward_columns(const ExecutionContext& execution, const kernels::ActivationRows& x, const std::uint32_t* index,
                       std::size_t first_row, std::size_t rows, std::size_t first, std::size_t count, float* y,
                       std::size_t ldy, const void* after = nullptr) const {
    kernels::gemm(execution, x, index, first_row, rows, weight_.row_range(first, count), y, ldy, after);
    if (!bias_) return;
    const std::span<const float> bias = bias_->view().span().subspan(first, count);
    for (std::size_t r = 0; r < rows; ++r) kernels::add_inplace(execution.isa, bias, {y + r * ldy, count});
  }
  /// The same for rows in f32, leading dimension ldx, without bias.
  void forward_columns(Isa isa, const float* x, std::size_t ldx, std::size_t rows, std::size_t first, std::size_t count,
                       float* y, std::size_t ldy) const {
    kernels::gemm(isa, x, ldx, rows, weight_.row_range(first, count), y, ldy);
  }
  /// y = x W, with rows [first, first + count) of W (columns of the map), in the calling thread.   x: [rows, count],
  /// leading dimension ldx   y: [rows, in], leading dimension ldy
  void forward_transposed(Isa isa, const float* x, std::size_t ldx, std::size_t rows, std::size_t first,
                          std::size_t count, float* y, std::size_t ldy) const {
    kernels::gemm(isa, x, ldx, rows, weight_.row_range(first, count).transpose(), y, ldy);
  }

  /// Returns whether columns of the map should be copied to panels (copy_columns) before many rows are multiplied with
  /// them. AMX tiles take bf16 only in panels; a map that is also used transposed is stored in plain rows.   columns:
  /// the numbers of columns to copy
  [[nodiscard]] bool wants_copies(const ExecutionContext& execution,
                                  std::initializer_list<std::size_t> columns) const noexcept {
    const std::size_t panel_rows = panel_copy_layout(weight_.rows, weight_.columns).row_block;
    const bool whole = std::ranges::all_of(columns, [=](std::size_t count) { return count % panel_rows == 0; });
    return execution.activations == ActivationPrecision::native && kernels::gains_from_panels(execution.isa, weight_) &&
           whole;
  }
  /// Bytes that copy_columns() needs for `count` columns.
  [[nodiscard]] std::size_t copy_bytes(std::size_t count) const noexcept {
    const WeightMatrix copy = panel_copy_layout(count, weight_.columns);
    return count / copy.row_block * copy.stride;
  }
  /// Columns [first, first + count) as a separate map, in `memory` [copy_bytes(count)].
  [[nodiscard]] Linear copy_columns(std::size_t first, std::size_t count, std::byte* memory) const {
    return Linear(copy_to_panels(weight_.row_range(first, count), memory));
  }
  /// A placeholder for such a copy, for the type of its input, before it exists.
  [[nodiscard]] Linear copy_without_weights(std::size_t count) const {
    return Linear(panel_copy_layout(count, weight_.columns));
  }

  /// The address of the weights from column `first` on, or null beyond the last: for prefetching.
  [[nodiscard]] const void* weight_address(std::size_t first) const noexcept {
    return first < out() ? weight_.row_range(first, out() - first).address() : nullptr;
  }

  /// Width of the input.
  [[nodiscard]] std::size_t in() const noexcept { return weight_.columns; }
  /// Width of the output.
  [[nodiscard]] std::size_t out() const noexcept { return weight_.rows; }
  /// W [out, in], as stored. Borrowed from the weight source.
  [[nodiscard]] const WeightMatrix& weight() const noexcept { return weight_; }
  /// b [out], or null.
  [[nodiscard]] const float* bias() const noexcept { return bias_ ? bias_->data() : nullptr; }
  /// Number of weights, including the bias.
  [[nodiscard]] std::size_t parameters() const noexcept { return weight_.parameters() + (bias_ ? bias_->size() : 0); }

 private:
  WeightMatrix weight_;                   // [out, in]
  std::optional<Tensor<float, 1>> bias_;  // [out]
};

/// One of several maps of an input.
struct Projection {
  const Linear& linear;  ///< the map
  View<float, 2> y;      ///< [rows, out], output
};

/// y_i = x W_i^T + b_i for up to kernels::kMaxProducts maps: x is rounded once for all of them, and their matmuls are
/// one parallel region.   x: [rows, in], not aliasing any y. Throws ShapeError.
inline void project(const ForwardContext& context, View<const float, 2> x,
                    std::initializer_list<Projection> projections) {
  const Workspace::Scope scope(context.workspace);
  std::array<const WeightMatrix*, kernels::kMaxProducts> weights{};
  std::array<kernels::Product, kernels::kMaxProducts> products{};
  std::size_t count = 0;
  for (const Projection& p : projections) {
    weights[count] = &p.linear.weight();
    products[count++] = {&p.linear.weight(), p.linear.bias(), p.y};
  }
  const kernels::ActivationRows rows = kernels::prepare(context.execution, context.workspace, x,
                                                        std::span<const WeightMatrix* const>(weights).first(count));
  kernels::matmul(context.execution, rows, std::span<const kernels::Product>(products).first(count));
}

/// x in the types that these maps take, rounded once for all of them.   x: [rows, in], borrowed. The result is taken
/// from the workspace.
[[nodiscard]] inline kernels::ActivationRows prepare_input(const ForwardContext& context, View<const float, 2> x,
                                                           std::span<const Linear* const> linears) {
  const std::span<const WeightMatrix*> weights = context.workspace.take<const WeightMatrix*>(linears.size());
  std::ranges::transform(linears, weights.begin(), [](const Linear* linear) { return &linear->weight(); });
  return kernels::prepare(context.execution, context.workspace, x, weights);
}

/// Room for `rows` rows of input of these maps, with the width of the widest, stored row by row; f32 is included only
/// if requested. The result is taken from the workspace.
[[nodiscard]] inline kernels::ActivationBuffer input_buffer(const ForwardContext& context, std::size_t rows,
                                                            std::span<const Linear* const> linears,
                                                            bool with_f32 = false) {
  const std::span<const WeightMatrix*> weights = context.workspace.take<const WeightMatrix*>(linears.size());
  std::ranges::transform(linears, weights.begin(), [](const Linear* linear) { return &linear->weight(); });
  std::size_t columns = 0;
  for (const Linear* linear : linears) columns = std::max(columns, linear->in());
  return {context.execution, context.workspace, rows, columns, weights, with_f32};
}
/// The same for a list of maps, without f32 unless one of them takes it.
[[nodiscard]] inline kernels::ActivationBuffer input_buffer(const ForwardContext& context, std::size_t rows,
                                                            std::initializer_list<const Linear*> linears) {
  return input_buffer(context, rows, std::span(linears.begin(), linears.size()));
}

inline void Linear::forward(const ForwardContext& context, View<const float, 2> x, View<float, 2> y) const {
  project(context, x, {{*this, y}});
}

}  // namespace trine::inline TRINE_ABI
