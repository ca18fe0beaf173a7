// SPDX-License-Identifier: Apache-2.0
// Checked arithmetic for every size that comes from a file.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <type_traits>

#include <trine/core/abi.hpp>

namespace trine::inline TRINE_ABI {

/// a + b, or nullopt if it exceeds 64 bits.
[[nodiscard]] constexpr std::optional<std::uint64_t> checked_add(std::uint64_t a, std::uint64_t b) noexcept {
  if (a > std::numeric_limits<std::uint64_t>::max() - b) return std::nullopt;
  return a + b;
}

/// a * b, or nullopt if it exceeds 64 bits.
[[nodiscard]] constexpr std::optional<std::uint64_t> checked_multiply(std::uint64_t a, std::uint64_t b) noexcept {
  if (a != 0 && b > std::numeric_limits<std::uint64_t>::max() / a) return std::nullopt;
  return a * b;
}

/// The product of all factors, or nullopt if it exceeds 64 bits. The empty product is 1. A zero factor does not hide an
/// overflow of the others: readers rely on each partial product being representable.
template <class Range>
[[nodiscard]] constexpr std::optional<std::uint64_t> checked_product(const Range& factors) noexcept {
  std::uint64_t product = 1;
  bool zero = false;
  for (const std::uint64_t factor : factors) {
    if (factor == 0) {
      zero = true;
      continue;
    }
    const auto next = checked_multiply(product, factor);
    if (!next) return std::nullopt;
    product = *next;
  }
  return zero ? 0 : product;
}

/// Returns whether [offset, offset + length) is inside [0, size).
[[nodiscard]] constexpr bool range_fits(std::uint64_t offset, std::uint64_t length, std::uint64_t size) noexcept {
  return offset <= size && length <= size - offset;
}

}  // namespace trine::inline TRINE_ABI
