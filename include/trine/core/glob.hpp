// SPDX-License-Identifier: Apache-2.0
// Patterns for names, as in a shell: `*` matches any number of characters, `?` exactly one.
#pragma once

#include <cstddef>
#include <string_view>

#include <trine/core/abi.hpp>

namespace trine::inline TRINE_ABI {

/// Returns whether `pattern` matches all of `text`. A mismatch only needs to retry from the last `*`, so this takes at
/// most pattern.size() * text.size() steps.
[[nodiscard]] constexpr bool matches_glob(std::string_view pattern, std::string_view text) noexcept {
  std::size_t p = 0;
  std::size_t t = 0;
  std::size_t star = std::string_view::npos;  // the last `*`, and how much of the text it matched
  std::size_t taken = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      taken = t;
    } else if (p < pattern.size() && (pattern[p] == '?' || pattern[p] == text[t])) {
      ++p;
      ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++taken;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

}  // namespace trine::inline TRINE_ABI
