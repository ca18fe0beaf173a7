// SPDX-License-Identifier: Apache-2.0
// Named mixtures of types: more bits where an error costs more.
#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include <trine/core/error.hpp>
#include <trine/core/nearest_name.hpp>
#include <trine/quant/weight_formats.hpp>
#include <trine/weights/tensor_role.hpp>

namespace trine::inline TRINE_ABI {

/// A mixture: `type` for all matrices, and others for some of them.
struct QuantizeRecipe {
  std::string_view name;         ///< of the recipe
  std::string_view type;         ///< of what no row names
  std::string_view description;  ///< for help and tables
  /// A type for tensors of a role, or for those whose name contains a text; the last one that fits counts.
  struct Row {
    TensorRole role = TensorRole::other;  ///< other: of any role that is quantised
    std::string_view part = {};           ///< of the name; empty: any name
    std::string_view type = {};           ///< the name of a WeightFormat
  };
  std::array<Row, 8> rows = {};  ///< exceptions from `type`

  /// The type for a tensor of a role that is quantised.
  [[nodiscard]] constexpr std::string_view type_of(TensorRole role, std::string_view tensor) const noexcept {
    std::string_view found = type;
    for (const Row& row : rows)
      if ((row.role == TensorRole::other || row.role == role) && tensor.find(row.part) != std::string_view::npos)
        found = row.type;
    return found;
  }
};

namespace detail {

// The second matrix of a feed-forward and the values of attention, under the names that checkpoints have for them:
// what they return is added to the hidden state, or read by all later tokens.
inline constexpr std::string_view kDown = "down_proj";
inline constexpr std::string_view kW2 = "w2.weight";
inline constexpr std::string_view kValue = "v_proj";
inline constexpr std::string_view kLatentValue = "kv_b_proj";

[[nodiscard]] constexpr QuantizeRecipe mixture(std::string_view name, std::string_view type, std::string_view up,
                                               std::string_view most, std::string_view description) {
  using enum TensorRole;
  return {name,
          type,
          description,
          {{{other, kDown, up},
            {other, kW2, up},
            {shared_experts, {}, up},
            {attention, {}, up},
            {attention, kValue, most},
            {attention, kLatentValue, most},
            {embedding, {}, most},
            {head, {}, most}}}};
}

}  // namespace detail

/// The recipes, in the order of their size.
inline constexpr std::array kQuantizeRecipes = std::to_array<QuantizeRecipe>({
    detail::mixture("q3_m", "q3a", "q4a", "q5a", "3 bits, more where it matters; for large models"),
    detail::mixture("q4_m", "q4a", "q5a", "q6a", "4 bits, more where it matters: the usual choice"),
    detail::mixture("q5_m", "q5a", "q6a", "q8", "5 bits, more where it matters"),
    detail::mixture("q6", "q6a", "q6a", "q8", "6 bits; 8 for values, embedding and head"),
});

/// What matrices become: one type for all, or a recipe.
class QuantizeTarget {
 public:
  /// One type for all.
  QuantizeTarget(DType type) noexcept : type_(type) {}
  /// A recipe of kQuantizeRecipes; borrowed.
  QuantizeTarget(const QuantizeRecipe& recipe) noexcept : recipe_(&recipe) {}

  /// The type for a tensor of a role that is quantised.
  [[nodiscard]] DType type_of(TensorRole role, std::string_view tensor) const {
    return recipe_ == nullptr ? type_ : *parse_dtype(recipe_->type_of(role, tensor));
  }

 private:
  DType type_ = DType::f32;
  const QuantizeRecipe* recipe_ = nullptr;
};

/// A recipe, or a type that weights are converted to, WeightFormat::is_conversion. Throws InputError.
[[nodiscard]] inline QuantizeTarget parse_quantize_target(std::string_view text) {
  const auto is_type = [](const WeightFormat& format) { return format.is_conversion; };
  std::vector<std::string_view> names;
  std::string recipes;
  for (const QuantizeRecipe& recipe : kQuantizeRecipes) {
    if (recipe.name == text) return recipe;
    names.push_back(recipe.name);
    recipes += std::string(recipe.name) + ", ";
  }
  for (const WeightFormat* format : kWeightFormats) {
    if (!is_type(*format)) continue;
    if (format->name == text) return format->dtype;
    names.push_back(format->name);
  }
  throw InputError(
      "type: expected " + recipes + format_names(is_type) + ", found " + in_quotes(text) + nearest_hint(text, names),
      {.field = "type"});
}

}  // namespace trine::inline TRINE_ABI
