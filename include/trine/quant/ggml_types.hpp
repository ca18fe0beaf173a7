// SPDX-License-Identifier: Apache-2.0
// The tensor types of ggml, as GGUF files number them (enum ggml_type in ggml/include/ggml.h).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include <trine/quant/weight_formats.hpp>

namespace trine::inline TRINE_ABI {

/// One tensor type. Rows are whole blocks, one after the other; a plain type has blocks of one element.
struct GgmlType {
  std::uint32_t id;              ///< in files
  std::string_view name;         ///< as ggml and its tools spell it
  std::uint32_t block_elements;  ///< of a row; 0 for a type that was removed from the format
  std::uint32_t block_bytes;     ///< of one block; 0 for a type that was removed from the format
  std::optional<DType> element;  ///< of a plain type

  /// Returns whether ggml itself no longer reads the type.
  [[nodiscard]] constexpr bool is_removed() const noexcept { return block_elements == 0; }
  /// What its tensors are; nullopt: trine does not read them.
  [[nodiscard]] constexpr std::optional<DType> dtype() const noexcept {
    const WeightFormat* format = find_format_of_ggml_type(id);
    return element || format == nullptr ? element : std::optional(format->dtype);
  }
};

/// All types, in the order of their numbers. Which block types trine reads, the table of weight formats says.
inline constexpr std::array<GgmlType, 43> kGgmlTypes{{
    {0, "F32", 1, 4, DType::f32},    {1, "F16", 1, 2, DType::f16},  {2, "Q4_0", 32, 18, {}},
    {3, "Q4_1", 32, 20, {}},         {4, "Q4_2", 0, 0, {}},         {5, "Q4_3", 0, 0, {}},
    {6, "Q5_0", 32, 22, {}},         {7, "Q5_1", 32, 24, {}},       {8, "Q8_0", 32, 34, {}},
    {9, "Q8_1", 32, 36, {}},         {10, "Q2_K", 256, 84, {}},     {11, "Q3_K", 256, 110, {}},
    {12, "Q4_K", 256, 144, {}},      {13, "Q5_K", 256, 176, {}},    {14, "Q6_K", 256, 210, {}},
    {15, "Q8_K", 256, 292, {}},      {16, "IQ2_XXS", 256, 66, {}},  {17, "IQ2_XS", 256, 74, {}},
    {18, "IQ3_XXS", 256, 98, {}},    {19, "IQ1_S", 256, 50, {}},    {20, "IQ4_NL", 32, 18, {}},
    {21, "IQ3_S", 256, 110, {}},     {22, "IQ2_S", 256, 82, {}},    {23, "IQ4_XS", 256, 136, {}},
    {24, "I8", 1, 1, DType::i8},     {25, "I16", 1, 2, DType::i16}, {26, "I32", 1, 4, DType::i32},
    {27, "I64", 1, 8, DType::i64},   {28, "F64", 1, 8, DType::f64}, {29, "IQ1_M", 256, 56, {}},
    {30, "BF16", 1, 2, DType::bf16}, {31, "Q4_0_4_4", 0, 0, {}},    {32, "Q4_0_4_8", 0, 0, {}},
    {33, "Q4_0_8_8", 0, 0, {}},      {34, "TQ1_0", 256, 54, {}},    {35, "TQ2_0", 256, 66, {}},
    {36, "IQ4_NL_4_4", 0, 0, {}},    {37, "IQ4_NL_4_8", 0, 0, {}},  {38, "IQ4_NL_8_8", 0, 0, {}},
    {39, "MXFP4", 32, 17, {}},       {40, "NVFP4", 64, 36, {}},     {41, "Q1_0", 128, 18, {}},
    {42, "Q2_0", 64, 18, {}},
}};

/// Null for a number that ggml has not given.
[[nodiscard]] constexpr const GgmlType* find_ggml_type(std::uint32_t id) noexcept {
  return id < kGgmlTypes.size() ? &kGgmlTypes[id] : nullptr;
}

}  // namespace trine::inline TRINE_ABI
