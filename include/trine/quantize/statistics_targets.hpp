// SPDX-License-Identifier: Apache-2.0
// Where the statistics of each linear map of a model belong.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <trine/model/model.hpp>
#include <trine/weights/linear_maps.hpp>
#include <trine/weights/weight_source.hpp>

namespace trine::inline TRINE_ABI {

/// A place in InputStatistics.
struct StatisticsTarget {
  std::string tensor;       ///< empty: the map has none
  std::size_t columns = 0;  ///< inputs
  std::size_t expert = 0;   ///< number of the matrix in the tensor
  std::size_t experts = 1;  ///< matrices of the tensor
};

/// Those of all maps, by Linear::target(). Tensors are found by their memory, so that two maps of one tensor, such as
/// an embedding that is also the head, have statistics in common.
[[nodiscard]] inline std::vector<StatisticsTarget> statistics_targets(const Model& model) {
  std::map<const std::byte*, std::string, std::less<>> at;
  for (const std::string_view name : model.weights().names())
    if (const StoredTensor* tensor = model.weights().find(name); !tensor->bytes.empty())
      at.emplace(tensor->bytes.data(), std::string(name));
  std::vector<StatisticsTarget> targets;
  for (const LinearMap& map : model.linear_maps()) {
    StatisticsTarget& target = targets.emplace_back();
    // Of several projections of a stack, which take the same input, one is enough.
    const auto found = map.projection == 0 ? at.find(map.weight.data) : at.end();
    if (found == at.end()) continue;
    target = {found->second, map.weight.columns, map.stack ? map.index : 0, map.stack ? map.stack->count : 1};
  }
  return targets;
}

}  // namespace trine::inline TRINE_ABI
