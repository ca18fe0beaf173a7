// SPDX-License-Identifier: Apache-2.0
// Several gated MLPs at a time, each on its own rows: the common part of dense layers, routed experts and shared
// experts. Each weight is read once per batch.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>

#include <trine/kernels/online_softmax.hpp>
#include <trine/nn/forward_context.hpp>
#include <trine/nn/gated_mlp.hpp>

namespace trine::inline TRINE_ABI {

/// The rows of x of one MLP. Slots number the rows of all MLPs of a call, in order.
struct MlpRows {
  const GatedMlp* mlp;
  std::size_t first_slot;
  std::size_t rows;
  const std::uint32_t* row = nullptr;   // [rows] rows of x, or null: 0, 1, ...
  const float* weight = nullptr;        // [rows] of the result, or null: 1
  const float* input_weight = nullptr;  // [rows] of x, or null: 1
};

/// h_s = activation(gate x, up x), x multiplied by an input weight if there is one, then down h_s, for the slots s of
/// each part, in two parallel regions, after one that rounds x; with adapters in one more before each of both. The bits
/// of a slot depend only on its row, its weights and its adapters.
class GroupedMlp {
 public:
  /// x: [tokens, hidden]. All parts have the same hidden width. Borrows its arguments.
  GroupedMlp(const ForwardContext& context, View<const float, 2> x, std::span<const MlpRows> parts)
      : context_(context), scope_(context.workspace), x_(x), parts_(parts) {
    for (const MlpRows& part : parts) {
      slots_ = std::max(slots_, part.first_slot + part.rows);
      rows_ = std::max(rows_, part.rows);
      work_ += part.rows * part.mlp->parameters();
    }
    if (work_ < 2 * kernels::kTaskWork) context_.execution.num_threads = 1;
    compute_hidden();
  }

  /// outputs[s] = down h_s.   outputs: [slots, hidden]
  void write(View<float, 2> outputs) const {
    for_column_blocks([&](std::size_t first, std::size_t columns, std::size_t) {
      for (std::size_t p = 0; p < parts_.size(); ++p) {
        const MlpRows& part = parts_[p];
        float* out = outputs.row(part.first_slot).data() + first;
        part.mlp->down().forward_columns(context_.execution, hidden_.rows(), nullptr, part.first_slot, part.rows, first,
                                         columns, out, outputs.extent(1));
        if (adapts_) {
          updates_[p].down.add(context_.execution.isa, 0, part.rows, first, columns, out, outputs.extent(1),
                               plain_hidden_.row(part.first_slot).data(), plain_hidden_.extent(1));
        }
      }
    });
  }

  /// y[row of s] += weight_s down h_s, part after part, so that a row's sum does not depend on the batch.
  /// y: [tokens, hidden]
  void add(View<float, 2> y) const {
    const std::size_t num_workers = context_.execution.num_workers();
    const std::size_t block = block_of(parts_.empty() ? 0 : parts_.front().mlp->down().out());
    const View<float, 2> scratch =
        context_.workspace.take_matrix<float>(num_workers, std::min(rows_, kRowBlock) * block);
    for_column_blocks([&](std::size_t first, std::size_t columns, std::size_t worker) {
      for (std::size_t p = 0; p < parts_.size(); ++p) {
        const MlpRows& part = parts_[p];
        const void* after = p + 1 < parts_.size() ? parts_[p + 1].mlp->down().weight_address(first) : nullptr;
        for (std::size_t begin = 0; begin < part.rows; begin += kRowBlock) {
          const std::size_t count = std::min(kRowBlock, part.rows - begin);
          float* out = scratch.row(worker).data();
          part.mlp->down().forward_columns(context_.execution, hidden_.rows(), nullptr, part.first_slot + begin, count,
                                           first, columns, out, columns, after);
          if (adapts_) {
            updates_[p].down.add(context_.execution.isa, begin, begin + count, first, columns, out, columns,
                                 plain_hidden_.row(part.first_slot).data(), plain_hidden_.extent(1));
          }
          for (std::size_t r = begin; r < begin + count; ++r, out += columns) {
            const float weight = part.weight == nullptr ? 1.0F : part.weight[r];
            kernels::weighted_sum(context_.execution.isa, {&weight, 1}, out, 0,
                                  y.row(part.row == nullptr ? r : part.row[r]).subspan(first, columns));
          }
        }
      }
    });
  }

 private:
  // Of one part: what adapters do to its maps.
  struct Updates {
    LowRankUpdates gate;
    LowRankUpdates up;
    LowRankUpdates down;
  };
  static constexpr std::size_t kRowBlock = 160;  // rows whose intermediate values are held at a time

