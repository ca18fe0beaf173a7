// SPDX-License-Identifier: Apache-2.0
// Counter-based random numbers: the value depends only on (seed, counter), not on earlier draws. Philox4x32-10: Salmon,
// Moraes, Dror & Shaw, "Parallel Random Numbers: As Easy as 1, 2, 3", SC 2011.
// splitmix64: Steele, Lea & Flood, "Fast Splittable Pseudorandom Number Generators", OOPSLA 2014.
#pragma once

#include <array>
#include <cstdint>

#include <trine/core/abi.hpp>

namespace trine::inline TRINE_ABI {

/// One 64-bit hash step, a bijection; all arithmetic modulo 2^64.
[[nodiscard]] constexpr std::uint64_t splitmix64(std::uint64_t x) noexcept {
  x += 0x9E3779B97F4A7C15U;
  x = (x ^ (x >> 30U)) * 0xBF58476D1CE4E5B9U;
  x = (x ^ (x >> 27U)) * 0x94D049BB133111EBU;
  return x ^ (x >> 31U);
}

/// Ten rounds of Philox: maps a counter and a key to 128 random bits.
[[nodiscard]] constexpr std::array<std::uint32_t, 4> philox4x32(std::array<std::uint32_t, 4> counter,
                                                                std::array<std::uint32_t, 2> key) noexcept {
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t a = std::uint64_t{0xD2511F53U} * counter[0];
    const std::uint64_t b = std::uint64_t{0xCD9E8D57U} * counter[2];
    counter = {static_cast<std::uint32_t>(b >> 32U) ^ counter[1] ^ key[0], static_cast<std::uint32_t>(b),
               static_cast<std::uint32_t>(a >> 32U) ^ counter[3] ^ key[1], static_cast<std::uint32_t>(a)};
    key[0] += 0x9E3779B9U;
    key[1] += 0xBB67AE85U;
  }
  return counter;
}

/// A stream of uniform numbers addressed by index.
struct CounterRandom {
  std::uint64_t seed = 0;  ///< the key of the counter: two seeds give unrelated streams

  /// In [0, 1), 53 random bits; the same for the same (seed, index), independent of earlier calls.
  [[nodiscard]] constexpr double uniform(std::uint64_t index) const noexcept {
    const auto bits = philox4x32({static_cast<std::uint32_t>(index), static_cast<std::uint32_t>(index >> 32U), 0, 0},
                                 {static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32U)});
    return static_cast<double>(((std::uint64_t{bits[0]} << 32U) | bits[1]) >> 11U) * 0x1p-53;
  }
};

}  // namespace trine::inline TRINE_ABI
