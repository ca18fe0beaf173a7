// SPDX-License-Identifier: Apache-2.0
// The linear maps of a model by name: where adapters find what they adapt.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <trine/quant/weight_matrix.hpp>
#include <trine/weights/weight_stack.hpp>

namespace trine::inline TRINE_ABI {

inline constexpr std::uint32_t kNoTarget = std::numeric_limits<std::uint32_t>::max();

/// One of them. Its number among them is Linear::target().
struct LinearMap {
  std::string
      module;  // whose parameter "weight" it is, such as model.layers.0.self_attn.q_proj; or the name of a stack
  WeightMatrix weight;                             // [out, in]
  std::optional<StackShape> stack = std::nullopt;  // of a map that is one of a stack, and
  std::size_t index = 0;                           // its number there, and
  std::size_t projection = 0;                      // of which of the stack's projections
  // How transformers stacks experts, whose updates have that order of rows, whether they are a stack here or apart.
  StackLayout layout = StackLayout::stacked;
  bool permuted_rows = false;  // not in the order of the published checkpoint: no adapter fits
};

using LinearMaps = std::vector<LinearMap>;

}  // namespace trine::inline TRINE_ABI
