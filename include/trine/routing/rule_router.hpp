// SPDX-License-Identifier: Apache-2.0
// Routing by written rules, CASE WHEN amount > 10000 THEN expert ... : the first rule that holds names the expert.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <trine/routing/router.hpp>
#include <trine/routing/rule.hpp>

namespace trine::inline TRINE_ABI {

/// WHEN `when` THEN `expert`.
struct Rule {
  Predicate when;          ///< over the features of a row
  std::size_t expert = 0;  ///< serves the rows for which it holds
};

/// The rules of a router, in the order in which they are tried.
struct RuleSet {
  std::vector<std::string> features;  ///< names of the columns
  std::vector<Rule> rules;            ///< in order: the first that holds decides
  std::size_t otherwise = 0;          ///< the expert of rows for which no rule holds

  /// The expert of one row.   row: [features], in the order of `features`
  [[nodiscard]] std::size_t expert_for(std::span<const double> row) const {
    for (const Rule& rule : rules)
      if (rule.when.holds(row)) return rule.expert;
    return otherwise;
  }

  /// CASE WHEN ... THEN expert_3 ... ELSE expert_0 END, one line per rule.
  [[nodiscard]] std::string to_sql() const {
    std::string text = "CASE\n";
    for (const Rule& rule : rules)
      text += "  WHEN " + trine::to_sql(rule.when, features) + " THEN expert_" + std::to_string(rule.expert) + "\n";
    return text + "  ELSE expert_" + std::to_string(otherwise) + "\nEND";
  }
};

/// Each row goes to one expert with weight 1. Rows are the raw input features, or (token_id, position) for token
/// models.
class RuleRouter : public Router {
 public:
  /// A rule set that no other layer shares. Their experts must be below `experts`.
  RuleRouter(std::size_t experts, RuleSet rules)
      : RuleRouter(experts, std::make_shared<const RuleSet>(std::move(rules))) {}
  /// Layers share one rule set.
  RuleRouter(std::size_t experts, std::shared_ptr<const RuleSet> rules) : experts_(experts), rules_(std::move(rules)) {}

  [[nodiscard]] std::size_t num_experts() const override { return experts_; }
  [[nodiscard]] std::size_t max_experts_per_token() const override { return 1; }
  [[nodiscard]] bool needs_token_ids() const override { return true; }
  /// The rules, for printing.
  [[nodiscard]] const RuleSet& rules() const noexcept { return *rules_; }

  void route(const ForwardContext& context, const RouterInput& input, RoutingPlan& plan) const override {
    Workspace& workspace = context.workspace;
    const Workspace::Scope scope(workspace);
    const std::span<double> row = workspace.take<double>(rules_->features.size());
    for (std::size_t t = 0; t < input.positions.size(); ++t) {
      if (input.token_ids.empty()) {
        std::ranges::copy(input.features.row(t), row.begin());
      } else {
        row[0] = static_cast<double>(input.token_ids[t]);
        row[1] = static_cast<double>(input.positions[t]);
      }
      plan.add(rules_->expert_for(row), 1.0F);
      plan.end_token();
    }
  }

 private:
  std::size_t experts_;
  std::shared_ptr<const RuleSet> rules_;
};

}  // namespace trine::inline TRINE_ABI
