// SPDX-License-Identifier: Apache-2.0
// Element types known only at run time, such as those of a tensor in a file.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include <trine/core/bfloat16.hpp>
#include <trine/core/error.hpp>
#include <trine/core/float16.hpp>

namespace trine::inline TRINE_ABI {

/// The type of a stored tensor: an element type, or a block format. A block format defines its number in its own header
/// (`block_format`), so that this list is closed; quant/weight_formats.hpp lists them all.
enum class DType : std::uint8_t {
  f32,
  bf16,
  f16,
  f8_e4m3,  ///< finite only, as float8_e4m3fn
  f8_e5m2,
  f8_e8m0,  ///< a power of two
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
};

/// Properties of an element type.
struct DTypeInfo {
  DType dtype;            ///< of these elements
  std::string_view name;  ///< as element_name() gives it
  std::size_t bytes;      ///< of one element
};

/// The element types.
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

/// The type of tensors in block format number `n`, whose values are not individually addressable.
[[nodiscard]] constexpr DType block_format(std::uint8_t n) noexcept { return static_cast<DType>(kDTypes.size() + n); }

/// The name of an element type; "?" for others, whose names are in quant/weight_formats.hpp.
[[nodiscard]] constexpr std::string_view element_name(DType dtype) noexcept {
  for (const DTypeInfo& info : kDTypes)
    if (info.dtype == dtype) return info.name;
  return "?";
}

/// Bytes of one element; 0 for block formats and invalid values.
[[nodiscard]] constexpr std::size_t size_bytes(DType dtype) noexcept {
  for (const DTypeInfo& info : kDTypes)
    if (info.dtype == dtype) return info.bytes;
  return 0;
}

/// Returns whether an element is a plain float, which kernels only convert to f32.
[[nodiscard]] constexpr bool is_plain_float(DType dtype) noexcept {
  return dtype == DType::f32 || dtype == DType::bf16 || dtype == DType::f16;
}

/// Calls `use` with a null `const T*` of the element type that `dtype` names: the only switch over plain floats. Throws
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
      throw WeightError("element type: expected f32, bf16 or f16, found " + std::string(element_name(dtype)),
                        {.kind = ErrorKind::unsupported});
  }
}

}  // namespace trine::inline TRINE_ABI
