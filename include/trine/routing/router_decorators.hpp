// SPDX-License-Identifier: Apache-2.0
// Routers around routers: force, mask, record and replay the choice of experts. LoadOptions::router_decorator puts them
// in place for all sequences of a model, SessionOptions::router_decorator for one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
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
  TRINE_DECL void route(const ForwardContext& context, const RouterInput& input, RoutingPlan& plan) const override;

 private:
  const Router& router_;
};

/// Every token goes to the same experts, in that order, each with weight 1 / number.
class ForcedExperts : public RouterDecorator {
 public:
  /// Throws InputError when the list is empty or names an expert that does not exist.
  ForcedExperts(std::unique_ptr<Router> inner_router, std::vector<std::uint32_t> experts);
  [[nodiscard]] std::size_t max_experts_per_token() const override { return experts_.size(); }

  TRINE_DECL void route(const ForwardContext&, const RouterInput& input, RoutingPlan& plan) const override;

 private:
  std::vector<std::uint32_t> experts_;
};

/// Some experts are never used: the inner router chooses among the others. What it assigns to a masked expert all the
/// same (a rule does) is dropped and its weight shared out over the token's other experts; a token without any other
/// goes to the lowest allowed expert.
class MaskedExperts : public RouterDecorator {
 public:
  /// Throws InputError when a masked expert does not exist or none is left.
  MaskedExperts(std::unique_ptr<Router> inner_router, const std::vector<std::uint32_t>& masked);

  TRINE_DECL void route(const ForwardContext& context, const RouterInput& input, RoutingPlan& plan) const override;

 private:
  std::vector<std::uint8_t> allowed_;
};

/// Writes down what the inner router decides for each position of a layer.
class RecordedRouting : public RouterDecorator {
 public:
  RecordedRouting(std::unique_ptr<Router> inner_router, std::size_t layer, std::shared_ptr<RoutingRecord> record);

  TRINE_DECL void route(const ForwardContext& context, const RouterInput& input, RoutingPlan& plan) const override;

 private:
  std::size_t layer_;
  std::shared_ptr<RoutingRecord> record_;
};

/// Repeats recorded decisions; positions without one are decided by the inner router.
class ReplayedRouting : public RouterDecorator {
 public:
  ReplayedRouting(std::unique_ptr<Router> inner_router, std::size_t layer, std::shared_ptr<const RoutingRecord> record);

  TRINE_DECL void route(const ForwardContext& context, const RouterInput& input, RoutingPlan& plan) const override;

 private:
  std::size_t layer_;
  std::shared_ptr<const RoutingRecord> record_;
};

}  // namespace trine::inline TRINE_ABI

#if TRINE_HEADER_ONLY
#include <trine/routing/router_decorators.inl>
#endif
