// SPDX-License-Identifier: Apache-2.0
// The context of a pass for a layer: execution context, scratch memory, and the rows of all sequences that are computed
// together. Every layer takes only this, its input and its output.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include <trine/cache/layer_state.hpp>
#include <trine/core/tensor_view.hpp>
#include <trine/core/token_id.hpp>
#include <trine/core/workspace.hpp>
#include <trine/nn/low_rank.hpp>
#include <trine/platform/execution_context.hpp>

namespace trine::inline TRINE_ABI {

class FrameObserver;    // nn/frame_observer.hpp
class InputObserver;    // nn/input_observer.hpp
class Router;           // routing/router.hpp
class RoutingObserver;  // routing/routing_observer.hpp
struct RoutingPlan;     // routing/routing_plan.hpp

/// Rows [first_row, first_row + rows) of a batch are positions [position, position + rows) of one sequence.
struct SequenceSlice {
  std::size_t first_row = 0;                    ///< first row in the batch
  std::size_t rows = 0;                         ///< number of rows, at least 1
  std::size_t position = 0;                     ///< position of the first row in its sequence
  std::span<LayerState> state = {};             ///< [layers] state of the sequence in each layer
  std::uint64_t sequence = 0;                   ///< its id, which routing events name
  RoutingObserver* observer = nullptr;          ///< receives the routing of these rows; may be null
  std::span<const Router* const> routers = {};  ///< [layers] overrides of the model's routers, null for none; or empty
  std::span<const AttachedAdapter> adapters = {};  ///< applied in order
  FrameObserver* frame_observer = nullptr;         ///< receives the frames that these rows choose; may be null
};

/// Rows of one or more sequences: prefill, decode, verification and any mixture of them are the same pass with
/// different numbers of rows. A row's result depends only on its own sequence.
struct Batch {
  std::span<const SequenceSlice> sequences = {};  ///< in the order of their rows, without gaps
  std::span<const std::size_t> positions = {};    ///< [rows] in its sequence
  std::span<const TokenId> token_ids = {};        ///< [rows], or empty; kNoTokenId for a row that has
  std::span<const float* const> embeddings = {};  ///< [rows] an input embedding [hidden], else null; empty: none has
  View<const float, 2> features = {};             ///< [rows, num_features], or empty
};

/// What every layer takes besides its input and output: execution context, scratch memory, and the rows of the batch.
struct ForwardContext {
  ExecutionContext execution;   ///< instruction set, threads, cancellation
  Workspace& workspace;         ///< scratch memory of the calling thread
  Batch batch = {};             ///< the rows of the pass
  RoutingPlan* plan = nullptr;  ///< scratch memory of layers with a router
  std::size_t layer = 0;        ///< index of the current layer
  /// Which rows of the layers' input have adapters; ascending, without overlap.
  std::span<const AdapterRows> adapters = {};
  /// [rows, positions] which positions each row attends to in layers that select: what the last indexer wrote.
  View<std::uint32_t, 2> selected = {};
  InputObserver* inputs = nullptr;  ///< receives the inputs of linear maps; may be null

  /// The same for layers whose input has other rows.
  [[nodiscard]] ForwardContext with_adapters(std::span<const AdapterRows> rows) const {
    return {execution, workspace, batch, plan, layer, rows, {}, inputs};
  }
  /// The state of a sequence in this layer.
  [[nodiscard]] LayerState& state_of(const SequenceSlice& sequence) const noexcept { return sequence.state[layer]; }
  /// The same with activations in f32, for routers, whose decisions must not depend on rounding.
  [[nodiscard]] ForwardContext with_f32_activations() const {
    return {execution.with_f32_activations(), workspace, batch, plan, layer, adapters, selected, inputs};
  }
};

}  // namespace trine::inline TRINE_ABI
