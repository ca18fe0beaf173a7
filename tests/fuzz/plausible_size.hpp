// SPDX-License-Identifier: Apache-2.0
// How much data a manifest speaks of, so that good manifests stay good.
#pragma once

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <string_view>
#include <system_error>

namespace trine::test {

/// The largest integer in `text` that is at most 2^20: the number of bytes, or where the last tensor ends. A tensor has
/// as many bytes as any of its extents, so it is these where the manifest is right.
[[nodiscard]] inline std::size_t plausible_size(std::string_view text) {
  constexpr std::size_t kMost = std::size_t{1} << 20U;
  std::size_t largest = 0;
  for (const char* at = text.data(); at != text.data() + text.size();) {
    std::size_t value = 0;
    const auto [end, error] = std::from_chars(at, text.data() + text.size(), value);
    if (error == std::errc() && value <= kMost) largest = std::max(largest, value);
    at = end == at ? at + 1 : end;
  }
  return largest;
}

}  // namespace trine::test
