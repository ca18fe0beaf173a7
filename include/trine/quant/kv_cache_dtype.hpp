// SPDX-License-Identifier: Apache-2.0
// The element types of KV caches.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>

#include <trine/core/abi.hpp>

namespace trine::inline TRINE_ABI {

/// The element types of KV caches.
enum class KvCacheDtype : std::uint8_t {
  f32,   ///< as computed
  bf16,  ///< rounded to bf16: half the memory
  q8,    ///< 8-bit integers with one scale per 64 elements: 8.5 bits
};

/// Each type with its name, as the programs and session files spell it.
inline constexpr std::array<std::pair<KvCacheDtype, std::string_view>, 3> kKvCacheDtypeNames{
    {{KvCacheDtype::f32, "f32"}, {KvCacheDtype::bf16, "bf16"}, {KvCacheDtype::q8, "q8"}}};

/// The name in kKvCacheDtypeNames.
[[nodiscard]] constexpr std::string_view to_string(KvCacheDtype type) noexcept {
  return kKvCacheDtypeNames[static_cast<std::size_t>(type)].second;
}
/// The type of that name; nullopt for a name that is not in kKvCacheDtypeNames.
[[nodiscard]] constexpr std::optional<KvCacheDtype> parse_kv_cache_dtype(std::string_view name) noexcept {
  for (const auto& [type, spelled] : kKvCacheDtypeNames)
    if (spelled == name) return type;
  return std::nullopt;
}

/// Bytes of one stored element, without its share of a scale.
[[nodiscard]] constexpr std::size_t size_bytes(KvCacheDtype type) noexcept {
  return type == KvCacheDtype::f32 ? 4 : type == KvCacheDtype::bf16 ? 2 : 1;
}

inline constexpr std::size_t kKvScaleBlock = 64;  ///< elements of a q8 row that share a scale

/// The number of scales of a row of `width` elements.
[[nodiscard]] constexpr std::size_t cache_scales(KvCacheDtype type, std::size_t width) noexcept {
  return type == KvCacheDtype::q8 ? (width + kKvScaleBlock - 1) / kKvScaleBlock : 0;
}

}  // namespace trine::inline TRINE_ABI
