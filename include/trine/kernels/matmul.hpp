// SPDX-License-Identifier: Apache-2.0
// Multithreaded matmul, with activations in the type that suits the weights: y = x W^T.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>

#include <trine/core/shape.hpp>
#include <trine/core/tensor_view.hpp>
#include <trine/core/workspace.hpp>
#include <trine/kernels/gemm.hpp>
#include <trine/kernels/vector_math.hpp>
#include <trine/kernels/weight_kernels.hpp>
#include <trine/platform/parallel_for.hpp>
#include <trine/platform/parallel_rows.hpp>

namespace trine::inline TRINE_ABI::kernels {

enum class ActivationType : std::uint8_t {
  f32,
  bf16,
  q8,       ///< int8 in kPackedBlocks
  q8_fine,  ///< int8 in kFineBlocks
};

/// The activation type of a matmul with these weights:
///   q8    with weights that have an int8 kernel, or q8_fine, as the kernel requires,
///   bf16  with bf16 weights, if `execution` says native and the CPU has bf16 dot products (with AMX: in panels),
///   f32   with all others, and with any if `execution` says f32.
[[nodiscard]] inline ActivationType activation_type(const ExecutionContext& execution, const WeightMatrix& w) noexcept {
  if (execution.activations == ActivationPrecision::f32) return ActivationType::f32;
  if (execution.activations == ActivationPrecision::native && multiplies_bf16(execution.isa, w))
    return ActivationType::bf16;
  const WeightKernels& kernels = kernels_of(w.dtype);
  if (kernels.q8 == nullptr || !w.has_whole_rows()) return ActivationType::f32;
  return kernels.q8_blocks == kFineBlocks ? ActivationType::q8_fine : ActivationType::q8;
}

/// Rows of activations in each type that the following matmuls take; the others are null.
struct ActivationRows {
  std::size_t rows = 0;
  std::size_t columns = 0;
  RowsOf<float> f32{nullptr, 0};
  RowsOf<bfloat16> bf16{nullptr, 0};
  QuantizedRows q8 = {};
  QuantizedRows q8_fine = {};
};

/// Memory for such rows, valid as long as the scope of the workspace in which it was created.
class ActivationBuffer {
 public:
  /// Columns that are rounded together, as they share a scale.
  static constexpr std::size_t kColumnBlock = kScaleBlock;

  ActivationBuffer() = default;
  /// Room for the types that matmuls with these weights take; f32 is included only if requested.
  ActivationBuffer(const ExecutionContext& execution, Workspace& workspace, std::size_t rows, std::size_t columns,
                   std::span<const WeightMatrix* const> weights, bool with_f32)
      : rows_{.rows = rows, .columns = columns} {
    const auto wanted = [&](ActivationType type) {
      return std::ranges::any_of(weights,
                                 [&](const WeightMatrix* w) { return activation_type(execution, *w) == type; });
    };
    if (with_f32 && wanted(ActivationType::f32)) {
      f32_ = workspace.take<float>(rows * columns).data();
      rows_.f32 = {f32_, columns};
    }
    if (wanted(ActivationType::bf16)) {
      const std::size_t ld = ((columns + 31) / 32 | 1U) * 32;  // an odd number of cache lines
      bf16_ = workspace.take<bfloat16>(rows * ld).data();
      rows_.bf16 = {bf16_, ld};
    }
    if (wanted(ActivationType::q8)) rows_.q8 = quantized(workspace, rows, columns, kPackedBlocks);
    if (wanted(ActivationType::q8_fine)) rows_.q8_fine = quantized(workspace, rows, columns, kFineBlocks);
  }

  [[nodiscard]] bool rounds() const noexcept {
    return bf16_ != nullptr || rows_.q8.codes != nullptr || rows_.q8_fine.codes != nullptr;
  }
  [[nodiscard]] const ActivationRows& rows() const noexcept { return rows_; }

  /// Columns [first, first + count) of row r, in each type.   first: a multiple of kColumnBlock
  void store(Isa isa, std::size_t r, std::size_t first, std::span<const float> x) const noexcept {
    if (f32_ != nullptr) std::ranges::copy(x, f32_ + r * rows_.f32.ld + first);
    if (bf16_ != nullptr) round_to_bf16(isa, x.data(), x.size(), bf16_ + r * rows_.bf16.ld + first);
    for (const QuantizedRows* rows : {&rows_.q8, &rows_.q8_fine})
      if (rows->codes != nullptr) quantize_row(isa, x.data(), x.size(), *rows, r, first);
  }

