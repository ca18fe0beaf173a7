// SPDX-License-Identifier: Apache-2.0
// What a calibration text has met: tokens of each expert, layer by layer.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include <trine/quantize/input_statistics.hpp>

#include "common/terminal.hpp"

namespace example {

/// Tokens per expert, of each group of experts.
class Coverage {
 public:
  explicit Coverage(const trine::InputStatistics& statistics) {
    for (const auto& [name, inputs] : statistics.tensors()) {
      if (inputs.experts() > 1) {
        add(name.substr(0, name.rfind('.')), inputs.rows);
        continue;
      }
      tokens_ = std::max(tokens_, inputs.rows.front());
      const std::size_t at = name.find(".experts.");
      if (at == std::string::npos || name.find("down") == std::string::npos) continue;  // one of three is enough
      add(name.substr(0, at + std::string_view(".experts").size()), inputs.rows);
    }
  }

  void print() const {
    std::printf("calibration    %llu tokens\n", static_cast<unsigned long long>(tokens_));
    for (const auto& [name, rows] : groups_) {
      std::vector<std::uint64_t> sorted = rows;
      std::ranges::sort(sorted);
      std::printf("               %s: %zu experts, tokens of each %llu to %llu, median %llu", escaped(name).c_str(),
                  sorted.size(), static_cast<unsigned long long>(sorted.front()),
                  static_cast<unsigned long long>(sorted.back()),
                  static_cast<unsigned long long>(sorted[sorted.size() / 2]));
      if (const std::size_t few = seldom(rows); few != 0)
        std::printf("; %zu with less than %.0f count as their layer's mean", few, trine::InputStatistics::kPriorTokens);
      std::printf("\n");
    }
  }

  /// {"tokens": N, "experts": [{"name", "tokens": [...], "seldom": N}]}
  [[nodiscard]] nlohmann::ordered_json to_json() const {
    nlohmann::ordered_json experts = nlohmann::ordered_json::array();
    for (const auto& [name, rows] : groups_)
      experts.push_back({{"name", name}, {"tokens", rows}, {"seldom", seldom(rows)}});
    return {{"tokens", tokens_}, {"experts", experts}};
  }

 private:
  void add(const std::string& group, const std::vector<std::uint64_t>& rows) {
    auto& all = groups_[group];
    all.insert(all.end(), rows.begin(), rows.end());
  }
  static std::size_t seldom(const std::vector<std::uint64_t>& rows) {
    return static_cast<std::size_t>(std::ranges::count_if(
        rows, [](std::uint64_t n) { return static_cast<double>(n) < trine::InputStatistics::kPriorTokens; }));
  }

  std::uint64_t tokens_ = 0;
  std::map<std::string, std::vector<std::uint64_t>> groups_;
};

}  // namespace example