  // Columns per task, a multiple of ActivationBuffer::kColumnBlock, of this many in total. Few rows use long ranges of
  // weights, which stream well; many rows use short ones, so that their values stay in cache. Either way there are
  // tasks for all threads.
  [[nodiscard]] std::size_t block_of(std::size_t columns) const noexcept {
    constexpr std::size_t kBlock = kernels::ActivationBuffer::kColumnBlock;
    const std::size_t most = (rows_ < 16 ? 4 : 2) * kBlock;
    const std::size_t fair = columns / (2 * context_.execution.num_workers());
    return std::clamp(fair / kBlock * kBlock, kBlock, most);
  }

  void compute_hidden() {
    std::size_t columns = 0;
    for (const MlpRows& part : parts_) columns += part.mlp->gate().out();
    const std::size_t block = block_of(columns);
    std::size_t tasks = 0;
    const std::span<std::size_t> end = context_.workspace.take<std::size_t>(parts_.size());  // of each part's tasks
    const std::span<const Linear*> weights = context_.workspace.take<const Linear*>(2 * parts_.size());
    const std::span<const Linear*> downs = context_.workspace.take<const Linear*>(parts_.size());
    for (std::size_t i = 0; i < parts_.size(); ++i) {
      const GatedMlp& mlp = *parts_[i].mlp;
      tasks += (mlp.gate().out() + block - 1) / block;
      end[i] = tasks;
      weights[2 * i] = &mlp.gate();
      weights[2 * i + 1] = &mlp.up();
      downs[i] = &mlp.down();
    }
    const kernels::ActivationRows rows = prepare_input(context_, x_, weights);
    hidden_ = input_buffer(context_, slots_, downs, true);
    if (!context_.adapters.empty()) find_updates();
    if (context_.inputs != nullptr && !adapts_) keep_hidden();
    const std::size_t num_workers = context_.execution.num_workers();
    const View<float, 2> scratch =
        context_.workspace.take_matrix<float>(num_workers, 2 * std::min(rows_, kRowBlock) * block);
    parallel_for(context_.execution, tasks, [&](std::size_t task, std::size_t worker) {
      const auto i = static_cast<std::size_t>(std::ranges::upper_bound(end, task) - end.begin());
      const std::size_t first = (task - (i == 0 ? 0 : end[i - 1])) * block;
      // A guess of this thread's next task: the one after those that the other threads start now.
      const std::size_t next = task + context_.execution.num_workers();
      const auto j = static_cast<std::size_t>(std::ranges::upper_bound(end, next) - end.begin());
      const void* after =
          next < tasks ? parts_[j].mlp->gate().weight_address((next - (j == 0 ? 0 : end[j - 1])) * block) : nullptr;
      hidden_columns(rows, i, first, block, scratch.row(worker), after);
    });
    if (adapts_) multiply_updates(plain_hidden_, {&Updates::down});
    if (context_.inputs != nullptr) report_inputs();
  }

  void report_inputs() const {
    for (const MlpRows& part : parts_) {
      const View<const float, 2> hidden = plain_hidden_;
      const auto report = [&](const Linear& linear, View<const float, 2> x, const std::uint32_t* row) {
        if (linear.target() != kNoTarget) context_.inputs->on_input({linear.target(), x, row, part.rows});
      };
      report(part.mlp->gate(), x_, part.row);
      report(part.mlp->up(), x_, part.row);
      report(part.mlp->down(), hidden.slice(part.first_slot, part.rows), nullptr);
    }
  }

  // What the adapters of the rows do, and A x for gate and up.
  void find_updates() {
    updates_ = context_.workspace.take<Updates>(parts_.size());
    for (std::size_t p = 0; p < parts_.size(); ++p) {
      const MlpRows& part = parts_[p];
      updates_[p] = {part.mlp->gate().updates(context_, part.row, part.rows),
                     part.mlp->up().updates(context_, part.row, part.rows),
                     part.mlp->down().updates(context_, part.row, part.rows)};
      updates_[p].down.read_outputs();
      adapts_ = adapts_ || !updates_[p].gate.empty() || !updates_[p].up.empty() || !updates_[p].down.empty();
    }
    if (!adapts_) return;
    keep_hidden();
    multiply_updates(x_, {&Updates::gate, &Updates::up});
  }

  void keep_hidden() {
    std::size_t widest = 0;
    for (const MlpRows& part : parts_) widest = std::max(widest, part.mlp->down().in());
    plain_hidden_ = context_.workspace.take_matrix<float>(slots_, widest);
  }

