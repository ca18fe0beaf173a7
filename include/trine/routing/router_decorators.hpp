// SPDX-License-Identifier: Apache-2.0
// Routers around routers: force, mask, record and replay the choice of experts. LoadHooks::router_decorator applies
// them to all sequences of a model, SessionOptions::router_decorator to one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include <trine/routing/router.hpp>
#include <trine/routing/routing_record.hpp>

namespace trine::inline TRINE_ABI {

/// The base of the decorators: a router that forwards to another one.
class RouterDecorator : public Router {
 public:
  [[nodiscard]] std::size_t num_experts() const override { return inner_->num_experts(); }
  [[nodiscard]] std::size_t max_experts_per_token() const override { return inner_->max_experts_per_token(); }
  [[nodiscard]] std::size_t parameters() const override { return inner_->parameters(); }
  [[nodiscard]] bool needs_token_ids() const override { return inner_->needs_token_ids(); }

 protected:
  /// Takes ownership of `inner`, which must not be null.
  explicit RouterDecorator(std::unique_ptr<Router> inner) : inner_(std::move(inner)) {}
  /// The router that this one decorates.
  [[nodiscard]] const Router& inner() const noexcept { return *inner_; }

 private:
  std::unique_ptr<Router> inner_;
};

/// A router that does not own its inner router, so that a session can decorate the routers of its model.
class BorrowedRouter : public Router {
 public:
  /// Borrows `router`, which must outlive this one.
  explicit BorrowedRouter(const Router& router) : router_(router) {}
  [[nodiscard]] std::size_t num_experts() const override { return router_.num_experts(); }
  [[nodiscard]] std::size_t max_experts_per_token() const override { return router_.max_experts_per_token(); }
  [[nodiscard]] bool needs_token_ids() const override { return router_.needs_token_ids(); }
  TRINE_DECL void route(const ForwardContext& context, const RouterInput& input, RoutingPlan& plan) const override;

 private:
  const Router& router_;
};

/// Every token uses the same experts, in the given order, each with weight 1 / number.
class ForcedExperts : public RouterDecorator {
 public:
  /// Throws InputError when the list is empty or names an expert that does not exist.
  ForcedExperts(std::unique_ptr<Router> inner_router, std::vector<std::uint32_t> experts);
  [[nodiscard]] std::size_t max_experts_per_token() const override { return experts_.size(); }
  [[nodiscard]] bool needs_token_ids() const override { return false; }

  TRINE_DECL void route(const ForwardContext&, const RouterInput& input, RoutingPlan& plan) const override;

 private:
  std::vector<std::uint32_t> experts_;
};

/// Some experts are never used: the inner router chooses among the others. An assignment to a masked expert, for
/// example by a rule, is dropped and its weight is distributed over the token's other experts; a token without other
/// experts goes to the allowed expert with the lowest index.
class MaskedExperts : public RouterDecorator {
 public:
  /// Throws InputError when a masked expert does not exist or none is left.
  MaskedExperts(std::unique_ptr<Router> inner_router, const std::vector<std::uint32_t>& masked);

  TRINE_DECL void route(const ForwardContext& context, const RouterInput& input, RoutingPlan& plan) const override;

 private:
  std::vector<std::uint8_t> allowed_;
};

/// Records the decisions of the inner router for each position of a layer.
class RecordedRouting : public RouterDecorator {
 public:
  /// Writes to `record` as layer `layer`. Several layers and sessions may share a record.
  RecordedRouting(std::unique_ptr<Router> inner_router, std::size_t layer, std::shared_ptr<RoutingRecord> record);

  TRINE_DECL void route(const ForwardContext& context, const RouterInput& input, RoutingPlan& plan) const override;

 private:
  std::size_t layer_;
  std::shared_ptr<RoutingRecord> record_;
};

/// Replays recorded decisions; positions without one are decided by the inner router.
class ReplayedRouting : public RouterDecorator {
 public:
  /// Reads the decisions of layer `layer` from `record`.
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
