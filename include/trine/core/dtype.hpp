// SPDX-License-Identifier: Apache-2.0
// Element types known at run time only: what a file says a tensor is made of.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <trine/core/bfloat16.hpp>
#include <trine/core/error.hpp>
#include <trine/core/float16.hpp>

namespace trine::inline TRINE_ABI {

/// The types that weight files may hold. Kernels compute with the first three as they are; the others are codes
/// that need a scale (fp8, MXFP4 bytes), or belong to tensors that no layer reads.
enum class DType : std::uint8_t {
  f32,
  bf16,
  f16,
  f8_e4m3,  // finite only, as float8_e4m3fn
  f8_e5m2,
  f8_e8m0,  // a power of two
  f64,
  i8,
  u8,
  i16,
  u16,
  i32,
  u32,
  i64,
  u64,
  boolean,
  q8,  // packed matrices (quant/packed.hpp), of which no single element has an address
  q4,
  bf16_panels,
};

struct DTypeInfo {
  DType dtype;
  std::string_view name;
  std::size_t bytes;
};

inline constexpr std::array<DTypeInfo, 16> kDTypes{{{DType::f32, "f32", 4},
                                                    {DType::bf16, "bf16", 2},
                                                    {DType::f16, "f16", 2},
                                                    {DType::f8_e4m3, "f8_e4m3", 1},
                                                    {DType::f8_e5m2, "f8_e5m2", 1},
                                                    {DType::f8_e8m0, "f8_e8m0", 1},
                                                    {DType::f64, "f64", 8},
                                                    {DType::i8, "i8", 1},
                                                    {DType::u8, "u8", 1},
                                                    {DType::i16, "i16", 2},
                                                    {DType::u16, "u16", 2},
                                                    {DType::i32, "i32", 4},
                                                    {DType::u32, "u32", 4},
                                                    {DType::i64, "i64", 8},
                                                    {DType::u64, "u64", 8},
                                                    {DType::boolean, "bool", 1}}};

/// The packed formats, which have no bytes of an element.
inline constexpr std::array<DTypeInfo, 3> kPackedDTypes{
    {{DType::q8, "q8", 0}, {DType::q4, "q4", 0}, {DType::bf16_panels, "bf16_panels", 0}}};

[[nodiscard]] constexpr bool is_packed(DType dtype) noexcept {
  for (const DTypeInfo& info : kPackedDTypes)
    if (info.dtype == dtype) return true;
  return false;
}

[[nodiscard]] constexpr std::string_view to_string(DType dtype) noexcept {
  for (const DTypeInfo& info : kDTypes)
    if (info.dtype == dtype) return info.name;
  for (const DTypeInfo& info : kPackedDTypes)
    if (info.dtype == dtype) return info.name;
  return "?";
}

[[nodiscard]] constexpr std::optional<DType> parse_dtype(std::string_view text) noexcept {
  for (const DTypeInfo& info : kDTypes)
    if (info.name == text) return info.dtype;
  for (const DTypeInfo& info : kPackedDTypes)
    if (info.name == text) return info.dtype;
  return std::nullopt;
}

/// Bytes of one element; 0 for packed formats, and for a value that is no type.
[[nodiscard]] constexpr std::size_t size_bytes(DType dtype) noexcept {
  for (const DTypeInfo& info : kDTypes)
    if (info.dtype == dtype) return info.bytes;
  return 0;
}

/// Is an element a number by itself, which kernels widen to f32 and nothing more?
[[nodiscard]] constexpr bool is_plain_float(DType dtype) noexcept {
  return dtype == DType::f32 || dtype == DType::bf16 || dtype == DType::f16;
}

/// Calls `use` with a null `const T*` of the element type that `dtype` names: the one switch over plain floats. Throws
/// WeightError for every other type.
template <class Use>
constexpr decltype(auto) visit_dtype(DType dtype, Use&& use) {
  switch (dtype) {
    case DType::f32:
      return use(static_cast<const float*>(nullptr));
    case DType::bf16:
      return use(static_cast<const bfloat16*>(nullptr));
    case DType::f16:
      return use(static_cast<const float16*>(nullptr));
    default:
      throw WeightError("element type: expected f32, bf16 or f16, found " + std::string(to_string(dtype)),
                        {.kind = ErrorKind::unsupported});
  }
}

}  // namespace trine::inline TRINE_ABI
