// SPDX-License-Identifier: Apache-2.0
// The table of weight formats. A new format is a header in quant/ and a line here; it then works in every matmul, by
// decoding. A dedicated kernel is a line in kernels/weight_kernels.hpp.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include <trine/core/check.hpp>
#include <trine/quant/fp8_blocks.hpp>
#include <trine/quant/ggml/codebooks.hpp>
#include <trine/quant/ggml/grids.hpp>
#include <trine/quant/ggml/k_quants.hpp>
#include <trine/quant/ggml/legacy.hpp>
#include <trine/quant/ggml/ternary.hpp>
#include <trine/quant/integer_groups.hpp>
#include <trine/quant/mxfp4.hpp>
#include <trine/quant/nvfp4.hpp>
#include <trine/quant/packed.hpp>
#include <trine/quant/plain_formats.hpp>
#include <trine/quant/transposed_groups.hpp>
#include <trine/quant/weight_format.hpp>

namespace trine::inline TRINE_ABI {

/// All formats, in the order in which messages and tables name them.
inline constexpr std::array kWeightFormats = {
    &kQ8Format,          // 8.25 bits per weight
    &kQ6aFormat,         // 6.5
    &kQ5aFormat,         // 5.5
    &kQ4aFormat,         // 4.5
    &kQ3aFormat,         // 3.5
    &kQ4Format,          // 4.5
    &kBf16Format,        // 16
    &kF16Format,         // 16
    &kF32Format,         // 32
    &kBf16PanelsFormat,  // 16
    &kFp8Format,         // 8
    &kMxfp4Format,       // 4.25
    // Of compressed-tensors, GPTQ, AWQ and ModelOpt; bits without scales.
    &kInt4PackedFormat,  // 4
    &kInt8PackedFormat,  // 8
    &kInt8Format,        // 8
    &kGptqInt4Format,    // 4
    &kGptqInt8Format,    // 8
    &kAwqInt4Format,     // 4
    &kNvfp4Format,       // 4
    // Of ggml.
    &kQ4_0Format,       // 4.5
    &kQ4_1Format,       // 5
    &kQ5_0Format,       // 5.5
    &kQ5_1Format,       // 6
    &kQ8_0Format,       // 8.5
    &kQ2_KFormat,       // 2.625
    &kQ3_KFormat,       // 3.4375
    &kQ4_KFormat,       // 4.5
    &kQ5_KFormat,       // 5.5
    &kQ6_KFormat,       // 6.5625
    &kIq4NlFormat,      // 4.5
    &kIq4XsFormat,      // 4.25
    &kGgmlMxfp4Format,  // 4.25
    &kGgmlNvfp4Format,  // 4.5
    &kIq2XxsFormat,     // 2.0625
    &kIq2XsFormat,      // 2.3125
    &kIq2SFormat,       // 2.5625
    &kIq3XxsFormat,     // 3.0625
    &kIq3SFormat,       // 3.4375
    &kIq1SFormat,       // 1.5625
    &kIq1MFormat,       // 1.75
    &kTq1_0Format,      // 1.6875
    &kTq2_0Format,      // 2.0625
};

/// Null for a type that is not a weight format.
[[nodiscard]] constexpr const WeightFormat* find_format(DType dtype) noexcept {
  for (const WeightFormat* format : kWeightFormats)
    if (format->dtype == dtype) return format;
  return nullptr;
}

/// The first format in the table whose values or codes are a tensor of that type; null where there is none.
[[nodiscard]] constexpr const WeightFormat* find_format_of_tensor(DType dtype) noexcept {
  for (const WeightFormat* format : kWeightFormats)
    if (format->tensor_dtype() == dtype) return format;
  return nullptr;
}

/// The format of tensors with that number in GGUF files; null for other numbers.
[[nodiscard]] constexpr const WeightFormat* find_format_of_ggml_type(std::uint32_t type) noexcept {
  for (const WeightFormat* format : kWeightFormats)
    if (format->ggml_type >= 0 && static_cast<std::uint32_t>(format->ggml_type) == type) return format;
  return nullptr;
}

/// The name of an element type or a format; "?" for a value that is neither.
[[nodiscard]] constexpr std::string_view to_string(DType dtype) noexcept {
  const WeightFormat* format = find_format(dtype);
  return format != nullptr ? format->name : element_name(dtype);
}

/// The element type or format of that name, exactly as to_string() spells it; nullopt for another name.
[[nodiscard]] constexpr std::optional<DType> parse_dtype(std::string_view text) noexcept {
  for (const DTypeInfo& info : kDTypes)
    if (info.name == text) return info.dtype;
  for (const WeightFormat* format : kWeightFormats)
    if (format->name == text) return format->dtype;
  return std::nullopt;
}

/// "a, b or c": the names of the formats for which `has` returns true, in the order of the table, each once.
template <class Predicate>
[[nodiscard]] std::string format_names(const Predicate& has) {
  std::string names;
  std::string_view last;
  for (const WeightFormat* format : kWeightFormats) {
    if (!has(*format)) continue;
    if (!last.empty()) names += (names.empty() ? "" : ", ") + std::string(last);
    last = format->name;
  }
  return names.empty() ? std::string(last) : names + " or " + std::string(last);
}

/// Returns whether the format is one of trine's packed formats (quant/packed.hpp).
[[nodiscard]] constexpr bool is_packed(DType dtype) noexcept {
  const WeightFormat* format = find_format(dtype);
  return format != nullptr && format->block_rows > 1;
}

/// Returns whether it is a block format of GGUF files (quant/ggml/): too many to be named one by one in messages.
[[nodiscard]] constexpr bool is_ggml_block(const WeightFormat& format) noexcept {
  return format.ggml_type >= 0 && size_bytes(format.dtype) == 0;
}

/// Bytes of a tensor of any type, or nullopt if they exceed 64 bits. In a block format the rows of a stack [count,
/// rows, columns] are those of one matrix.   shape: at least two extents for a block format
[[nodiscard]] constexpr std::optional<std::uint64_t> stored_bytes(DType dtype,
                                                                  std::span<const std::size_t> shape) noexcept {
  if (const std::size_t bytes = size_bytes(dtype); bytes > 0) {
    const auto elements = checked_product(shape);
    return elements ? checked_multiply(*elements, bytes) : std::nullopt;
  }
  const WeightFormat* format = find_format(dtype);
  if (format == nullptr || shape.back() >= std::uint64_t{1} << 56U) return std::nullopt;
  const auto rows = checked_product(shape.first(shape.size() - 1));
  if (!rows) return std::nullopt;
  const std::uint64_t blocks = *rows / format->block_rows + (*rows % format->block_rows == 0 ? 0 : 1);
  return checked_multiply(blocks, format->row_bytes(shape.back()));
}

/// A whole matrix stored at `data`, without scales in a separate tensor.
[[nodiscard]] inline WeightMatrix stored_matrix(const std::byte* data, DType dtype, std::size_t rows,
                                                std::size_t columns) noexcept {
  WeightMatrix matrix{data, dtype, rows, columns};
  if (const WeightFormat* format = find_format(dtype); format != nullptr && size_bytes(dtype) == 0) {
    matrix.stride = format->row_bytes(columns);
    matrix.row_block = format->block_rows;
  }
  return matrix;
}

}  // namespace trine::inline TRINE_ABI
