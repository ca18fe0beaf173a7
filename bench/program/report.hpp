// SPDX-License-Identifier: Apache-2.0
// Results as a markdown table for people and as JSON for programs.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include <trine/platform/cpu_features.hpp>
#include <trine/version.hpp>

#include "common/terminal.hpp"
#include "program/measure.hpp"

namespace trine::bench {

using OrderedJson = nlohmann::ordered_json;

/// What all results of a run have in common.
struct Subject {
  std::string name;
  std::string type;
  std::size_t layers = 0;
  std::size_t weight_bytes = 0;
  std::size_t parameters = 0;
  std::size_t active_parameters = 0;
  std::string arithmetic;

  Subject(std::string model_name, const Meter& meter)
      : name(std::move(model_name)),
        type(to_string(meter.weights().dtype())),
        layers(meter.model().info().num_hidden_layers),
        weight_bytes(meter.model().weight_bytes()),
        parameters(meter.model().transformer().parameters()),
        active_parameters(meter.model().transformer().active_parameters()),
        arithmetic(meter.arithmetic()) {}
};

[[nodiscard]] inline OrderedJson machine_json() {
  return {{"cpu", cpu_name()},
          {"isa", std::string(to_string(default_isa()))},
          {"version", TRINE_VERSION_STRING},
          {"memory_bytes", memory_bytes()}};
}

[[nodiscard]] inline OrderedJson to_json(const Subject& subject) {
  return {
      {"name", subject.name},
      {"type", subject.type},
      {"layers", subject.layers},
      {"weight_bytes", subject.weight_bytes},
      {"bits_per_weight", 8.0 * static_cast<double>(subject.weight_bytes) / static_cast<double>(subject.parameters)},
      {"parameters", subject.parameters},
      {"active_parameters", subject.active_parameters}};
}

[[nodiscard]] inline OrderedJson to_json(const Limits& limits) {
  return {{"read_gb_per_second", limits.read_gb_per_second},
          {"giga_operations_per_second", limits.giga_operations_per_second}};
}

[[nodiscard]] inline OrderedJson to_json(const Result& result, std::string_view arithmetic) {
  const Statistics statistics = result.statistics();
  const OrderedJson limit = {{"bound_by", result.bound_by_memory() ? "memory" : "arithmetic"},
                             {"arithmetic", arithmetic},
                             {"tokens_per_second", result.most_tokens_per_second()},
                             {"before", to_json(result.before)},
                             {"after", to_json(result.after)}};
  return {{"test", result.test.name()},
          {"tokens", result.test.tokens},
          {"rows", result.test.rows},
          {"depth", result.test.depth},
          {"threads", result.test.num_threads},
          {"tokens_per_second",
           {{"mean", statistics.mean},
            {"stddev", statistics.stddev},
            {"median", statistics.median},
            {"min", statistics.min},
            {"max", statistics.max},
            {"samples", result.tokens_per_second}}},
          {"limit", result.has_limits() ? limit : OrderedJson()},
          {"share", result.has_limits() ? OrderedJson(result.share()) : OrderedJson()},
          {"touched_bytes_per_token", result.touched_bytes_per_token()},
          {"giga_operations_per_token", result.giga_operations / static_cast<double>(result.test.tokens)},
          {"peak_memory_bytes", result.peak_memory},
          {"non_finite_logits", result.non_finite_logits}};
}

[[nodiscard]] inline std::string table_head(const Subject& subject) {
  return subject.name + ", " + std::to_string(subject.layers) + " layers, " + subject.type + ", " +
         example::with_unit(static_cast<double>(subject.weight_bytes)) + " of weights; " + cpu_name() + ", " +
         std::string(to_string(default_isa())) +
         "\n\n"
         "| test | threads | tokens/s | median | min | max | limit | share | weights/token | peak memory |\n"
         "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n";
}

[[nodiscard]] inline std::string table_row(const Result& result, std::string_view arithmetic) {
  const Statistics statistics = result.statistics();
  const auto number = [](double value) { return example::fixed(value, value < 100.0 ? 2 : 1); };
  const Limits limits = result.limits();
  const std::string limit = result.bound_by_memory() ? number(limits.read_gb_per_second) + " GB/s"
                                                     : number(limits.giga_operations_per_second) +
                                                           (arithmetic == "int8" ? " GOP/s" : " GFLOP/s");
  const std::string depth = result.test.depth == 0 ? "" : " @ " + std::to_string(result.test.depth);
  return "| " + result.test.name() + depth + " | " + std::to_string(result.test.num_threads) + " | " +
         number(statistics.mean) + " ± " + number(statistics.stddev) + " | " + number(statistics.median) + " | " +
         number(statistics.min) + " | " + number(statistics.max) + " | " + (result.has_limits() ? limit : "-") + " | " +
         (result.has_limits() ? example::percent(result.share(), 1) : "-") + " | " +
         example::with_unit(result.touched_bytes_per_token()) + " | " +
         example::with_unit(static_cast<double>(result.peak_memory)) + " |\n";
}

}  // namespace trine::bench
