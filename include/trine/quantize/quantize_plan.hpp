// SPDX-License-Identifier: Apache-2.0
// Plans the storage type of each tensor of a checkpoint.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <trine/core/glob.hpp>
#include <trine/core/nearest_name.hpp>
#include <trine/core/shape.hpp>
#include <trine/quant/weight_formats.hpp>
#include <trine/quantize/quantize_recipe.hpp>
#include <trine/weights/native_weights.hpp>
#include <trine/weights/tensor_record.hpp>
#include <trine/weights/weight_source.hpp>

namespace trine::inline TRINE_ABI {

/// A type that weights are converted to, WeightFormat::is_conversion. Throws InputError.
[[nodiscard]] inline DType parse_quantize_type(std::string_view text) {
  const auto is_type = [](const WeightFormat& format) { return format.is_conversion; };
  std::vector<std::string_view> names;
  for (const WeightFormat* format : kWeightFormats) {
    if (!is_type(*format)) continue;
    if (format->name == text) return format->dtype;
    names.push_back(format->name);
  }
  throw InputError("type: expected " + format_names(is_type) + ", found " + in_quotes(text) + nearest_hint(text, names),
                   {.field = "type"});
}

/// One choice of a type, such as "experts.*=q4": tensors whose name contains the pattern, `*` and `?` as in a shell,
/// get the type; "keep" keeps their type.
struct QuantizeRule {
  std::string pattern;        ///< found anywhere in the name; `*` and `?` as in a shell
  std::optional<DType> type;  ///< nullopt: keep
};

/// Throws InputError.
[[nodiscard]] inline QuantizeRule parse_quantize_rule(std::string_view text) {
  const std::size_t sign = text.rfind('=');
  if (sign == std::string_view::npos || sign == 0 || sign + 1 == text.size())
    throw InputError("rule " + in_quotes(text) + ": expected PATTERN=TYPE, such as experts.*=q4", {.field = "rule"});
  QuantizeRule rule{std::string(text.substr(0, sign)), std::nullopt};
  const std::string_view type = text.substr(sign + 1);
  if (type != "keep") rule.type = parse_quantize_type(type);
  return rule;
}

/// "PATTERN=TYPE" or "PATTERN=keep", which parse_quantize_rule() reads.
[[nodiscard]] inline std::string to_string(const QuantizeRule& rule) {
  return rule.pattern + "=" + (rule.type ? std::string(to_string(*rule.type)) : "keep");
}

/// A tensor of the result. Quantised values and their scales are one tensor, unless the result keeps them as they are.
struct PlannedTensor {
  std::string name;                            ///< in the checkpoint
  std::vector<std::size_t> shape;              ///< as it is stored now
  TensorRole role = TensorRole::other;         ///< as the builder of the model declares it
  DType from = DType::f32;                     ///< current format
  DType to = DType::f32;                       ///< new format
  const WeightFormat* quantized_as = nullptr;  ///< set for values and scales that are kept
  std::string note = {};                       ///< why it does not have the requested type
  std::uint64_t parameters = 0;                ///< 0 for scales
  std::uint64_t bytes_before = 0;              ///< including scales
  std::uint64_t bytes_after = 0;               ///< in the result, including scales
};

namespace detail {

/// The format of which `name` is a part, values or scales, if both exist. Null if there is none.
struct CodedPart {
  const WeightFormat* format = nullptr;
  bool is_scales = false;
  const StoredTensor* other = nullptr;
};
[[nodiscard]] inline CodedPart quantized_part(const WeightSource& source, std::string_view name) {
  const DType dtype = source.find(name)->dtype;
  const auto find = [&](std::string_view ending, std::string_view others) -> const StoredTensor* {
    if (!name.ends_with(ending)) return nullptr;
    return source.find(std::string(name.substr(0, name.size() - ending.size())).append(others));
  };
  for (const WeightFormat* format : kWeightFormats) {
    if (!format->has_scale_tensor()) continue;
    if (const StoredTensor* codes = find(format->scales_suffix, format->codes_suffix))
      if (codes->dtype == format->stored_codes) return {format, true, codes};
    if (dtype == format->stored_codes)
      if (const StoredTensor* scales = find(format->codes_suffix, format->scales_suffix))
        return {format, false, scales};
  }
  return {};
}

[[nodiscard]] inline bool is_matrix_of_codes(const StoredTensor& tensor) {
  const WeightFormat* format = find_format(tensor.dtype);
  return tensor.matrix != nullptr || (format != nullptr && format->has_scale_tensor() && tensor.shape.size() == 2);
}

/// Keeps the type of the tensor; if the result cannot hold it, the tensor becomes bf16. Throws WeightError.
[[nodiscard]] inline PlannedTensor describe(const WeightSource& source, const TensorUse& use, std::string_view name) {
  const StoredTensor& tensor = *source.find(name);
  const std::size_t rank = tensor.shape.size();
  const CodedPart part = quantized_part(source, name);
  const bool kept = part.format != nullptr && part.format->in_native_file;
  const bool coded = is_matrix_of_codes(tensor);
  const WeightFormat* format = find_format(tensor.dtype);
  const bool plain = format != nullptr && !coded && !format->has_scale_tensor() && format->in_native_file;
  if (!plain && !coded && !kept) {
    const auto is_accepted = [](const WeightFormat& one) {
      return (one.in_native_file || one.has_scale_tensor()) && !is_ggml_block(one);
    };
    throw WeightError(
        std::string(name) + ": expected weights in " + format_names(is_accepted) +
            ", or in blocks of GGUF, that can be converted, found " + std::string(to_string(tensor.dtype)) + " " +
            to_string(tensor.shape) + " (" + source.source_name_of(name) + ")",
        {.kind = ErrorKind::unsupported, .path = source.source_name_of(name), .field = std::string(name)});
  }
  PlannedTensor planned{.name = std::string(name), .shape = tensor.shape, .from = tensor.dtype};
  planned.role = rank < 2 ? TensorRole::vector : use.role;
  planned.to = coded ? DType::bf16 : tensor.dtype;
  planned.quantized_as = kept ? part.format : nullptr;
  planned.bytes_before = tensor.total_bytes();
  planned.parameters = checked_product(tensor.shape).value_or(0);  // the source has checked it
  if (kept)
    planned.parameters =
        part.is_scales ? 0 : planned.parameters / part.format->stored_block_bytes * part.format->block_columns;
  if (coded && part.format != nullptr) planned.bytes_before += part.other->bytes.size();
  return planned;
}

/// Returns whether the matrices of a stack are transposed when it is written.
[[nodiscard]] inline bool is_transposed(const TensorUse& use, const PlannedTensor& tensor) {
  return use.stack && use.stack->is_transposed(tensor.from) && !use.stack->is_transposed(tensor.to);
}
[[nodiscard]] inline std::vector<std::size_t> written_shape(const TensorUse& use, const PlannedTensor& tensor) {
  if (!is_transposed(use, tensor)) return tensor.shape;
  const auto extents = use.stack->extents(tensor.to);
  return {extents.begin(), extents.end()};
}

/// Why a tensor cannot be stored in blocks of rows; empty if it can.
[[nodiscard]] inline std::string obstacle_to_blocks(const WeightFormat& format, const TensorUse& use,
                                                    const PlannedTensor& tensor) {
  if (tensor.shape.size() < 2) return "a vector";
  if (tensor.shape.size() > 3) return "of rank 4";
  if (!use.unpacked.empty()) return std::string(use.unpacked);
  const auto is_multiple = [](std::size_t extent, std::size_t of) { return extent % of == 0; };
  const std::size_t columns = use.stack ? use.stack->columns : tensor.shape.back();
  if (!is_multiple(columns, format.column_multiple))
    return "columns not in groups of " + std::to_string(format.column_multiple);
  if (tensor.shape.size() == 2) return {};
  const std::size_t rows = use.stack ? use.stack->rows : tensor.shape[1];
  return is_multiple(rows, format.block_rows) ? "" : "rows not in panels of " + std::to_string(format.block_rows);
}

/// Why a tensor cannot have the type; empty if it can.
[[nodiscard]] inline std::string obstacle_to(DType type, const TensorUse& use, const PlannedTensor& tensor) {
  if (tensor.quantized_as != nullptr) return std::string(tensor.quantized_as->name) + " already";
  const WeightFormat* format = find_format(type);
  if (format == nullptr || format->encode == nullptr) return "not a type that weights are converted to";
  if (size_bytes(type) == 0) return obstacle_to_blocks(*format, use, tensor);
  const bool back = use.stack && is_packed(tensor.from) && use.stack->layout != StackLayout::stacked;
  return back ? "packed, and not to be transposed back" : "";
}

}  // namespace detail

/// The plan for all tensors of the source except those in `without`, in the order of their names.
///
/// Matrices of experts, attention, MLPs, embedding and head become what `target` says, all others keep their type. Then
/// the rules: of those that match a tensor, the last one applies. If kernels read a copy of a type in their own order
/// (WeightFormat::copy_of), that type means the copy. A tensor that cannot have the type keeps its own, with a note.
/// Quantised values that weights.bin cannot hold become bf16 if they would be kept. The matrices of an interleaved
/// stack are transposed when packed. Tensors without elements are omitted. Throws InputError for a rule that matches no
/// tensor to which it can apply, WeightError for an element type that is not converted.   record: of the model that the
/// source is for
[[nodiscard]] inline std::vector<PlannedTensor> plan_quantization(const WeightSource& source,
                                                                  const TensorRecord& record,
                                                                  const QuantizeTarget& target,
                                                                  std::span<const QuantizeRule> rules = {},
                                                                  std::span<const std::string> without = {}) {
  std::vector<PlannedTensor> plan;
  std::vector<std::size_t> matches(rules.size());
  std::vector<bool> followed(rules.size());
  const std::set<std::string_view> left_out(without.begin(), without.end());
  for (const std::string_view name : source.names()) {
    if (left_out.contains(name)) continue;
    // No layer reads a scalar, nor so many dimensions: the load has ignored such a tensor as unused.
    const StoredTensor& stored = *source.find(name);
    if (stored.bytes.empty() || stored.shape.empty() || stored.shape.size() > NativeWeights::kMaxRank) continue;
    const detail::CodedPart part = detail::quantized_part(source, name);
    if (part.is_scales && !part.format->in_native_file) continue;
    const TensorUse use = record.find(name);
    PlannedTensor& tensor = plan.emplace_back(detail::describe(source, use, name));
    const auto obstacle = [&](DType wanted) { return detail::obstacle_to(wanted, use, tensor); };

    std::optional<DType> wanted;
    if (is_quantized_by_default(tensor.role)) wanted = target.type_of(tensor.role, name);
    for (std::size_t i = 0; i < rules.size(); ++i) {
      if (!matches_glob("*" + rules[i].pattern + "*", name)) continue;
      ++matches[i];
      if (!rules[i].type || obstacle(*rules[i].type).empty()) followed[i] = true;
      wanted = rules[i].type;
    }
    // The plain type remains if the copy is impossible, or if the layer cannot read it.
    for (const WeightFormat* format : kWeightFormats) {
      if (wanted && format->copy_of != nullptr && format->copy_of->dtype == *wanted &&
          is_quantized_by_default(tensor.role) && obstacle(format->dtype).empty())
        wanted = format->dtype;
    }
    if (wanted && tensor.to != *wanted) tensor.note = obstacle(*wanted);
    if (wanted && tensor.note.empty()) tensor.to = *wanted;
    tensor.bytes_after = stored_bytes(tensor.to, detail::written_shape(use, tensor)).value_or(0);
  }
  for (std::size_t i = 0; i < rules.size(); ++i) {
    if (matches[i] == 0)
      throw InputError(
          "rule " + in_quotes(to_string(rules[i])) + ": expected a tensor with the pattern in its name, found none",
          {.field = "rule"});
    if (!followed[i])
      throw InputError("rule " + in_quotes(to_string(rules[i])) +
                           ": expected a tensor that can have the type, found none among the " +
                           std::to_string(matches[i]) + " with the pattern in their name",
                       {.field = "rule"});
  }
  return plan;
}

}  // namespace trine::inline TRINE_ABI
