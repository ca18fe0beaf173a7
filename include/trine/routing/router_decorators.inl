// SPDX-License-Identifier: Apache-2.0
// The definitions of routing/router_decorators.hpp.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <trine/routing/router.hpp>
#include <trine/routing/router_decorators.hpp>
#include <trine/routing/routing_record.hpp>

namespace trine::inline TRINE_ABI {

TRINE_DECL void BorrowedRouter::route(const ForwardContext& context, const RouterInput& input,
                                      RoutingPlan& plan) const {
  router_.route(context, input, plan);
}

TRINE_DECL ForcedExperts::ForcedExperts(std::unique_ptr<Router> inner_router, std::vector<std::uint32_t> experts)
    : RouterDecorator(std::move(inner_router)), experts_(std::move(experts)) {
  if (experts_.empty())
    throw InputError("forced experts: expected at least one, found none", {.field = "forced experts"});
  for (const std::uint32_t e : experts_) {
    if (e >= num_experts())
      throw InputError(
          "forced experts: expected experts below " + std::to_string(num_experts()) + ", found " + std::to_string(e),
          {.field = "forced experts"});
  }
}

TRINE_DECL void ForcedExperts::route(const ForwardContext&, const RouterInput& input, RoutingPlan& plan) const {
  for (std::size_t t = 0; t < input.positions.size(); ++t) {
    for (const std::uint32_t e : experts_) plan.add(e, 1.0F / static_cast<float>(experts_.size()));
    plan.end_token();
  }
}

TRINE_DECL MaskedExperts::MaskedExperts(std::unique_ptr<Router> inner_router, const std::vector<std::uint32_t>& masked)
    : RouterDecorator(std::move(inner_router)), allowed_(num_experts(), 1) {
  for (const std::uint32_t e : masked) {
    if (e >= num_experts())
      throw InputError(
          "masked experts: expected experts below " + std::to_string(num_experts()) + ", found " + std::to_string(e),
          {.field = "masked experts"});
    allowed_[e] = 0;
  }
  if (std::ranges::count(allowed_, 1) == 0)
    throw InputError("masked experts: expected at least one expert to be left, found none",
                     {.field = "masked experts"});
}

TRINE_DECL void MaskedExperts::route(const ForwardContext& context, const RouterInput& input, RoutingPlan& plan) const {
  RouterInput narrowed = input;
  std::vector<std::uint8_t> allowed = allowed_;
  for (std::size_t e = 0; e < input.allowed.size(); ++e) allowed[e] = allowed[e] != 0 && input.allowed[e] != 0 ? 1 : 0;
  narrowed.allowed = allowed;
  RoutingPlan chosen;
  chosen.keep_scores = plan.keep_scores;
  chosen.start(plan.experts);
  inner().route(context, narrowed, chosen);
  plan.scores.insert(plan.scores.end(), chosen.scores.begin(), chosen.scores.end());
  const auto lowest = static_cast<std::size_t>(std::ranges::find(allowed, 1) - allowed.begin());
  for (std::size_t t = 0; t < chosen.tokens; ++t) {
    const auto experts = chosen.experts_of(t);
    const auto weights = chosen.weights_of(t);
    float all = 0.0F;
    float kept = 0.0F;
    for (std::size_t i = 0; i < experts.size(); ++i) {
      all += weights[i];
      if (allowed[experts[i]] != 0) kept += weights[i];
    }
    if (kept == 0.0F && !experts.empty()) {
      plan.add(lowest, all);
    } else {
      const float scale = kept == all ? 1.0F : all / kept;
      for (std::size_t i = 0; i < experts.size(); ++i)
        if (allowed[experts[i]] != 0) plan.add(experts[i], weights[i] * scale);
    }
    plan.end_token();
  }
}

TRINE_DECL RecordedRouting::RecordedRouting(std::unique_ptr<Router> inner_router, std::size_t layer,
                                            std::shared_ptr<RoutingRecord> record)
    : RouterDecorator(std::move(inner_router)), layer_(layer), record_(std::move(record)) {}

TRINE_DECL void RecordedRouting::route(const ForwardContext& context, const RouterInput& input,
                                       RoutingPlan& plan) const {
  const std::size_t first = plan.tokens;
  inner().route(context, input, plan);
  for (std::size_t t = 0; t < std::min(plan.tokens - first, input.positions.size()); ++t)
    record_->put(layer_, input.positions[t], plan.experts_of(first + t), plan.weights_of(first + t));
}

TRINE_DECL ReplayedRouting::ReplayedRouting(std::unique_ptr<Router> inner_router, std::size_t layer,
                                            std::shared_ptr<const RoutingRecord> record)
    : RouterDecorator(std::move(inner_router)), layer_(layer), record_(std::move(record)) {}

TRINE_DECL void ReplayedRouting::route(const ForwardContext& context, const RouterInput& input,
                                       RoutingPlan& plan) const {
  RoutingPlan fresh;
  fresh.keep_scores = plan.keep_scores;
  fresh.start(plan.experts);
  inner().route(context, input, fresh);
  plan.scores.insert(plan.scores.end(), fresh.scores.begin(), fresh.scores.end());
  for (std::size_t t = 0; t < std::min(fresh.tokens, input.positions.size()); ++t) {
    const RoutingRecord::Decision decision = record_->get(layer_, input.positions[t]);
    const bool recorded = !decision.experts.empty();
    const auto experts = recorded ? std::span<const std::uint32_t>(decision.experts) : fresh.experts_of(t);
    const auto weights = recorded ? std::span<const float>(decision.weights) : fresh.weights_of(t);
    for (std::size_t i = 0; i < experts.size(); ++i) plan.add(experts[i], weights[i]);
    plan.end_token();
  }
}

}  // namespace trine::inline TRINE_ABI
