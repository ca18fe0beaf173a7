// SPDX-License-Identifier: Apache-2.0
// A handful of numbers in few: what repeated measurements are reported as.
#pragma once

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

namespace trine::bench {

struct Statistics {
  double mean = 0.0;
  double stddev = 0.0;  // of the sample, divided by n - 1; 0 for one number
  double median = 0.0;
  double min = 0.0;
  double max = 0.0;
};

/// values: at least one
[[nodiscard]] inline Statistics statistics_of(std::vector<double> values) {
  std::ranges::sort(values);
  const auto n = static_cast<double>(values.size());
  const double mean = std::accumulate(values.begin(), values.end(), 0.0) / n;
  double squares = 0.0;
  for (const double value : values) squares += (value - mean) * (value - mean);
  const std::size_t half = values.size() / 2;
  return {.mean = mean,
          .stddev = values.size() < 2 ? 0.0 : std::sqrt(squares / (n - 1.0)),
          .median = values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2.0,
          .min = values.front(),
          .max = values.back()};
}

}  // namespace trine::bench
