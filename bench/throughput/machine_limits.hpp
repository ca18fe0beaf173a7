// SPDX-License-Identifier: Apache-2.0
// What this machine could do at best: bytes read a second, products a second.
#pragma once

#include <cstddef>

#include <trine/core/dtype.hpp>

namespace trine::bench {

/// Two numbers bound everything: one token cannot be computed faster than its weights are read, many not faster than
/// their products are made.
struct MachineLimits {
  double read_bytes_per_second = 0;       // the best of 1, 2, 4, 8 and 16 streams a thread
  double f32_operations_per_second = 0;   // a multiply-add is two operations
  double bf16_operations_per_second = 0;  // of dot products of pairs, or as f32 where the CPU has none
  double int8_operations_per_second = 0;  // of dot products of four bytes, or as f32

  /// For products with weights of this type.
  [[nodiscard]] double operations_per_second(DType dtype) const noexcept;
};

/// Measures for about `seconds` on so many threads. Reads `buffer_bytes` of memory, which should be far more than the
/// caches hold.
[[nodiscard]] MachineLimits measure_limits(std::size_t threads, double seconds = 1.0,
                                           std::size_t buffer_bytes = std::size_t{512} << 20U);

}  // namespace trine::bench
