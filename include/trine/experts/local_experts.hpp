// SPDX-License-Identifier: Apache-2.0
// All experts of a layer in this process, and the rows that a routing plan assigns to each.
#pragma once

#include <algorithm>
#include <cstddef>
#include <span>
#include <utility>
#include <vector>

#include <trine/experts/expert_executor.hpp>
#include <trine/experts/grouped_mlp.hpp>

namespace trine::inline TRINE_ABI {

/// What the gate weight of a chosen expert multiplies.
enum class GateWeightOf : bool {
  output,  ///< g expert(x)
  input,   ///< expert(g x), of experts without biases
};

/// Experts whose weights are in this process, mapped or read.
class LocalExperts : public ExpertExecutor {
 public:
  /// Reads SwiGLU experts below "0", "1", ... Throws WeightError.
  LocalExperts(const WeightScope& scope, std::size_t experts, std::size_t hidden, std::size_t ffn) {
    for (std::size_t e = 0; e < experts; ++e) experts_.emplace_back(scope / e, hidden, ffn);
  }
  /// At least one; all of the same widths.
  explicit LocalExperts(std::vector<GatedMlp> experts, GateWeightOf weight_of = GateWeightOf::output)
      : experts_(std::move(experts)), weight_of_(weight_of) {}

  [[nodiscard]] std::size_t size() const override { return experts_.size(); }
  [[nodiscard]] std::size_t parameters_per_expert() const override { return experts_.front().parameters(); }

  void forward(const ForwardContext& context, const RoutingPlan& plan, const SharedExperts* shared,
               View<const float, 2> x, View<float, 2> y) const override {
    const Workspace::Scope scope(context.workspace);
    const std::span<MlpRows> parts = rows_of(context.workspace, plan, plan.slot_weight, shared == nullptr ? 0 : 1);
    if (shared != nullptr) {
      const std::span<const float> weight = shared->weights(context, x);
      parts.back() = {&shared->mlp(), plan.assignments(), x.extent(0), nullptr,
                      weight.empty() ? nullptr : weight.data()};
    }
    std::ranges::fill(y.span(), 0.0F);
    GroupedMlp(context, x, parts).add(y);
  }

  void forward_slots(const ForwardContext& context, const RoutingPlan& plan, View<const float, 2> x,
                     View<float, 2> outputs) const override {
    const Workspace::Scope scope(context.workspace);
    GroupedMlp(context, x, rows_of(context.workspace, plan, {}, 0)).write(outputs);
  }

 private:
  // The rows of each expert that has any, with room for `more` parts; a slot is an assignment. Weights are those of
  // `slot_weight` [assignments], or 1 if it is empty.
  [[nodiscard]] std::span<MlpRows> rows_of(Workspace& workspace, const RoutingPlan& plan,
                                           std::span<const float> slot_weight, std::size_t more) const {
    const std::span<MlpRows> rows = workspace.take<MlpRows>(std::min(plan.experts, plan.assignments()) + more);
    std::size_t count = 0;
    for (std::size_t e = 0; e < plan.experts; ++e) {
      const std::size_t begin = plan.expert_begin[e];
      const std::size_t end = plan.expert_begin[e + 1];
      if (begin == end) continue;
      MlpRows& part = rows[count++] = {&experts_[e], begin, end - begin, plan.slot_token.data() + begin};
      if (slot_weight.empty()) continue;
      (weight_of_ == GateWeightOf::output ? part.weight : part.input_weight) = slot_weight.data() + begin;
    }
    return rows.first(count + more);
  }

  std::vector<GatedMlp> experts_;
  GateWeightOf weight_of_ = GateWeightOf::output;
};

}  // namespace trine::inline TRINE_ABI
