// SPDX-License-Identifier: Apache-2.0
// "Did you mean ...?": the known name with the smallest edit distance (Levenshtein 1966) to what was written.
#pragma once

#include <algorithm>
#include <numeric>
#include <string_view>
#include <vector>

#include <trine/core/abi.hpp>

namespace trine::inline TRINE_ABI {

/// Insertions, deletions and substitutions that turn `a` into `b`.
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

/// The known name nearest to `name`, the first of equals; empty when nothing is known. Only the first 64 bytes of
/// `name` are compared, so that a hostile name costs nothing.
template <class Names>
[[nodiscard]] std::string_view nearest_name(std::string_view name, const Names& known) {
  std::string_view best;
  std::size_t best_distance = static_cast<std::size_t>(-1);
  for (const std::string_view candidate : known) {
    const std::size_t distance = edit_distance(name.substr(0, 64), candidate);
    if (distance < best_distance) {
      best_distance = distance;
      best = candidate;
    }
  }
  return best;
}

}  // namespace trine::inline TRINE_ABI
