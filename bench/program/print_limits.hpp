// SPDX-License-Identifier: Apache-2.0
// The limits of the machine alone: trine-bench --limits.
#pragma once

#include <cstdio>
#include <span>
#include <string>

#include "program/report.hpp"

namespace trine::bench {

inline void print_limits(std::span<const std::size_t> threads, bool json) {
  const StreamReader reader(stream_bytes());
  OrderedJson document = machine_json();
  document["limits"] = OrderedJson::array();
  if (!json) {
    std::printf("%s, %s\n\n| threads |", cpu_name().c_str(), std::string(to_string(best_isa())).c_str());
    for (const std::size_t streams : kStreamCounts) std::printf(" read x%zu |", streams);
    std::printf(" f32 | bf16 | int8 |\n|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n");
  }
  for (const std::size_t count : threads) {
    const StreamRead read = reader.measure(count);
    const ArithmeticPeak peak = measure_arithmetic_peak(count);
    OrderedJson by_streams = OrderedJson::object();
    for (std::size_t i = 0; i < kStreamCounts.size(); ++i)
      by_streams[std::to_string(kStreamCounts[i])] = read.gb_per_second[i];
    document["limits"].push_back({{"threads", count},
                                  {"read_gb_per_second", read.best()},
                                  {"best_streams", read.best_streams()},
                                  {"read_gb_per_second_by_streams", by_streams},
                                  {"f32_gflop_per_second", peak.f32},
                                  {"bf16_gflop_per_second", peak.bf16},
                                  {"int8_gop_per_second", peak.int8}});
    if (json) continue;
    std::printf("| %zu |", count);
    for (const double rate : read.gb_per_second) std::printf(" %.1f GB/s |", rate);
    std::printf(" %.0f GFLOP/s | %.0f GFLOP/s | %.0f GOP/s |\n", peak.f32, peak.bf16, peak.int8);
  }
  if (json) std::printf("%s\n", document.dump(2).c_str());
}

}  // namespace trine::bench
