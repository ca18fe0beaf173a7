// SPDX-License-Identifier: Apache-2.0
// How caches store what they remember of past tokens.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>

#include <trine/core/abi.hpp>

namespace trine::inline TRINE_ABI {

/// What caches keep of the numbers that attention computed.
enum class CacheType : std::uint8_t {
  f32,   ///< as computed
  bf16,  ///< rounded to bf16: half the memory
  q8,    ///< integers of eight bits with one scale for 64 numbers: 8.5 bits
};

/// Each type with its name, as the programs and session files spell it.
inline constexpr std::array<std::pair<CacheType, std::string_view>, 3> kCacheTypeNames{
    {{CacheType::f32, "f32"}, {CacheType::bf16, "bf16"}, {CacheType::q8, "q8"}}};

/// The name in kCacheTypeNames.
[[nodiscard]] constexpr std::string_view to_string(CacheType type) noexcept {
  return kCacheTypeNames[static_cast<std::size_t>(type)].second;
}
/// The type of that name; nullopt for a name that is not in kCacheTypeNames.
[[nodiscard]] constexpr std::optional<CacheType> parse_cache_type(std::string_view name) noexcept {
  for (const auto& [type, spelled] : kCacheTypeNames)
    if (spelled == name) return type;
  return std::nullopt;
}

/// Bytes of one stored number without its share of a scale.
[[nodiscard]] constexpr std::size_t size_bytes(CacheType type) noexcept {
  return type == CacheType::f32 ? 4 : type == CacheType::bf16 ? 2 : 1;
}

inline constexpr std::size_t kCacheGroup = 64;  ///< numbers of a q8 row that share a scale

/// Scales of a row of `width` numbers.
[[nodiscard]] constexpr std::size_t cache_scales(CacheType type, std::size_t width) noexcept {
  return type == CacheType::q8 ? (width + kCacheGroup - 1) / kCacheGroup : 0;
}

}  // namespace trine::inline TRINE_ABI
