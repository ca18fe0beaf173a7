// SPDX-License-Identifier: Apache-2.0
// The interface of a router. A user's own router implements it and needs nothing else (examples/custom_router).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include <trine/core/tensor_view.hpp>
#include <trine/core/token_id.hpp>
#include <trine/nn/forward_context.hpp>
#include <trine/routing/routing_plan.hpp>

namespace trine::inline TRINE_ABI {

/// What a router may use. Rows are tokens (or sites of a grid) of one or more sequences: all rows of a pass, or those
/// of a sequence with its own routers.
struct RouterInput {
  View<const float, 2> hidden;             ///< [tokens, hidden] after the layer's norm
  std::span<const std::size_t> positions;  ///< [tokens] position in its sequence
  std::span<const TokenId> token_ids;      ///< [tokens], kNoTokenId for input embeddings; empty for feature models
  View<const float, 2> features;           ///< [tokens, num_features] raw input, empty for token models
  std::span<const std::uint8_t> allowed;   ///< [experts] 0: must not be chosen; empty: all may be chosen

  /// The router input for rows [first, first + count) of a batch.   x: [rows, hidden] of the batch
  [[nodiscard]] static RouterInput of(const Batch& batch, View<const float, 2> x, std::size_t first,
                                      std::size_t count) {
    RouterInput input;
    input.hidden = x.slice(first, count);
    input.positions = batch.positions.subspan(first, count);
    if (!batch.token_ids.empty()) input.token_ids = batch.token_ids.subspan(first, count);
    if (batch.features.data() != nullptr) input.features = batch.features.slice(first, count);
    return input;
  }
};

/// Chooses experts for tokens. Const and without state between calls: one router serves all sessions of a model.
class Router {
 public:
  Router() = default;
  Router(const Router&) = delete;
  Router& operator=(const Router&) = delete;
  virtual ~Router() = default;

  /// The number of experts of the layer: ids in a plan are below it.
  [[nodiscard]] virtual std::size_t num_experts() const = 0;
  /// The maximum number of experts of one token, for which memory is reserved.
  [[nodiscard]] virtual std::size_t max_experts_per_token() const = 0;
  /// Number of weights, for statistics such as those of `trine-inspect`. 0 unless overridden.
  [[nodiscard]] virtual std::size_t parameters() const { return 0; }
  /// Returns whether it chooses by token ids. It then gets no input embeddings, which have none.
  [[nodiscard]] virtual bool needs_token_ids() const { return false; }

  /// Appends to `plan`, which may already hold tokens of other sequences: for each token in order, `add` for each
  /// chosen expert, best first, then `end_token`. Called by several threads at once, each with its own context. The
  /// choice for a token must not depend on the other rows. A router that scores experts excludes those that `allowed`
  /// forbids, and appends to `plan.scores` when `plan.keep_scores` is set; a router without scores may ignore both.
  virtual void route(const ForwardContext& context, const RouterInput& input, RoutingPlan& plan) const = 0;
};

}  // namespace trine::inline TRINE_ABI
