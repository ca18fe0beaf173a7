// SPDX-License-Identifier: Apache-2.0
// Full attention approximated by chunks, which makes long contexts cheap.
#pragma once

#include <charconv>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include <trine/core/error.hpp>
#include <trine/core/nearest_name.hpp>

namespace trine::inline TRINE_ABI {

/// A query attends to its own chunk of `size` positions up to itself, and the last `overlap` positions before the
/// chunk.
struct Chunking {
  std::size_t size = 0;     ///< >= 1
  std::size_t overlap = 0;  ///< <= size

  /// The first position that position n attends to.
  [[nodiscard]] constexpr std::size_t first(std::size_t n) const noexcept {
    const std::size_t begin = n / size * size;
    return begin - (begin < overlap ? begin : overlap);
  }
  /// The number of positions from n on with the same first position.
  [[nodiscard]] constexpr std::size_t left(std::size_t n) const noexcept { return size - n % size; }
};

/// "full" is nullopt; otherwise "chunked:SIZE" or "chunked:SIZE:OVERLAP". Throws InputError.
[[nodiscard]] inline std::optional<Chunking> parse_chunking(std::string_view text) {
  if (text == "full") return std::nullopt;
  constexpr std::string_view kKind = "chunked:";
  constexpr std::size_t kMost = std::size_t{1} << 30U;
  const auto fail = [&]() -> std::optional<Chunking> {
    throw InputError(
        "attention: expected full, chunked:SIZE or chunked:SIZE:OVERLAP with OVERLAP at most SIZE, found " +
            in_quotes(text),
        {.field = "attention"});
  };
  if (!text.starts_with(kKind)) return fail();
  Chunking chunking;
  const char* end = text.data() + text.size();
  auto read = std::from_chars(text.data() + kKind.size(), end, chunking.size);
  if (read.ec != std::errc() || chunking.size == 0 || chunking.size > kMost) return fail();
  if (read.ptr != end && *read.ptr == ':') {
    read = std::from_chars(read.ptr + 1, end, chunking.overlap);
    if (read.ec != std::errc() || chunking.overlap > chunking.size) return fail();
  }
  if (read.ptr != end) return fail();
  return chunking;
}

}  // namespace trine::inline TRINE_ABI
