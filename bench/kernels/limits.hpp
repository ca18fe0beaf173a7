// SPDX-License-Identifier: Apache-2.0
// What one thread of this machine can do, measured right before and after a benchmark: shared machines drift.
#pragma once

#include <ctime>

#include "limits/arithmetic_peak.hpp"
#include "limits/stream_read.hpp"

namespace trine::bench {

/// The best of one pass for each count of streams, in 10^9 bytes per second.
[[nodiscard]] inline double stream_read() {
  static const StreamReader reader;
  return reader.measure(1, 1).best();
}

/// In 10^9 operations per second.
template <double ArithmeticPeak::*type>
[[nodiscard]] double arithmetic_peak() {
  return measure_arithmetic_peak(1).*type;
}

/// How long work took, of this thread's time, and what the limit was around it.
struct BesideLimit {
  double seconds = 0.0;
  double limit = 0.0;
  /// Of the limit, for so many 10^9 bytes or operations.
  [[nodiscard]] double share(double giga) const { return giga / seconds / limit; }
};

/// Does the work between two measurements of its limit, whose mean counts.
template <class Work>
[[nodiscard]] BesideLimit beside(double (*limit)(), const Work& work) {
  const double before = limit();
  const std::clock_t start = std::clock();
  work();
  const double seconds = static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
  return {seconds, (before + limit()) / 2.0};
}

}  // namespace trine::bench
