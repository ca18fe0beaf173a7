// SPDX-License-Identifier: Apache-2.0
// What a layer sees of one pass: how it runs, its scratch memory, and the rows of all sequences that are computed
// together. Every layer takes it, and nothing beside it but its input and its output.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include <trine/cache/layer_state.hpp>
#include <trine/core/tensor_view.hpp>
#include <trine/core/token_id.hpp>
#include <trine/core/workspace.hpp>
#include <trine/platform/execution_context.hpp>

namespace trine::inline TRINE_ABI {

class Router;           // routing/router.hpp
class RoutingObserver;  // routing/routing_observer.hpp
struct RoutingPlan;     // routing/routing_plan.hpp

/// Rows [first_row, first_row + rows) of a batch are the positions from `position` on of one sequence.
struct SequenceSlice {
  std::size_t first_row = 0;                    ///< of the batch
  std::size_t rows = 0;                         ///< how many, at least 1
  std::size_t position = 0;                     ///< of the first row in its sequence
  std::span<LayerState> state = {};             ///< [layers] what the layers keep of the sequence
  std::uint64_t sequence = 0;                   ///< its number, which routing events name
  RoutingObserver* observer = nullptr;          ///< sees how these rows are routed; may be null
  std::span<const Router* const> routers = {};  ///< [layers] in place of the model's, null where that stays; or empty
};

/// Rows of one or more sequences: prefill, decode, verification and any mixture of them are the same pass with other
/// numbers of rows. A row's result depends on its own sequence only.
struct Batch {
  std::span<const SequenceSlice> sequences = {};  ///< in the order of their rows, without gaps
  std::span<const std::size_t> positions = {};    ///< [rows] in its sequence
  std::span<const TokenId> token_ids = {};        ///< [rows], or empty; kNoTokenId for a row that has
  std::span<const float* const> embeddings = {};  ///< [rows] an input embedding [hidden], else null; empty: none has
  View<const float, 2> features = {};             ///< [rows, num_features], or empty
};

/// What every layer takes besides its input: how the pass runs, scratch memory, and whose rows these are.
struct ForwardContext {
  ExecutionContext execution;   ///< instruction set, threads, cancellation
  Workspace& workspace;         ///< scratch memory of the calling thread
  Batch batch = {};             ///< the rows of the pass
  RoutingPlan* plan = nullptr;  ///< scratch of layers with a router
  std::size_t layer = 0;        ///< that is computed

  /// What this layer keeps of a sequence.
  [[nodiscard]] LayerState& state_of(const SequenceSlice& sequence) const noexcept { return sequence.state[layer]; }
  /// The same with activations as they are: for what decides (routers), not computes.
  [[nodiscard]] ForwardContext with_f32_activations() const {
    return {execution.with_f32_activations(), workspace, batch, plan, layer};
  }
};

}  // namespace trine::inline TRINE_ABI
