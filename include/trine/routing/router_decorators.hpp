// SPDX-License-Identifier: Apache-2.0
// Routers around routers: force, mask, record and replay the choice of experts. LoadHooks::router_decorator puts them
// in place for all sequences of a model, SessionOptions::router_decorator for one.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <trine/routing/router.hpp>
#include <trine/routing/routing_record.hpp>

namespace trine::inline TRINE_ABI {

/// A router that passes on what another one decides; the base of the decorators.
class RouterDecorator : public Router {
 public:
  [[nodiscard]] std::size_t num_experts() const override { return inner_->num_experts(); }
  [[nodiscard]] std::size_t max_experts_per_token() const override { return inner_->max_experts_per_token(); }
  [[nodiscard]] std::size_t parameters() const override { return inner_->parameters(); }
  [[nodiscard]] bool needs_token_ids() const override { return inner_->needs_token_ids(); }

 protected:
  explicit RouterDecorator(std::unique_ptr<Router> inner) : inner_(std::move(inner)) {}
  [[nodiscard]] const Router& inner() const noexcept { return *inner_; }

 private:
  std::unique_ptr<Router> inner_;
};

/// A router that somebody else owns, so that a session can decorate those of its model.
class BorrowedRouter : public Router {
 public:
  explicit BorrowedRouter(const Router& router) : router_(router) {}
  [[nodiscard]] std::size_t num_experts() const override { return router_.num_experts(); }
  [[nodiscard]] std::size_t max_experts_per_token() const override { return router_.max_experts_per_token(); }
  [[nodiscard]] bool needs_token_ids() const override { return router_.needs_token_ids(); }
  void route(const ForwardContext& context, const RouterInput& input, RoutingPlan& plan) const override {
    router_.route(context, input, plan);
  }

 private:
  const Router& router_;
};

/// Every token goes to the same experts, in that order, each with weight 1 / number.
class ForcedExperts : public RouterDecorator {
 public:
  /// Throws InputError when the list is empty or names an expert that does not exist.
  ForcedExperts(std::unique_ptr<Router> inner_router, std::vector<std::uint32_t> experts)
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
  [[nodiscard]] std::size_t max_experts_per_token() const override { return experts_.size(); }
  [[nodiscard]] bool needs_token_ids() const override { return false; }

  void route(const ForwardContext&, const RouterInput& input, RoutingPlan& plan) const override {
    for (std::size_t t = 0; t < input.positions.size(); ++t) {
      for (const std::uint32_t e : experts_) plan.add(e, 1.0F / static_cast<float>(experts_.size()));
      plan.end_token();
    }
  }

 private:
  std::vector<std::uint32_t> experts_;
};

/// Some experts are never used: the inner router chooses among the others. What it assigns to a masked expert all the
/// same (a rule does) is dropped and its weight shared out over the token's other experts; a token without any other
/// goes to the lowest allowed expert.
class MaskedExperts : public RouterDecorator {
 public:
  /// Throws InputError when a masked expert does not exist or none is left.
  MaskedExperts(std::unique_ptr<Router> inner_router, const std::vector<std::uint32_t>& masked)
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

  void route(const ForwardContext& context, const RouterInput& input, RoutingPlan& plan) const override {
    RouterInput narrowed = input;
    std::vector<std::uint8_t> allowed = allowed_;
    for (std::size_t e = 0; e < input.allowed.size(); ++e)
      allowed[e] = allowed[e] != 0 && input.allowed[e] != 0 ? 1 : 0;
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

 private:
  std::vector<std::uint8_t> allowed_;
};

/// Writes down what the inner router decides for each position of a layer.
class RecordedRouting : public RouterDecorator {
 public:
  RecordedRouting(std::unique_ptr<Router> inner_router, std::size_t layer, std::shared_ptr<RoutingRecord> record)
      : RouterDecorator(std::move(inner_router)), layer_(layer), record_(std::move(record)) {}

  void route(const ForwardContext& context, const RouterInput& input, RoutingPlan& plan) const override {
    const std::size_t first = plan.tokens;
    inner().route(context, input, plan);
    for (std::size_t t = 0; t < std::min(plan.tokens - first, input.positions.size()); ++t)
      record_->put(layer_, input.positions[t], plan.experts_of(first + t), plan.weights_of(first + t));
  }

 private:
  std::size_t layer_;
  std::shared_ptr<RoutingRecord> record_;
};

/// Repeats recorded decisions; positions without one are decided by the inner router.
class ReplayedRouting : public RouterDecorator {
 public:
  ReplayedRouting(std::unique_ptr<Router> inner_router, std::size_t layer, std::shared_ptr<const RoutingRecord> record)
      : RouterDecorator(std::move(inner_router)), layer_(layer), record_(std::move(record)) {}

  void route(const ForwardContext& context, const RouterInput& input, RoutingPlan& plan) const override {
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

 private:
  std::size_t layer_;
  std::shared_ptr<const RoutingRecord> record_;
};

}  // namespace trine::inline TRINE_ABI