 private:
  [[nodiscard]] static QuantizedRows quantized(Workspace& workspace, std::size_t rows, std::size_t columns,
                                               const QuantizedBlocks& blocks) {
    const std::size_t ld = QuantizedRows::leading_dimension(columns);
    const std::size_t groups = QuantizedRows::groups_of(columns, blocks);
    const std::size_t sub_blocks = QuantizedRows::sub_blocks_of(columns, blocks);
    return {workspace.take<std::int8_t>(rows * ld).data(),
            workspace.take<float>(rows * groups).data(),
            workspace.take<std::int32_t>(rows * sub_blocks).data(),
            ld,
            groups,
            sub_blocks,
            blocks,
            blocks == kPackedBlocks ? workspace.take<Outlier>(rows * groups).data() : nullptr};
  }

  ActivationRows rows_;
  float* f32_ = nullptr;
  bfloat16* bf16_ = nullptr;
};

/// x in the types that these weights take, rounded once for all of them.   x: [rows, columns], borrowed
[[nodiscard]] inline ActivationRows prepare(const ExecutionContext& execution, Workspace& workspace,
                                            View<const float, 2> x, std::span<const WeightMatrix* const> weights) {
  const std::size_t rows = x.extent(0);
  const std::size_t columns = x.extent(1);
  const ActivationBuffer buffer(execution, workspace, rows, columns, weights, false);
  if (buffer.rounds()) {
    parallel_rows(execution, rows, columns, [&](std::size_t r) { buffer.store(execution.isa, r, 0, x.row(r)); });
  }
  ActivationRows prepared = buffer.rows();
  prepared.f32 = {x.data(), columns};
  return prepared;
}
[[nodiscard]] inline ActivationRows prepare(const ExecutionContext& execution, Workspace& workspace,
                                            View<const float, 2> x,
                                            std::initializer_list<const WeightMatrix*> weights) {
  return prepare(execution, workspace, x, std::span(weights.begin(), weights.size()));
}

/// y[r, o] = sum_i x[index[r], i] w(o, i) in the calling thread, index[r] = first + r if `index` is null.
/// y: [rows, w.rows], leading dimension ldy   after: weights to prefetch, or null
inline void gemm(const ExecutionContext& execution, const ActivationRows& x, const std::uint32_t* index,
                 std::size_t first, std::size_t rows, const WeightMatrix& w, float* y, std::size_t ldy,
                 const void* after = nullptr) {
  const WeightKernels& kernels = kernels_of(w.dtype);
  switch (activation_type(execution, w)) {
    case ActivationType::f32:
      return kernels.f32(execution.isa, x.f32.from(first, index), rows, w, y, ldy, after);
    case ActivationType::bf16:
      return kernels.bf16(execution.isa, x.bf16.from(first, index), rows, w, y, ldy, after);
    case ActivationType::q8:
      return kernels.q8(execution.isa, index == nullptr ? x.q8.from(first) : x.q8, index, rows, w, y, ldy, after);
    case ActivationType::q8_fine:
      return kernels.q8(execution.isa, index == nullptr ? x.q8_fine.from(first) : x.q8_fine, index, rows, w, y, ldy,
                        after);
  }
}

/// Multiply-adds that justify a separate task: some microseconds, more than it takes to wake a thread.
inline constexpr std::size_t kTaskWork = std::size_t{1} << 17U;

/// The part of y = x W^T that one task computes: a block of rows and columns, the latter all columns or whole tiles of
/// packed panels.
struct MatmulTask {
  std::size_t rows;
  std::size_t columns;
};

/// Enough tasks for the threads, none too small: blocks of columns, so that each weight is read once, and also of rows
/// if there are too few columns for all threads.   all_outs: columns of all matmuls of a region
[[nodiscard]] inline MatmulTask matmul_task(const ExecutionContext& execution, std::size_t rows, std::size_t outs,
                                            std::size_t k, std::size_t all_outs) noexcept {
  constexpr std::size_t kColumns = 64;  // whole tiles of packed panels
  constexpr std::size_t kRows = 32;     // whole tiles of rows for nearly all kernels
  const auto blocks = [](std::size_t count, std::size_t size) { return (count + size - 1) / size; };
  const std::size_t workers = execution.num_workers();
  MatmulTask task{std::max<std::size_t>(rows, 1), std::max<std::size_t>(outs, 1)};
  if (workers <= 1) return task;
  const std::size_t wanted = workers * 4;
  const std::size_t smallest = blocks(kTaskWork, std::max<std::size_t>(rows * k, 1));
  task.columns = blocks(std::max(smallest, blocks(all_outs, wanted)), kColumns) * kColumns;
  const std::size_t there = blocks(all_outs, task.columns);
  if (there >= 2 * workers || there == 0) return task;
  const std::size_t fewest = blocks(kTaskWork, std::max<std::size_t>(std::min(task.columns, outs) * k, 1));
  task.rows = std::min(blocks(std::max(fewest, blocks(rows, blocks(wanted, there))), kRows) * kRows, task.rows);
  return task;
}

/// One matmul of an input: y = x W^T, or x W^T + bias.
struct Product {
  const WeightMatrix* weight;   // [out, in]
  const float* bias = nullptr;  // [out], or null
  View<float, 2> y;             // [rows, out], not aliasing x
};

inline constexpr std::size_t kMaxProducts = 4;  // maximum per call

/// All matmuls of x, up to kMaxProducts, in one parallel region.   x: [rows, in], prepared for all of their weights.
/// Throws ShapeError.
inline void matmul(const ExecutionContext& execution, const ActivationRows& x, std::span<const Product> products) {
  struct Plan {
    MatmulTask size;
    std::size_t row_blocks;
    std::size_t end;  // end of its tasks
  };
  std::array<Plan, kMaxProducts> plans{};
  std::size_t outs = 0;
  for (const Product& product : products) {
    require_shape("matmul input", {x.rows, product.weight->columns}, std::array{x.rows, x.columns});
    require_shape("matmul output", {x.rows, product.weight->rows}, product.y.shape());
    outs += product.weight->rows;
  }
  std::size_t tasks = 0;
  for (std::size_t i = 0; i < products.size(); ++i) {
    const WeightMatrix& w = *products[i].weight;
    const MatmulTask size = matmul_task(execution, x.rows, w.rows, w.columns, outs);
    const std::size_t row_blocks = (x.rows + size.rows - 1) / size.rows;
    tasks += row_blocks * ((w.rows + size.columns - 1) / size.columns);
    plans[i] = {size, row_blocks, tasks};
  }
  // Calls use(product, plan, first row, first column) for a task.
  const auto locate = [&](std::size_t task, const auto& use) {
    std::size_t i = 0;
    while (task >= plans[i].end) ++i;
    const Plan& plan = plans[i];
    const std::size_t own = task - (i == 0 ? 0 : plans[i - 1].end);
    return use(products[i], plan, own % plan.row_blocks * plan.size.rows, own / plan.row_blocks * plan.size.columns);
  };
  const auto weights_of = [](const Product& product, const Plan&, std::size_t, std::size_t first) -> const void* {
    return product.weight->row_range(first, 1).address();
  };
  parallel_for(execution, tasks, [&](std::size_t task) {
    const std::size_t after = task + execution.num_workers();  // likely for this thread
    const void* next = after < tasks ? locate(after, weights_of) : nullptr;
    locate(task, [&](const Product& product, const Plan& plan, std::size_t row, std::size_t first) {
      const WeightMatrix& w = *product.weight;
      const std::size_t rows = std::min(plan.size.rows, x.rows - row);
      const std::size_t columns = std::min(plan.size.columns, w.rows - first);
      float* y = product.y.row(row).data() + first;
      gemm(execution, x, nullptr, row, rows, w.row_range(first, columns), y, w.rows, next);
      if (product.bias == nullptr) return;
      for (std::size_t r = 0; r < rows; ++r)
        add_inplace(execution.isa, {product.bias + first, columns}, {y + r * w.rows, columns});
    });
  });
}

/// y[r, o] = sum_i x[r, i] w(o, i).   x: [rows, in]   w: [out, in]   y: [rows, out], not aliasing x. Throws ShapeError.
inline void matmul(const ExecutionContext& execution, Workspace& workspace, View<const float, 2> x,
                   const WeightMatrix& w, View<float, 2> y) {
  const Workspace::Scope scope(workspace);
  const Product product{&w, nullptr, y};
  matmul(execution, prepare(execution, workspace, x, {&w}), {&product, 1});
}

}  // namespace trine::inline TRINE_ABI::kernels
