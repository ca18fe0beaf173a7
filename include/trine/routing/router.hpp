// SPDX-License-Identifier: Apache-2.0
// The interface of a router. A user's own router implements it and needs nothing else (examples/custom_router).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include <trine/core/tensor_view.hpp>
#include <trine/core/token_id.hpp>
#include <trine/core/workspace.hpp>
#include <trine/platform/execution.hpp>
#include <trine/routing/routing_plan.hpp>

namespace trine::inline TRINE_ABI {

/// What a router may look at. Rows are tokens (or sites of a grid) of one or more sequences.
struct RouterInput {
  View<const float, 2> hidden;             // [tokens, hidden] after the layer's norm
  std::span<const std::size_t> positions;  // [tokens] position in its sequence
  std::span<const TokenId> token_ids;      // [tokens], empty for feature models
  View<const float, 2> features;           // [tokens, num_features] raw input, empty for token models
  std::span<const std::uint8_t> allowed;   // [experts] 0 = do not choose, empty = all may be chosen
};

class Router {
 public:
  Router() = default;
  Router(const Router&) = delete;
  Router& operator=(const Router&) = delete;
  virtual ~Router() = default;

  [[nodiscard]] virtual std::size_t num_experts() const = 0;
  /// Most experts that one token can get: what memory is planned for.
  [[nodiscard]] virtual std::size_t max_experts_per_token() const = 0;
  [[nodiscard]] virtual std::size_t parameters() const { return 0; }

  /// Fills `plan`, already started: for each token in order, `add` for each chosen expert, best first, then
  /// `end_token`. Called by several threads at once. The choice for a token must not depend on the other rows. A router
  /// that scores experts leaves out those that `allowed` forbids, and fills `plan.scores` when `plan.keep_scores` is
  /// set; one that does not score may ignore both.
  virtual void route(const Execution& execution, Workspace& workspace, const RouterInput& input,
                     RoutingPlan& plan) const = 0;
};

}  // namespace trine::inline TRINE_ABI
