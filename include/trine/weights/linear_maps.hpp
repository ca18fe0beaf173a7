// SPDX-License-Identifier: Apache-2.0
// The linear maps of a model by name: where adapters find what they adapt.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <trine/quant/weight_matrix.hpp>
#include <trine/weights/index_order.hpp>
#include <trine/weights/weight_stack.hpp>

namespace trine::inline TRINE_ABI {

inline constexpr std::uint32_t kNoTarget = std::numeric_limits<std::uint32_t>::max();

/// One of them. Its number among them is Linear::target().
struct LinearMap {
  std::string
      module;  // whose parameter "weight" it is, such as model.layers.0.self_attn.q_proj; or the name of a stack
  WeightMatrix weight;                             // [out, in]; without data if it lies in several tensors
  std::optional<StackShape> stack = std::nullopt;  // of a map that is one of a stack, and
  std::size_t index = 0;                           // its number there, and
  std::size_t projection = 0;                      // of which of the stack's projections
  // How transformers stacks experts, whose updates have that order of rows, whether they are a stack here or apart.
  StackLayout layout = StackLayout::stacked;
  std::string synonym = {};        // the module in transformers, if the checkpoint calls it otherwise
  IndexOrder row_order = nullptr;  // of converted files, for what adapters of the checkpoint hold
  IndexOrder column_order = nullptr;
};

using LinearMaps = std::vector<LinearMap>;

/// Parts of the names of modules, between dots: in a checkpoint, and in transformers, whose names adapters have.
struct ModuleSynonym {
  std::string_view checkpoint;
  std::string_view transformers;
};

/// `module` with each first occurrence of a part replaced, in the order given. Empty if none occurs.
[[nodiscard]] inline std::string synonym_of(std::string_view module, std::span<const ModuleSynonym> synonyms) {
  std::string name = "." + std::string(module) + ".";
  bool found = false;
  for (const ModuleSynonym& synonym : synonyms) {
    const std::string part = "." + std::string(synonym.checkpoint) + ".";
    const std::size_t at = name.find(part);
    if (at == std::string::npos) continue;
    name.replace(at + 1, synonym.checkpoint.size(), synonym.transformers);
    found = true;
  }
  return found ? name.substr(1, name.size() - 2) : std::string();
}

}  // namespace trine::inline TRINE_ABI
