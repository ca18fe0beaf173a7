// SPDX-License-Identifier: Apache-2.0
// Element types known at run time only: what a file says a tensor is made of.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>

#include <trine/core/bfloat16.hpp>
#include <trine/core/error.hpp>
#include <trine/core/float16.hpp>

namespace trine::inline TRINE_ABI {

enum class DType : std::uint8_t { f32, bf16, f16 };

inline constexpr std::array<std::pair<DType, std::string_view>, 3> kDTypeNames{
    {{DType::f32, "f32"}, {DType::bf16, "bf16"}, {DType::f16, "f16"}}};

[[nodiscard]] constexpr std::string_view to_string(DType dtype) noexcept {
  for (const auto& [value, name] : kDTypeNames)
    if (value == dtype) return name;
  return "?";
}

[[nodiscard]] constexpr std::optional<DType> parse_dtype(std::string_view text) noexcept {
  for (const auto& [value, name] : kDTypeNames)
    if (name == text) return value;
  return std::nullopt;
}

[[nodiscard]] constexpr std::size_t size_bytes(DType dtype) noexcept { return dtype == DType::f32 ? 4 : 2; }

/// Calls `use` with a null `const T*` of the element type that `dtype` names: the one switch over element types.
template <class Use>
constexpr decltype(auto) visit_dtype(DType dtype, Use&& use) {
  switch (dtype) {
    case DType::f32:
      return use(static_cast<const float*>(nullptr));
    case DType::bf16:
      return use(static_cast<const bfloat16*>(nullptr));
    case DType::f16:
      return use(static_cast<const float16*>(nullptr));
  }
  throw WeightError("element type out of range");
}

}  // namespace trine::inline TRINE_ABI
