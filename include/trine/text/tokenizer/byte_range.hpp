// SPDX-License-Identifier: Apache-2.0
// A part of a text.
#pragma once

#include <algorithm>
#include <cstddef>
#include <span>
#include <vector>

#include <trine/core/abi.hpp>

namespace trine::inline TRINE_ABI {

/// Bytes [begin, end) of a text.
struct ByteRange {
  std::size_t begin = 0;                                                 ///< first byte
  std::size_t end = 0;                                                   ///< behind the last byte
  friend bool operator==(const ByteRange&, const ByteRange&) = default;  ///< Returns whether both are the same bytes.
};

/// Returns whether `range` has a byte in common with one of `ranges`, which are sorted and do not overlap.
[[nodiscard]] inline bool overlaps(ByteRange range, std::span<const ByteRange> ranges) noexcept {
  const auto first = std::partition_point(ranges.begin(), ranges.end(),
                                          [&](const ByteRange& candidate) { return candidate.end <= range.begin; });
  return first != ranges.end() && first->begin < range.end;
}

/// What `ranges` have of `part`, counted from where it begins.
[[nodiscard]] inline std::vector<ByteRange> within(ByteRange part, std::span<const ByteRange> ranges) {
  std::vector<ByteRange> result;
  for (const ByteRange& range : ranges) {
    const std::size_t begin = std::max(range.begin, part.begin);
    const std::size_t end = std::min(range.end, part.end);
    if (begin < end) result.push_back({begin - part.begin, end - part.begin});
  }
  return result;
}

}  // namespace trine::inline TRINE_ABI
