// SPDX-License-Identifier: Apache-2.0
// Predicates over named features, as the rule router uses them:
//   {"feature": "amount", "op": ">", "value": 10000}    {"and": [P, ...]}    {"or": [P, ...]}    {"not": P}
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <trine/json/object_reader.hpp>

namespace trine::inline TRINE_ABI {

/// A tree of comparisons. A comparison with NaN is false.
struct Predicate {
  /// A comparison of a feature with a value, or a combination of operands.
  enum class Kind : std::uint8_t {
    less,           ///< feature < value
    less_equal,     ///< feature <= value
    greater,        ///< feature > value
    greater_equal,  ///< feature >= value
    equal,          ///< feature = value
    all_of,         ///< AND of the operands
    any_of,         ///< OR of the operands
    negation,       ///< NOT the one operand
  };

  Kind kind = Kind::equal;          ///< determines which of the members below are used
  std::size_t feature = 0;          ///< comparisons: the column
  double value = 0.0;               ///< comparisons: the right side
  std::vector<Predicate> operands;  ///< and, or, not

  /// features: the raw features of one row.
  [[nodiscard]] bool holds(std::span<const double> features) const {
    const auto operand_holds = [&](const Predicate& operand) { return operand.holds(features); };
    switch (kind) {
      case Kind::less:
        return features[feature] < value;
      case Kind::less_equal:
        return features[feature] <= value;
      case Kind::greater:
        return features[feature] > value;
      case Kind::greater_equal:
        return features[feature] >= value;
      case Kind::equal:
        return features[feature] == value;
      case Kind::all_of:
        return std::ranges::all_of(operands, operand_holds);
      case Kind::any_of:
        return std::ranges::any_of(operands, operand_holds);
      case Kind::negation:
        return !operands.front().holds(features);
    }
    return false;
  }
};

namespace detail {

inline constexpr std::array<std::pair<std::string_view, Predicate::Kind>, 5> kComparisons{
    {{"<", Predicate::Kind::less},
     {"<=", Predicate::Kind::less_equal},
     {">", Predicate::Kind::greater},
     {">=", Predicate::Kind::greater_equal},
     {"==", Predicate::Kind::equal}}};

inline Predicate parse_predicate(ObjectReader reader, std::span<const std::string> features);

inline Predicate parse_operands(ObjectReader& reader, std::string_view key, Predicate::Kind kind,
                                std::span<const std::string> features) {
  Predicate result;
  result.kind = kind;
  const Json& list = reader.at(key);
  if (!list.is_array() || list.empty()) reader.fail(key, "a list of at least one predicate", list);
  for (std::size_t i = 0; i < list.size(); ++i)
    result.operands.push_back(parse_predicate(reader.element(key, i), features));
  return result;
}

// The depth of the recursion is that of the JSON document, which its parser limits.
inline Predicate parse_predicate(ObjectReader reader, std::span<const std::string> features) {
  Predicate result;
  if (reader.has("and")) {
    result = parse_operands(reader, "and", Predicate::Kind::all_of, features);
  } else if (reader.has("or")) {
    result = parse_operands(reader, "or", Predicate::Kind::any_of, features);
  } else if (reader.has("not")) {
    result.kind = Predicate::Kind::negation;
    result.operands.push_back(parse_predicate(reader.object("not"), features));
  } else {
    const std::string name = reader.string("feature");
    const auto found = std::ranges::find(features, name);
    if (found == features.end())
      reader.fail("feature", "no feature named " + in_quotes(name) + nearest_hint(name, features));
    result.feature = static_cast<std::size_t>(found - features.begin());
    result.kind = reader.choice<Predicate::Kind>(
        "op", {kComparisons[0], kComparisons[1], kComparisons[2], kComparisons[3], kComparisons[4]});
    result.value = reader.number("value", std::numeric_limits<double>::lowest(), std::numeric_limits<double>::max());
  }
  reader.reject_unknown_keys();
  return result;
}

}  // namespace detail

/// Reads a predicate; names are looked up in `features`. Throws ConfigError.
[[nodiscard]] inline Predicate parse_predicate(const ObjectReader& reader, std::span<const std::string> features) {
  return detail::parse_predicate(reader, features);
}

/// The predicate in SQL: amount > 10000 AND (hour < 6 OR NOT weekday == 1).
[[nodiscard]] inline std::string to_sql(const Predicate& predicate, std::span<const std::string> features) {
  for (const auto& [op, kind] : detail::kComparisons) {
    if (predicate.kind != kind) continue;
    std::string value = Json(predicate.value).dump();
    if (value.ends_with(".0")) value.resize(value.size() - 2);
    return features[predicate.feature] + " " + (op == "==" ? "=" : std::string(op)) + " " + value;
  }
  const auto operand = [&](const Predicate& p) {
    const bool compound = p.operands.size() > 1;
    return compound ? "(" + to_sql(p, features) + ")" : to_sql(p, features);
  };
  if (predicate.kind == Predicate::Kind::negation) return "NOT " + operand(predicate.operands.front());
  std::string text;
  for (const Predicate& p : predicate.operands)
    text += (text.empty() ? "" : predicate.kind == Predicate::Kind::all_of ? " AND " : " OR ") + operand(p);
  return text;
}

}  // namespace trine::inline TRINE_ABI
