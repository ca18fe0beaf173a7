// SPDX-License-Identifier: Apache-2.0
// "Did you mean ...?": the known name with the smallest edit distance (Levenshtein 1966) to the given one.
#pragma once

#include <algorithm>
#include <numeric>
#include <string>
#include <string_view>
#include <vector>

#include <trine/core/abi.hpp>
#include <trine/core/error.hpp>

namespace trine::inline TRINE_ABI {

/// The number of insertions, deletions and substitutions from `a` to `b`.
[[nodiscard]] inline std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i + 1;
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t substitute = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({row[j] + 1, row[j + 1] + 1, substitute});
    }
  }
  return row.back();
}

/// The known name nearest to `name`, the first of several; empty if none is near: if more than a third of the longer
/// name would change, and more than two letters, or one of a name of two. Only the first 64 bytes of `name` are
/// compared, so that a hostile name costs nothing.
template <class Names>
[[nodiscard]] std::string_view nearest_name(std::string_view name, const Names& known) {
  constexpr std::size_t kCompared = 64;
  std::string_view best;
  std::size_t best_distance = static_cast<std::size_t>(-1);
  for (const std::string_view candidate : known) {
    const std::size_t distance = edit_distance(name.substr(0, kCompared), candidate);
    const std::size_t length = std::max(std::min(name.size(), kCompared), candidate.size());
    if (distance < best_distance && distance <= std::max(length / 3, std::min<std::size_t>((length + 1) / 2, 2))) {
      best_distance = distance;
      best = candidate;
    }
  }
  return best;
}

/// For the end of a message: the nearest name between `before` and `after`; empty if none is near.
template <class Names>
[[nodiscard]] std::string nearest_hint(std::string_view name, const Names& known,
                                       std::string_view before = "; the nearest one is '",
                                       std::string_view after = "'") {
  const std::string_view nearest = nearest_name(name, known);
  if (nearest.empty()) return {};
  return std::string(before) + escaped(nearest) + std::string(after);
}

}  // namespace trine::inline TRINE_ABI
