// SPDX-License-Identifier: Apache-2.0
// All experts of a layer, and how a routing plan is carried out on them: expert by expert, each weight read once a
// batch.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include <trine/core/workspace.hpp>
#include <trine/nn/gated_mlp.hpp>
#include <trine/routing/routing_plan.hpp>

namespace trine::inline TRINE_ABI {

class ExpertBank {
 public:
  /// Reads SwiGLU experts below "0", "1", ... Throws WeightError.
  ExpertBank(const WeightScope& scope, std::size_t experts, std::size_t hidden, std::size_t ffn)
      : hidden_(hidden), ffn_(ffn) {
    for (std::size_t e = 0; e < experts; ++e) experts_.emplace_back(scope / e, hidden, ffn);
  }
  /// At least one; all of the same widths.
  explicit ExpertBank(std::vector<GatedMlp> experts)
      : hidden_(experts.front().gate().in()), ffn_(experts.front().gate().out()), experts_(std::move(experts)) {}

  [[nodiscard]] std::size_t size() const noexcept { return experts_.size(); }
  [[nodiscard]] std::size_t parameters_per_expert() const noexcept { return experts_.front().parameters(); }

  /// outputs[slot] = expert(x[token of the slot]), unweighted, for every slot of the grouped `plan`.
  /// x: [tokens, hidden]   outputs: [assignments, hidden]. Two parallel regions, whatever the number of experts.
  void forward(const Execution& execution, Workspace& workspace, View<const float, 2> x, const RoutingPlan& plan,
               View<float, 2> outputs) const {
    const Workspace::Scope scope(workspace);
    const std::size_t assignments = plan.assignments();
    const View<float, 2> gathered = workspace.take_matrix<float>(assignments, hidden_);
    const View<float, 2> gate = workspace.take_matrix<float>(assignments, ffn_);
    const View<float, 2> up = workspace.take_matrix<float>(assignments, ffn_);
    for (std::size_t slot = 0; slot < assignments; ++slot)
      std::ranges::copy(x.row(plan.slot_token[slot]), gathered.row(slot).begin());

    // h = silu(gate x) * up x, a range of columns at a time.
    run(execution, workspace, plan, ffn_, hidden_, [&](const Task& task) {
      const GatedMlp& expert = experts_[task.expert];
      multiply(execution.isa, gathered, expert.gate(), task, gate);
      multiply(execution.isa, gathered, expert.up(), task, up);
      for (std::size_t row = task.first_row; row < task.first_row + task.rows; ++row) {
        expert.activation().apply(execution.isa, gate.row(row).subspan(task.first_column, task.columns),
                                  up.row(row).subspan(task.first_column, task.columns));
      }
    });
    run(execution, workspace, plan, hidden_, ffn_,
        [&](const Task& task) { multiply(execution.isa, gate, experts_[task.expert].down(), task, outputs); });
  }

 private:
  // Some output columns of one expert, for all its rows.
  struct Task {
    std::uint32_t expert;
    std::size_t first_row, rows;
    std::size_t first_column, columns;
  };

  // Cuts the products of all active experts, [their rows, inner] x [outs, inner]^T, into tasks and runs them in one
  // region.
  template <class Body>
  static void run(const Execution& execution, Workspace& workspace, const RoutingPlan& plan, std::size_t outs,
                  std::size_t inner, const Body& body) {
    const Workspace::Scope scope(workspace);
    const std::size_t columns =
        kernels::columns_per_task(execution, std::max<std::size_t>(plan.assignments() / plan.experts, 1), outs, inner);
    const std::size_t per_expert = (outs + columns - 1) / columns;
    const std::span<std::uint32_t> active = workspace.take<std::uint32_t>(plan.experts);
    std::size_t count = 0;
    for (std::uint32_t e = 0; e < plan.experts; ++e)
      if (plan.expert_begin[e] != plan.expert_begin[e + 1]) active[count++] = e;
    const std::size_t threads = plan.assignments() * outs * inner < 2 * kernels::kTaskWork ? 1 : execution.threads;
    parallel_for(threads, count * per_expert, [&](std::size_t i) {
      const std::uint32_t e = active[i / per_expert];
      const std::size_t first_column = i % per_expert * columns;
      body(Task{e, plan.expert_begin[e], plan.expert_begin[e + 1] - plan.expert_begin[e], first_column,
                std::min(columns, outs - first_column)});
    });
  }

  static void multiply(Isa isa, View<const float, 2> x, const Linear& linear, const Task& task, View<float, 2> y) {
    linear.forward_columns(isa, x.slice(task.first_row, task.rows), task.first_column, task.columns,
                           y.slice(task.first_row, task.rows));
  }

  std::size_t hidden_;
  std::size_t ffn_;
  std::vector<GatedMlp> experts_;
};

}  // namespace trine::inline TRINE_ABI