  // A x of all parts, in one parallel region.   x: of gate and up the input, of down [slots, ffn]
  void multiply_updates(View<const float, 2> x, std::initializer_list<LowRankUpdates Updates::*> maps) {
    std::size_t work = 0;
    std::size_t pieces = 0;
    const std::span<std::size_t> end = context_.workspace.take<std::size_t>(parts_.size() * maps.size());
    std::size_t count = 0;
    for (std::size_t p = 0; p < parts_.size(); ++p) {
      for (LowRankUpdates Updates::*const map : maps) {
        work += (updates_[p].*map).work();
        pieces += (updates_[p].*map).pieces();
        end[count++] = pieces;
      }
    }
    const std::size_t threads = work < kernels::kTaskWork ? 1 : context_.execution.num_threads;
    const bool is_slots = x.data() == plain_hidden_.data();
    parallel_for(context_.execution, threads, pieces, [&](std::size_t piece) {
      const auto i = static_cast<std::size_t>(std::ranges::upper_bound(end, piece) - end.begin());
      const std::size_t p = i / maps.size();
      const float* first = is_slots ? x.row(parts_[p].first_slot).data() : x.data();
      (updates_[p].*(maps.begin()[i % maps.size()]))
          .multiply(context_.execution.isa, piece - (i == 0 ? 0 : end[i - 1]), first, x.extent(1));
    });
  }

  // A block of columns of h, from `first` on, for all slots of part p.
  void hidden_columns(const kernels::ActivationRows& x, std::size_t p, std::size_t first, std::size_t block,
                      std::span<float> scratch, const void* after) {
    const MlpRows& part = parts_[p];
    const GatedMlp& mlp = *part.mlp;
    const std::size_t columns = std::min(block, mlp.gate().out() - first);
    float* gate = scratch.data();
    float* up = gate + scratch.size() / 2;
    for (std::size_t begin = 0; begin < part.rows; begin += kRowBlock) {
      const std::size_t count = std::min(kRowBlock, part.rows - begin);
      const std::uint32_t* row = part.row == nullptr ? nullptr : part.row + begin;
      const std::size_t first_row = part.row == nullptr ? begin : 0;
      mlp.gate().forward_columns(context_.execution, x, row, first_row, count, first, columns, gate, columns,
                                 mlp.up().weight_address(first));
      mlp.up().forward_columns(context_.execution, x, row, first_row, count, first, columns, up, columns, after);
      if (adapts_) {
        updates_[p].gate.add(context_.execution.isa, begin, begin + count, first, columns, gate, columns, x_.data(),
                             x_.extent(1));
        updates_[p].up.add(context_.execution.isa, begin, begin + count, first, columns, up, columns, x_.data(),
                           x_.extent(1));
      }
      if (part.input_weight != nullptr) {  // of maps without bias, so that it may be applied behind them
        for (std::size_t r = 0; r < count; ++r) {
          kernels::multiply(context_.execution.isa, {gate + r * columns, columns}, part.input_weight[begin + r]);
          kernels::multiply(context_.execution.isa, {up + r * columns, columns}, part.input_weight[begin + r]);
        }
      }
      mlp.activation().apply(context_.execution.isa, {gate, count * columns}, {up, count * columns});
      for (std::size_t r = 0; r < count; ++r) {
        const std::span<const float> h(gate + r * columns, columns);
        hidden_.store(context_.execution.isa, part.first_slot + begin + r, first, h);
        if (plain_hidden_.size() != 0)
          std::ranges::copy(h, plain_hidden_.row(part.first_slot + begin + r).data() + first);
      }
    }
  }

  template <class Body>
  void for_column_blocks(const Body& body) const {
    if (parts_.empty()) return;
    const Linear& down = parts_.front().mlp->down();
    const std::size_t block = block_of(down.out());
    parallel_for(context_.execution, (down.out() + block - 1) / block, [&](std::size_t task, std::size_t worker) {
      body(task * block, std::min(block, down.out() - task * block), worker);
    });
  }

  ForwardContext context_;
  Workspace::Scope scope_;
  View<const float, 2> x_;
  std::span<const MlpRows> parts_;
  std::size_t slots_ = 0;
  std::size_t rows_ = 0;  // of the largest part
  std::size_t work_ = 0;
  kernels::ActivationBuffer hidden_;  // [slots, ffn] in the types that the down projections take
  bool adapts_ = false;               // whether an adapter updates one of the maps
  std::span<Updates> updates_;        // [parts], if so
  View<float, 2> plain_hidden_;       // [slots, widest ffn], if so or if someone observes inputs
};

}  // namespace trine::inline TRINE_ABI
