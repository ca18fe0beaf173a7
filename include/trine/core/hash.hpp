// SPDX-License-Identifier: Apache-2.0
// A hash that identifies files and models. It is not cryptographic.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

#include <trine/core/random.hpp>

namespace trine::inline TRINE_ABI {

/// h = splitmix64(h xor word) over words of eight bytes, the last of a part filled with zeros, and each part's length.
class Hash {
 public:
  void add(std::span<const std::byte> part) noexcept {
    add(std::uint64_t{part.size()});
    while (!part.empty()) {
      std::uint64_t word = 0;
      const std::size_t count = part.size() < sizeof word ? part.size() : sizeof word;
      std::memcpy(&word, part.data(), count);
      add(word);
      part = part.subspan(count);
    }
  }
  void add(std::string_view text) noexcept { add(std::as_bytes(std::span(text))); }
  void add(std::uint64_t word) noexcept { value_ = splitmix64(value_ ^ word); }

  [[nodiscard]] std::uint64_t value() const noexcept { return value_; }

 private:
  std::uint64_t value_ = 0;
};

}  // namespace trine::inline TRINE_ABI
