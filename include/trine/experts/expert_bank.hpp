// SPDX-License-Identifier: Apache-2.0
// All experts of a layer, and which rows a routing plan gives to each.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include <trine/core/workspace.hpp>
#include <trine/experts/gated_executor.hpp>
#include <trine/routing/routing_plan.hpp>

namespace trine::inline TRINE_ABI {

class ExpertBank {
 public:
  /// Reads SwiGLU experts below "0", "1", ... Throws WeightError.
  ExpertBank(const WeightScope& scope, std::size_t experts, std::size_t hidden, std::size_t ffn) {
    for (std::size_t e = 0; e < experts; ++e) experts_.emplace_back(scope / e, hidden, ffn);
  }
  /// At least one; all of the same widths.
  explicit ExpertBank(std::vector<GatedMlp> experts) : experts_(std::move(experts)) {}

  [[nodiscard]] std::size_t size() const noexcept { return experts_.size(); }
  [[nodiscard]] std::size_t parameters_per_expert() const noexcept { return experts_.front().parameters(); }

  /// The rows of each expert that the grouped `plan` gives any; a slot is an assignment. Weights are those of
  /// `slot_weight` [assignments], or 1 where it is empty. The result is taken from the workspace, with room for `more`
  /// others.
  [[nodiscard]] std::span<GatedRows> rows_of(Workspace& workspace, const RoutingPlan& plan,
                                             std::span<const float> slot_weight, std::size_t more) const {
    const std::span<GatedRows> rows = workspace.take<GatedRows>(std::min(plan.experts, plan.assignments()) + more);
    std::size_t count = 0;
    for (std::size_t e = 0; e < plan.experts; ++e) {
      const std::size_t begin = plan.expert_begin[e];
      const std::size_t end = plan.expert_begin[e + 1];
      if (begin == end) continue;
      rows[count++] = {&experts_[e], begin, end - begin, plan.slot_token.data() + begin,
                       slot_weight.empty() ? nullptr : slot_weight.data() + begin};
    }
    return rows.first(count + more);
  }

 private:
  std::vector<GatedMlp> experts_;
};

}  // namespace trine::inline TRINE_ABI
