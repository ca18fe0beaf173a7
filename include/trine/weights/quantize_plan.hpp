// SPDX-License-Identifier: Apache-2.0
// Which tensor of a checkpoint is to be stored in which type.
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
#include <trine/quant/packed.hpp>
#include <trine/weights/raw_blob.hpp>
#include <trine/weights/tensor_class.hpp>
#include <trine/weights/weight_source.hpp>

namespace trine::inline TRINE_ABI {

/// Types that weights are converted to.
inline constexpr std::array<DType, 5> kQuantizeTypes{DType::q8, DType::q4, DType::bf16, DType::f16, DType::f32};

/// Throws InputError.
[[nodiscard]] inline DType parse_quantize_type(std::string_view text) {
  std::vector<std::string_view> names;
  for (const DType dtype : kQuantizeTypes) {
    names.push_back(to_string(dtype));
    if (names.back() == text) return dtype;
  }
  throw InputError("type: expected q8, q4, bf16, f16 or f32, found " + in_quotes(text) + nearest_hint(text, names),
                   {.field = "type"});
}

/// "experts.*=q4": tensors in whose name the pattern is found, `*` and `?` as in a shell, get the type; "keep" for the
/// type that they have.
struct QuantizeRule {
  std::string pattern;
  std::optional<DType> type;  // none: keep
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

[[nodiscard]] inline std::string to_string(const QuantizeRule& rule) {
  return rule.pattern + "=" + (rule.type ? std::string(to_string(*rule.type)) : "keep");
}

/// A tensor of the result. Codes and the scales that they are multiplied with are one tensor, MXFP4 aside.
struct PlannedTensor {
  std::string name;
  std::vector<std::size_t> shape;  // as it is stored now
  TensorClass kind = TensorClass::other;
  DType from = DType::f32;
  DType to = DType::f32;
  std::string note = {};         // why it is not of the type that was asked for
  std::uint64_t parameters = 0;  // 0 for scales of codes
  std::uint64_t bytes_before = 0;
  std::uint64_t bytes_after = 0;
};

namespace detail {

inline constexpr std::string_view kFp8Scales = "_scale_inv";
inline constexpr std::string_view kMxfp4Blocks = "_blocks";
inline constexpr std::string_view kMxfp4Scales = "_scales";

// The tensor that `name` is the scales of; null when it is none.
[[nodiscard]] inline const StoredTensor* codes_of(const WeightSource& source, std::string_view name) {
  if (!name.ends_with(kFp8Scales)) return nullptr;
  const StoredTensor* codes = source.find(name.substr(0, name.size() - kFp8Scales.size()));
  return codes != nullptr && codes->dtype == DType::f8_e4m3 ? codes : nullptr;
}

[[nodiscard]] inline bool is_mxfp4(const WeightSource& source, std::string_view name) {
  const auto other = [&](std::string_view ending, std::string_view others) {
    return name.ends_with(ending) &&
           source.find(std::string(name.substr(0, name.size() - ending.size())).append(others)) != nullptr;
  };
  return source.find(name)->dtype == DType::u8 &&
         (other(kMxfp4Blocks, kMxfp4Scales) || other(kMxfp4Scales, kMxfp4Blocks));
}

// The tensor, which keeps its type; codes of FP8 cannot, and become bf16. Throws WeightError.
[[nodiscard]] inline PlannedTensor describe(const WeightSource& source, std::string_view name) {
  const StoredTensor& tensor = *source.find(name);
  const std::size_t rank = tensor.shape.size();
  const bool mxfp4 = is_mxfp4(source, name);
  const bool fp8 = tensor.dtype == DType::f8_e4m3 && rank == 2;
  const bool numbers = is_plain_float(tensor.dtype) || is_packed(tensor.dtype);
  if ((!numbers && !fp8 && !mxfp4) || rank > RawBlob::kMaxRank) {
    throw WeightError(
        std::string(name) + ": expected f32, bf16, f16, q8, q4, bf16_panels, MXFP4 or a matrix of f8_e4m3, found " +
            std::string(to_string(tensor.dtype)) + " " + to_string(tensor.shape) + " (" + source.place_of(name) + ")",
        {.kind = ErrorKind::unsupported, .path = source.place_of(name), .field = std::string(name)});
  }
  PlannedTensor planned{.name = std::string(name), .shape = tensor.shape, .from = tensor.dtype};
  planned.kind = class_of(name, rank);
  planned.to = fp8 ? DType::bf16 : tensor.dtype;
  planned.bytes_before = tensor.bytes.size();
  planned.parameters = checked_product(tensor.shape).value_or(0);  // the source has counted them
  if (mxfp4) planned.parameters = name.ends_with(kMxfp4Blocks) ? 2 * planned.parameters : 0;
  if (const StoredTensor* scales = fp8 ? source.find(planned.name + std::string(kFp8Scales)) : nullptr)
    planned.bytes_before += scales->bytes.size();
  return planned;
}

// Is it a stack of experts of gpt-oss?
[[nodiscard]] inline bool is_of_gpt_oss(const WeightSource& source, const PlannedTensor& tensor) {
  return tensor.shape.size() == 3 && source.find(tensor.name + "_bias") != nullptr;
}

// Matrices that lie above each other in one of a stack: a gate and an up projection, or one.
[[nodiscard]] inline std::size_t projections_in(const PlannedTensor& tensor) {
  return tensor.name.ends_with("gate_up_proj") ? 2 : 1;
}

// Is a stack written the other way round? In plain numbers gpt-oss has [experts, in, out], rows of the gate and of up
// in turn; packed it is [experts, out, in], those of the gate first.
[[nodiscard]] inline bool is_turned(const WeightSource& source, const PlannedTensor& tensor) {
  return is_packed(tensor.to) && !is_packed(tensor.from) && is_of_gpt_oss(source, tensor);
}
[[nodiscard]] inline std::vector<std::size_t> written_shape(const WeightSource& source, const PlannedTensor& tensor) {
  std::vector<std::size_t> shape = tensor.shape;
  if (is_turned(source, tensor)) std::swap(shape[1], shape[2]);
  return shape;
}

// Why a tensor cannot be packed; empty when it can.
[[nodiscard]] inline std::string obstacle_to_packing(const WeightSource& source, const PlannedTensor& tensor) {
  const std::span<const std::size_t> shape = tensor.shape;
  if (shape.size() < 2) return "a vector";
  if (shape.size() > 3) return "of rank 4";
  if (tensor.name.ends_with("kv_b_proj.weight")) return "read by head and transposed";
  const bool turns = is_of_gpt_oss(source, tensor) && !is_packed(tensor.from);
  if (shape[turns ? 1 : shape.size() - 1] % kPackedSubgroup != 0) return "columns not in groups of 32";
  if (shape.size() == 2) return {};
  return shape[turns ? 2 : 1] % (projections_in(tensor) * kPanelRows) == 0 ? "" : "rows not in panels of 16";
}

// Why a tensor cannot have the type; empty when it can.
[[nodiscard]] inline std::string obstacle_to(DType type, const WeightSource& source, const PlannedTensor& tensor) {
  if (tensor.from == DType::u8) return "MXFP4 already";
  if (is_packed(type)) return obstacle_to_packing(source, tensor);
  return is_packed(tensor.from) && is_of_gpt_oss(source, tensor) ? "packed, and not to be turned back" : "";
}

}  // namespace detail

/// The plan for all tensors that the source has, but for those `without`, in the order of their names.
///
/// Matrices of experts, attention, MLPs, embedding and head get `type`, all else keeps its own. Then the rules: of
/// those that match a tensor the last one decides. bf16 means bf16_panels where kernels read them. A tensor that cannot
/// have the type keeps its own, with a note. FP8 codes have no place in weights.bin: where they would be kept they
/// become bf16. MXFP4 is always kept; experts of gpt-oss in plain numbers are turned where they are packed. Tensors
/// without elements are left out. Throws InputError for a rule that matches no tensor that could follow it, WeightError
/// for an element type that is not converted.
[[nodiscard]] inline std::vector<PlannedTensor> plan_quantization(const WeightSource& source, DType type,
                                                                  std::span<const QuantizeRule> rules = {},
                                                                  std::span<const std::string> without = {}) {
  std::vector<PlannedTensor> plan;
  std::vector<std::size_t> matches(rules.size());
  std::vector<bool> followed(rules.size());
  const std::set<std::string_view> left_out(without.begin(), without.end());
  for (const std::string_view name : source.names()) {
    if (left_out.contains(name)) continue;
    // No layer reads a scalar: what is one, a load has let pass as unused.
    const StoredTensor& stored = *source.find(name);
    if (detail::codes_of(source, name) != nullptr || stored.bytes.empty() || stored.shape.empty()) continue;
    PlannedTensor& tensor = plan.emplace_back(detail::describe(source, name));
    const auto obstacle = [&](DType wanted) { return detail::obstacle_to(wanted, source, tensor); };

    std::optional<DType> wanted;
    if (is_quantized_by_default(tensor.kind)) wanted = type;
    for (std::size_t i = 0; i < rules.size(); ++i) {
      if (!matches_glob("*" + rules[i].pattern + "*", name)) continue;
      ++matches[i];
      if (!rules[i].type || obstacle(*rules[i].type).empty()) followed[i] = true;
      wanted = rules[i].type;
    }
    // Plain bf16 is what is left where panels cannot be, or are not what reads the tensor.
    if (wanted == DType::bf16 && is_quantized_by_default(tensor.kind) && obstacle(DType::bf16_panels).empty())
      wanted = DType::bf16_panels;
    if (wanted && tensor.to != *wanted) tensor.note = obstacle(*wanted);
    if (wanted && tensor.note.empty()) tensor.to = *wanted;
    tensor.bytes_after = stored_bytes(tensor.to, detail::written_shape(source, tensor)).value_or(0);
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
