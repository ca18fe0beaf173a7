// SPDX-License-Identifier: Apache-2.0
// A plan in a few lines: tensors of one class and type together.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <map>
#include <span>
#include <string>
#include <tuple>
#include <vector>

#include <nlohmann/json.hpp>

#include <trine/quant/quantization_error.hpp>
#include <trine/quantize/quantize_plan.hpp>

#include "common/terminal.hpp"

namespace example {

class QuantizeSummary {
 public:
  /// errors: of each tensor of the plan, or none when nothing was written.
  explicit QuantizeSummary(std::span<const trine::PlannedTensor> plan,
                           std::span<const trine::QuantizationError> errors = {})
      : measured_(!errors.empty()) {
    for (std::size_t i = 0; i < plan.size(); ++i) {
      const trine::PlannedTensor& tensor = plan[i];
      const trine::QuantizationError error = measured_ ? errors[i] : trine::QuantizationError{};
      rows_[{tensor.role, tensor.from, tensor.to}].add(tensor, error);
      total_.add(tensor, error);
      if (tensor.note.empty()) continue;
      Kept& kept = kept_[{tensor.role, tensor.to, tensor.note}];
      if (kept.tensors++ == 0) kept.example = tensor.name;
    }
  }

  void print() const {
    std::printf("%-15s%8s  %-11s %-11s%12s%12s%12s", "class", "tensors", "from", "to", "before", "after",
                "bits/weight");
    std::printf(measured_ ? "%11s  %s\n" : "\n", "error", "worst tensor");
    for (const auto& [key, row] : rows_) {
      const auto& [kind, from, to] = key;
      print_row(text(to_string(kind)), text(from), text(to), row);
    }
    print_row("total", "", "", total_);
    for (const auto& [key, kept] : kept_) {
      const auto& [kind, to, note] = key;
      std::printf("%s: %zu left in %s, %s, such as %s\n", text(to_string(kind)).c_str(), kept.tensors, text(to).c_str(),
                  note.c_str(), escaped(kept.example).c_str());
    }
  }

  /// {"classes": [...], "total": {...}, "left": [...]}
  [[nodiscard]] nlohmann::ordered_json to_json() const {
    nlohmann::ordered_json document = {{"classes", nlohmann::ordered_json::array()},
                                       {"total", row_to_json(total_)},
                                       {"left", nlohmann::ordered_json::array()}};
    for (const auto& [key, row] : rows_) {
      const auto& [kind, from, to] = key;
      nlohmann::ordered_json entry = {{"class", text(to_string(kind))}, {"from", text(from)}, {"to", text(to)}};
      entry.update(row_to_json(row));
      document["classes"].push_back(entry);
    }
    for (const auto& [key, kept] : kept_) {
      const auto& [kind, to, note] = key;
      document["left"].push_back({{"class", text(to_string(kind))},
                                  {"type", text(to)},
                                  {"why", note},
                                  {"tensors", kept.tensors},
                                  {"example", kept.example}});
    }
    return document;
  }

 private:
  struct Row {
    std::size_t tensors = 0;
    std::uint64_t parameters = 0;
    std::uint64_t before = 0;
    std::uint64_t after = 0;
    trine::QuantizationError error;
    std::string worst;
    double worst_error = 0.0;

    void add(const trine::PlannedTensor& tensor, const trine::QuantizationError& of_tensor) {
      ++tensors;
      parameters += tensor.parameters;
      before += tensor.bytes_before;
      after += tensor.bytes_after;
      error += of_tensor;
      if (of_tensor.relative_rms() <= worst_error) return;
      worst_error = of_tensor.relative_rms();
      worst = tensor.name;
    }
    [[nodiscard]] double bits_per_weight() const {
      return 8.0 * static_cast<double>(after) / static_cast<double>(std::max<std::uint64_t>(parameters, 1));
    }
  };
  struct Kept {
    std::size_t tensors = 0;
    std::string example;
  };

  static std::string text(std::string_view view) { return std::string(view); }
  // Of the weights that a tensor of that type holds: a type of codes is named by their format.
  static std::string text(trine::DType dtype) {
    const trine::WeightFormat* format = trine::find_format_of_tensor(dtype);
    return text(format != nullptr ? format->name : to_string(dtype));
  }
  static std::string precise_percent(double share) { return percent(share, share < 1e-5 ? 6 : 3); }

  void print_row(const std::string& name, const std::string& from, const std::string& to, const Row& row) const {
    std::printf("%-15s%8zu  %-11s %-11s%12s%12s%12.3f", name.c_str(), row.tensors, from.c_str(), to.c_str(),
                with_unit(static_cast<double>(row.before)).c_str(), with_unit(static_cast<double>(row.after)).c_str(),
                row.bits_per_weight());
    if (measured_ && !row.worst.empty()) {
      std::printf("%11s  %s %s", precise_percent(row.error.relative_rms()).c_str(),
                  precise_percent(row.worst_error).c_str(), escaped(row.worst).c_str());
    } else if (measured_) {
      std::printf("%11s", "exact");
    }
    std::printf("\n");
  }

  [[nodiscard]] nlohmann::ordered_json row_to_json(const Row& row) const {
    nlohmann::ordered_json entry = {{"tensors", row.tensors},
                                    {"parameters", row.parameters},
                                    {"bytes_before", row.before},
                                    {"bytes_after", row.after},
                                    {"bits_per_weight", row.bits_per_weight()}};
    if (!measured_) return entry;
    entry["error"] = row.error.relative_rms();
    if (!row.worst.empty()) entry["worst"] = {{"tensor", row.worst}, {"error", row.worst_error}};
    return entry;
  }

  bool measured_;
  std::map<std::tuple<trine::TensorRole, trine::DType, trine::DType>, Row> rows_;
  Row total_;
  std::map<std::tuple<trine::TensorRole, trine::DType, std::string>, Kept> kept_;
};

}  // namespace example
