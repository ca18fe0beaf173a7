// SPDX-License-Identifier: Apache-2.0
// Routers around routers: force, mask, record and replay the choice of experts. LoadHooks::router_decorator puts them
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
  [[nodiscard]] bool needs_token_ids() const override { return inner_->needs_token_ids(); }

 protected:
  /// Takes over `inner`, which must not be null.
  explicit RouterDecorator(std::unique_ptr<Router> inner) : inner_(std::move(inner)) {}
  /// The router that this one decorates.
  [[nodiscard]] const Router& inner() const noexcept { return *inner_; }

 private:
  std::unique_ptr<Router> inner_;
};

/// A router that somebody else owns, so that a session can decorate those of its model.
class BorrowedRouter : public Router {
 public:
  /// Borrows `router`, which must outlive this one.
  explicit BorrowedRouter(const Router& router) : router_(router) {}
  [[nodiscard]] std::size_t num_experts() const override { return router_.num_experts(); }
  [[nodiscard]] std::size_t max_experts_per_token() const override { return router_.max_experts_per_token(); }
  [[nodiscard]] bool needs_token_ids() const override { return router_.needs_token_ids(); }
  void route(const ForwardContext& context, const RouterInput& input, RoutingPlan& plan) const override;

 private:
  const Router& router_;
};

/// Every token goes to the same experts, in that order, each with weight 1 / number.
class ForcedExperts : public RouterDecorator {
 public:
  /// Throws InputError when the list is empty or names an expert that does not exist.
  ForcedExperts(std::unique_ptr<Router> inner_router, std::vector<std::uint32_t> experts);
  [[nodiscard]] std::size_t max_experts_per_token() const override { return experts_.size(); }
  [[nodiscard]] bool needs_token_ids() const override { return false; }

  void route(const ForwardContext&, const RouterInput& input, RoutingPlan& plan) const override;

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

  void route(const ForwardContext& context, const RouterInput& input, RoutingPlan& plan) const override;

 private:
  std::vector<std::uint8_t> allowed_;
};

/// Writes down what the inner router decides for each position of a layer.
class RecordedRouting : public RouterDecorator {
 public:
  /// Writes to `record` under the number `layer`. Several layers and sessions may share a record.
  RecordedRouting(std::unique_ptr<Router> inner_router, std::size_t layer, std::shared_ptr<RoutingRecord> record);

  void route(const ForwardContext& context, const RouterInput& input, RoutingPlan& plan) const override;

 private:
  std::size_t layer_;
  std::shared_ptr<RoutingRecord> record_;
};

/// Repeats recorded decisions; positions without one are decided by the inner router.
class ReplayedRouting : public RouterDecorator {
 public:
  /// Reads from `record` what was written under the number `layer`.
  ReplayedRouting(std::unique_ptr<Router> inner_router, std::size_t layer, std::shared_ptr<const RoutingRecord> record);

  void route(const ForwardContext& context, const RouterInput& input, RoutingPlan& plan) const override;

 private:
  std::size_t layer_;
  std::shared_ptr<const RoutingRecord> record_;
};

}  // namespace trine::inline TRINE_ABI

#if TRINE_HEADER_ONLY
#include <trine/routing/router_decorators.inl>
#endif
