// SPDX-License-Identifier: Apache-2.0
// A plan of a given size, layer by layer: which types tensors get, and what that is expected to cost.
#pragma once

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <map>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include <trine/quantize/size_target.hpp>

#include "common/terminal.hpp"

namespace example {

class SizedPlanTable {
 public:
  explicit SizedPlanTable(const trine::SizedPlan& sized) : sized_(sized) {
    for (std::size_t t = 0; t < sized.plan.size(); ++t) {
      const trine::PlannedTensor& tensor = sized.plan[t];
      if (!trine::is_quantized_by_default(tensor.role)) continue;
      Row& row = rows_[{layer_of(tensor.name), tensor.role}];
      ++row.types[std::string(to_string(tensor.to))];
      row.parameters += tensor.parameters;
      row.bytes += tensor.bytes_after;
      row.divergence += sized.divergence[t];
    }
  }

  void print() const {
    std::printf("%6s  %-15s%12s%14s  %s\n", "layer", "class", "bits/weight", "divergence", "types");
    for (const auto& [key, row] : rows_) {
      std::string types;
      for (const auto& [type, count] : row.types)
        types += (types.empty() ? "" : ", ") + std::to_string(count) + " " + type;
      std::printf("%6s  %-15s%12.3f%14.6f  %s\n", key.first < 0 ? "" : std::to_string(key.first).c_str(),
                  std::string(to_string(key.second)).c_str(),
                  8.0 * static_cast<double>(row.bytes) / static_cast<double>(row.parameters), row.divergence,
                  types.c_str());
    }
    std::printf("target         %s, predicted KL divergence %.5f nats, measured in %zu groups of tensors\n",
                with_unit(static_cast<double>(sized_.bytes)).c_str(), sized_.total_divergence(), sized_.groups.size());
  }

  /// {"bytes", "predicted_kl_divergence", "tensors": {NAME: {"type", "kl_divergence"}}, "measured": [...]}
  [[nodiscard]] nlohmann::ordered_json to_json() const {
    nlohmann::ordered_json tensors = nlohmann::ordered_json::object();
    for (std::size_t t = 0; t < sized_.plan.size(); ++t)
      if (trine::is_quantized_by_default(sized_.plan[t].role))
        tensors[sized_.plan[t].name] = {{"type", to_string(sized_.plan[t].to)},
                                        {"kl_divergence", sized_.divergence[t]}};
    nlohmann::ordered_json measured = nlohmann::ordered_json::array();
    for (const trine::MeasuredGroup& group : sized_.groups)
      measured.push_back(
          {{"tensors", group.name}, {"type", to_string(group.type)}, {"kl_divergence", group.divergence}});
    return {{"bytes", sized_.bytes},
            {"predicted_kl_divergence", sized_.total_divergence()},
            {"tensors", tensors},
            {"measured", measured}};
  }

 private:
  struct Row {
    std::map<std::string, std::size_t> types;
    std::uint64_t parameters = 0;
    std::uint64_t bytes = 0;
    double divergence = 0.0;
  };

  // The number after "layers.", or -1.
  static int layer_of(std::string_view name) {
    constexpr std::string_view kLayers = "layers.";
    int layer = -1;
    if (const std::size_t at = name.find(kLayers); at != std::string_view::npos)
      std::from_chars(name.data() + at + kLayers.size(), name.data() + name.size(), layer);
    return layer;
  }

  const trine::SizedPlan& sized_;
  std::map<std::pair<int, trine::TensorRole>, Row> rows_;
};

}  // namespace example
