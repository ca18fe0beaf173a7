// SPDX-License-Identifier: Apache-2.0
// The types that lose least within a number of bytes.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <queue>
#include <span>
#include <string>
#include <vector>

#include <trine/core/dtype.hpp>
#include <trine/core/error.hpp>

namespace trine::inline TRINE_ABI {

/// A type that a tensor could have.
struct TypeOption {
  DType type = DType::f32;  ///< stored so
  std::uint64_t bytes = 0;  ///< it has so many
  double loss = 0.0;        ///< and costs so much, in any unit that adds up
};

namespace detail {

// Indices of the options on the lower convex hull of loss over bytes, fewest bytes first: of those in between, another
// one is better for the same bytes.
[[nodiscard]] inline std::vector<std::size_t> convex_options(std::span<const TypeOption> options) {
  std::vector<std::size_t> order(options.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::ranges::sort(order, [&](std::size_t a, std::size_t b) {
    return options[a].bytes != options[b].bytes ? options[a].bytes < options[b].bytes
                                                : options[a].loss < options[b].loss;
  });
  const auto gain = [&](std::size_t from, std::size_t to) {  // of a byte
    return (options[from].loss - options[to].loss) / static_cast<double>(options[to].bytes - options[from].bytes);
  };
  std::vector<std::size_t> hull;
  for (const std::size_t i : order) {
    if (!hull.empty() && options[i].loss >= options[hull.back()].loss) continue;
    while (hull.size() >= 2 && gain(hull.back(), i) >= gain(hull[hull.size() - 2], hull.back())) hull.pop_back();
    hull.push_back(i);
  }
  return hull;
}

}  // namespace detail

/// One of the options of each tensor, so that their bytes are at most `limit` and the sum of their losses is small: all
/// begin with their smallest option, and the step that gains most per byte is taken again and again, while one fits.
/// That is the least sum possible for the bytes that it reaches, except for the last steps. Throws InputError if even
/// the smallest options exceed the limit.   options: at least one of each tensor
[[nodiscard]] inline std::vector<std::size_t> allocate_types(std::span<const std::vector<TypeOption>> options,
                                                             std::uint64_t limit) {
  struct Step {
    double gain;  // of a byte
    std::size_t tensor;
    std::size_t to;  // of its hull
    bool operator<(const Step& other) const { return gain != other.gain ? gain < other.gain : tensor > other.tensor; }
  };
  std::vector<std::vector<std::size_t>> hulls;
  std::vector<std::size_t> chosen;
  std::priority_queue<Step> steps;
  std::uint64_t bytes = 0;
  const auto push = [&](std::size_t tensor, std::size_t to) {
    if (to >= hulls[tensor].size()) return;
    const TypeOption& a = options[tensor][hulls[tensor][to - 1]];
    const TypeOption& b = options[tensor][hulls[tensor][to]];
    steps.push({(a.loss - b.loss) / static_cast<double>(b.bytes - a.bytes), tensor, to});
  };
  for (std::size_t t = 0; t < options.size(); ++t) {
    hulls.push_back(detail::convex_options(options[t]));
    chosen.push_back(hulls[t].front());
    bytes += options[t][chosen[t]].bytes;
    push(t, 1);
  }
  if (bytes > limit)
    throw InputError("target: expected at least " + std::to_string(bytes) +
                         " bytes, the smallest that is possible, found " + std::to_string(limit),
                     {.kind = ErrorKind::out_of_range, .field = "target"});
  while (!steps.empty()) {
    const Step step = steps.top();
    steps.pop();
    const std::uint64_t more =
        options[step.tensor][hulls[step.tensor][step.to]].bytes - options[step.tensor][chosen[step.tensor]].bytes;
    if (more > limit - bytes) continue;  // nor do its next ones fit
    bytes += more;
    chosen[step.tensor] = hulls[step.tensor][step.to];
    push(step.tensor, step.to + 1);
  }
  return chosen;
}

}  // namespace trine::inline TRINE_ABI
