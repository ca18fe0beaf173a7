// SPDX-License-Identifier: Apache-2.0
// Light work on many rows, such as norms and sums, distributed over threads if that pays off.
#pragma once

#include <algorithm>
#include <cstddef>
#include <type_traits>

#include <trine/platform/parallel_for.hpp>

namespace trine::inline TRINE_ABI {

/// The number of elements that justifies a task of such work.
inline constexpr std::size_t kRowWork = std::size_t{1} << 15U;

/// Calls `body(r)` or `body(r, worker)` once for each row r in [0, rows), consecutive rows in one thread; see
/// parallel_for. width: elements per row that are read or written
template <class Body>
void parallel_rows(const ExecutionContext& execution, std::size_t rows, std::size_t width, const Body& body) {
  const std::size_t at_once = std::max<std::size_t>(1, kRowWork / std::max<std::size_t>(width, 1));
  parallel_for(execution, (rows + at_once - 1) / at_once, [&](std::size_t task, [[maybe_unused]] std::size_t worker) {
    for (std::size_t r = task * at_once; r < std::min(rows, (task + 1) * at_once); ++r) {
      if constexpr (std::is_invocable_v<const Body&, std::size_t, std::size_t>) {
        body(r, worker);
      } else {
        body(r);
      }
    }
  });
}

}  // namespace trine::inline TRINE_ABI
