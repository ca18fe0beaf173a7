// SPDX-License-Identifier: Apache-2.0
// What a result has to say about the machine, and the limits of it that results are compared with.
#pragma once

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <fstream>
#include <string>

#include <trine/core/dtype.hpp>
#include <trine/core/nearest_name.hpp>
#include <trine/quant/packed.hpp>

#include "limits/arithmetic_peak.hpp"
#include "limits/stream_read.hpp"

namespace trine::bench {

/// "model name" of /proc/cpuinfo; "unknown" where there is none.
[[nodiscard]] inline std::string cpu_name() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    const std::size_t colon = line.find(": ");
    if (line.starts_with("model name") && colon != std::string::npos) return escaped(line.substr(colon + 2));
  }
  return "unknown";
}

[[nodiscard]] inline std::size_t memory_bytes() {
  return static_cast<std::size_t>(::sysconf(_SC_PHYS_PAGES)) * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

/// Most memory that this process held so far. Pages of mapped files count once they were touched.
[[nodiscard]] inline std::size_t peak_memory_bytes() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return static_cast<std::size_t>(usage.ru_maxrss) * 1024;
}

/// Bytes for a StreamReader: eight times the last cache, within 256 MiB and 1 GiB.
[[nodiscard]] inline std::size_t stream_bytes() {
  const long cache = std::max(::sysconf(_SC_LEVEL3_CACHE_SIZE), 0L);
  return std::clamp(static_cast<std::size_t>(cache) * 8, std::size_t{256} << 20U, std::size_t{1} << 30U);
}

/// What products of weights of that type are limited by: fp8 and MXFP4 are widened to f32, as f16 is, and where bf16 is
/// multiplied in tiles, so are plain rows of it.
[[nodiscard]] inline std::string_view arithmetic_of(DType weights) {
  if (weights == kQ8 || weights == kQ4) return "int8";
  if (weights == DType::bf16) return best_isa() == Isa::amx ? "f32" : "bf16";
  return weights == kBf16Panels ? "bf16" : "f32";
}

/// Both limits of results.
struct Limits {
  double read_gb_per_second = 0.0;        // the best stream read
  double giga_operations_per_second = 0;  // the peak of the weights' type
};

[[nodiscard]] inline Limits measure_limits(const StreamReader& reader, std::string_view arithmetic, std::size_t threads,
                                           std::size_t passes) {
  const Isa isa = best_isa();
  const detail::Loop loop = arithmetic == "int8"   ? detail::int8_loop(isa)
                            : arithmetic == "bf16" ? detail::bf16_loop(isa)
                                                   : detail::f32_loop(isa);
  return {reader.measure(threads, passes).best(), detail::giga_operations_per_second(loop, threads)};
}

}  // namespace trine::bench
