// SPDX-License-Identifier: Apache-2.0
// A hook that receives the inputs of all linear maps, such as for statistics that choose how weights are rounded.
// Without one, the cost is a comparison per group of maps.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include <trine/core/tensor_view.hpp>

namespace trine::inline TRINE_ABI {

/// Rows that a linear map is about to take, or has taken. Valid only during the call.
struct InputEvent {
  std::uint32_t target = 0;            ///< the map: Linear::target(), an index of Model::linear_maps()
  View<const float, 2> x;              ///< [any, at least in], before they are rounded
  const std::uint32_t* row = nullptr;  ///< [rows] rows of x, or null: 0, 1, ...
  std::size_t rows = 0;                ///< number of rows that it takes

  /// The i-th of them [in].
  [[nodiscard]] std::span<const float> operator[](std::size_t i) const noexcept {
    return x.row(row == nullptr ? i : row[i]);
  }
};

/// The interface of observers. Called in the thread that runs the pass; an observer that several engines share is
/// called from several threads at once. Maps that are used in parts are not reported: those that multi-head latent
/// attention applies to its latents (kv_b_proj).
class InputObserver {
 public:
  virtual ~InputObserver() = default;
  /// Called for each map of each layer of a pass, in the order in which they are applied.
  virtual void on_input(const InputEvent& event) = 0;
};

}  // namespace trine::inline TRINE_ABI
