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
#include <trine/nn/input_observer.hpp>
#include <trine/nn/low_rank_updates.hpp>
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
      : weight_(scope.matrix("weight", out, in)), target_(scope.add_linear(weight_)) {
    if (bias == Bias::yes) bias_ = scope.read_f32("bias", out);
  }
  /// Matrix number `index` of a projection of a stack.   bias: [out]
  explicit Linear(const WeightStack& stack, std::size_t index, std::size_t projection = 0,
                  std::optional<Tensor<float, 1>> bias = std::nullopt)
      : weight_(stack.matrix(index, projection)), bias_(std::move(bias)), target_(stack.target(index, projection)) {}
  /// The map of that name with weights that lie elsewhere, such as a head that is tied to the embedding; its "bias"
  /// [out] is read if requested. Throws WeightError.
  Linear(const WeightScope& scope, const WeightMatrix& weight, Bias bias = Bias::no)
      : weight_(weight), target_(scope.add_linear(weight)) {
    if (bias == Bias::yes) bias_ = scope.read_f32("bias", out());
  }
  /// The same with a bias that lies elsewhere.   bias: [out]
  Linear(const WeightScope& scope, const WeightMatrix& weight, std::optional<Tensor<float, 1>> bias)
      : weight_(weight), bias_(std::move(bias)), target_(scope.add_linear(weight)) {}
  /// A map that adapters do not know.   bias: [out]
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
  /// Its number among the linear maps of the model (LinearMaps), by which adapters find it.
  [[nodiscard]] std::uint32_t target() const noexcept { return target_; }

  /// What the adapters of the context do to it.   slots: see LowRankUpdates
  [[nodiscard]] LowRankUpdates updates(const ForwardContext& context, const std::uint32_t* slots, std::size_t n) const {
    if (context.adapters.empty() || target_ == kNoTarget) return {};
    return {context.workspace, target_, in(), out(), bias(), context.adapters, slots, n};
  }
  /// What the adapters of a sequence do to it: for those who multiply with some columns of it. Of a map without bias.
  [[nodiscard]] SequenceUpdates updates(const SequenceSlice& sequence) const {
    return {sequence.adapters, target_, in(), out()};
  }

 private:
  WeightMatrix weight_;                   // [out, in]
  std::optional<Tensor<float, 1>> bias_;  // [out]
  std::uint32_t target_ = kNoTarget;
};

/// One of several maps of an input.
struct Projection {
  const Linear& linear;  ///< the map
  View<float, 2> y;      ///< [rows, out], output
};

namespace detail {

// y += what the adapters of the context do, in two parallel regions for all maps. Only if there are any.
inline void add_updates(const ForwardContext& context, View<const float, 2> x,
                        std::initializer_list<Projection> projections) {
  std::array<LowRankUpdates, kernels::kMaxProducts> updates;
  std::array<const Projection*, kernels::kMaxProducts> maps{};
  std::size_t count = 0;
  std::size_t pieces = 0;
  std::size_t work = 0;
  std::size_t blocks = 0;
  constexpr std::size_t kColumns = 256;  // of a task
  const auto blocks_of = [](const Projection& p) { return (p.linear.out() + kColumns - 1) / kColumns; };
  for (const Projection& p : projections) {
    updates[count] = p.linear.updates(context, nullptr, x.extent(0));
    if (updates[count].empty()) continue;
    pieces += updates[count].pieces();
    work += updates[count].work();
    blocks += blocks_of(p);
    maps[count++] = &p;
  }
  if (count == 0) return;
  const std::size_t threads = work < kernels::kTaskWork ? 1 : context.execution.num_threads;
  const Isa isa = context.execution.isa;
  parallel_for(context.execution, threads, pieces, [&](std::size_t piece) {
    std::size_t i = 0;
    for (; piece >= updates[i].pieces(); ++i) piece -= updates[i].pieces();
    updates[i].multiply(isa, piece, x.data(), x.extent(1));
  });
  parallel_for(context.execution, threads, blocks, [&](std::size_t block) {
    std::size_t i = 0;
    for (; block >= blocks_of(*maps[i]); ++i) block -= blocks_of(*maps[i]);
    const View<float, 2> y = maps[i]->y;
    const std::size_t first = block * kColumns;
    updates[i].add(isa, 0, y.extent(0), first, std::min(kColumns, y.extent(1) - first), y.data() + first, y.extent(1),
                   x.data(), x.extent(1));
  });
}

}  // namespace detail

/// y_i = x W_i^T + b_i for up to kernels::kMaxProducts maps, with the updates of the context's adapters: x is rounded
/// once for all of them, and their matmuls are one parallel region.   x: [rows, in], not aliasing any y. Throws
/// ShapeError.
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
  if (!context.adapters.empty()) detail::add_updates(context, x, projections);
  if (context.inputs == nullptr) return;
  for (const Projection& p : projections)
    if (p.linear.target() != kNoTarget) context.inputs->on_input({p.linear.target(), x, nullptr, x.extent(0)});
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
