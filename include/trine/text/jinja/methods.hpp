// SPDX-License-Identifier: Apache-2.0
// Methods of strings, mappings and lists that templates call. None changes its object: as in the sandbox that Hugging
// Face renders templates in, list.append and the like are refused.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <trine/text/jinja/access.hpp>
#include <trine/text/jinja/arguments.hpp>
#include <trine/text/jinja/print.hpp>

namespace trine::inline TRINE_ABI::templates {

namespace detail {

[[nodiscard]] inline Value list_of_parts(const Text& text, const std::vector<ByteRange>& parts, Budget& budget) {
  budget.charge_elements(2 * parts.size());
  budget.charge_bytes(text.size());
  List list;
  for (const ByteRange& part : parts) list.items.emplace_back(text.part(part.begin, part.end));
  return List(std::move(list.items));
}

[[nodiscard]] inline Value strip(const Text& text, std::string_view name, const Arguments& arguments, Budget& budget) {
  const Bound bound(name, arguments, {"chars"});
  const bool all = !bound.has(0) || bound.get(0).is_none();
  budget.charge_bytes(text.size());
  const StripSet set(all ? std::nullopt : std::optional(bound.text(0).view()));
  const ByteRange kept = stripped(text.view(), set, name != "rstrip", name != "lstrip");
  return text.part(kept.begin, kept.end);
}

[[nodiscard]] inline Value split(const Text& text, std::string_view name, const Arguments& arguments, Budget& budget) {
  const Bound bound(name, arguments, {"sep", "maxsplit"});
  const std::int64_t most = bound.integer_or(1, -1);
  const std::size_t cuts = most < 0 ? kAllOccurrences : static_cast<std::size_t>(most);
  if (!bound.has(0) || bound.get(0).is_none()) {
    if (name == "rsplit" && most >= 0)
      throw TemplateError("rsplit without a separator but with maxsplit is not supported", {ErrorKind::unsupported});
    return list_of_parts(text, split_at_spaces(text.view(), cuts), budget);
  }
  const std::string_view separator = bound.text(0).view();
  if (separator.empty()) throw TemplateError(std::string(name) + ": the separator is empty");
  return list_of_parts(
      text, name == "split" ? split_at(text.view(), separator, cuts) : split_from_right(text.view(), separator, cuts),
      budget);
}

/// startswith, endswith: one string, or a tuple of alternatives.
[[nodiscard]] inline Value has_affix(const Text& text, std::string_view name, const Arguments& arguments) {
  const Bound bound(name, arguments, {name == "startswith" ? "prefix" : "suffix"});
  const auto matches = [&](const Value& affix) {
    if (affix.text() == nullptr) fail_type("a str or a tuple of str for " + std::string(name), affix);
    const std::string_view wanted = affix.text()->view();
    return name == "startswith" ? text.view().starts_with(wanted) : text.view().ends_with(wanted);
  };
  const Value affix = bound.get(0);
  if (affix.list() == nullptr || !affix.list()->tuple) return matches(affix);
  return std::any_of(affix.list()->items.begin(), affix.list()->items.end(), matches);
}

/// find, rfind, index, count of a string in all of the text.
[[nodiscard]] inline Value find_in(const Text& text, std::string_view name, const Arguments& arguments,
                                   Budget& budget) {
  const Bound bound(name, arguments, {"sub"});
  const std::string_view wanted = bound.text(0).view();
  budget.charge(text.size() / 8);
  if (name == "count") {
    if (wanted.empty()) return Value::count(length_of(text.view()) + 1);
    return Value::count(split_at(text.view(), wanted, kAllOccurrences).size() - 1);
  }
  const std::size_t found = name == "rfind" ? text.view().rfind(wanted) : text.view().find(wanted);
  if (found != std::string_view::npos) return Value::count(length_of(text.view().substr(0, found)));
  if (name == "index") throw TemplateError("index: the text does not contain " + in_quotes(wanted));
  return std::int64_t{-1};
}

/// removeprefix, removesuffix.
[[nodiscard]] inline Value without_affix(const Text& text, std::string_view name, const Arguments& arguments,
                                         Budget& budget) {
  const Bound bound(name, arguments, {"affix"});
  const std::size_t size = bound.text(0).size();
  budget.charge_bytes(text.size());
  if (!is_true(has_affix(text, name == "removeprefix" ? "startswith" : "endswith", arguments))) return text;
  return name == "removeprefix" ? text.part(size, text.size()) : text.part(0, text.size() - size);
}

/// str.title(): a capital behind everything that is not cased.
[[nodiscard]] inline Value title_by_letters(const Text& text, Budget& budget) {
  budget.charge(text.size());
  budget.charge_bytes(3 * text.size());
  Text result;
  bool in_word = false;
  for (std::size_t i = 0; i < text.size();) {
    const Utf8Step step = decode_utf8(text.view().substr(i));
    std::string changed;
    if (in_word) {
      append_lower(text.view(), i, changed);
    } else {
      append_title(step.code_point, changed);
    }
    result.append(changed, text.is_foreign(i));
    in_word = is_cased(step.code_point);
    i += step.bytes;
  }
  return result;
}

/// isdigit and the like: all characters are, and there is one.
[[nodiscard]] inline Value all_characters(const Text& text, bool (*is)(char32_t), Budget& budget) {
  budget.charge(text.size() / 4);
  for (std::string_view rest = text.view(); !rest.empty();) {
    const Utf8Step step = decode_utf8(rest);
    if (!is(step.code_point)) return false;
    rest.remove_prefix(step.bytes);
  }
  return !text.empty();
}

[[nodiscard]] inline Value join(const Text& separator, const Arguments& arguments, Budget& budget) {
  const Bound bound("join", arguments, {"iterable"});
  const auto list = elements_of(bound.get(0), budget);
  Text result;
  for (std::size_t i = 0; i < list->items.size(); ++i) {
    const Text* item = list->items[i].text();
    if (item == nullptr) fail_type("only str for join", list->items[i]);
    budget.charge_bytes(separator.size() + item->size());
    if (i > 0) result.append(separator);
    result.append(*item);
    budget.require_fits(result.size());
  }
  return result;
}

/// str.format with plain fields: {}, {0}, {name}; doubled braces are braces. Format specifications are refused.
[[nodiscard]] inline Value format(const Text& text, const Arguments& arguments, Budget& budget) {
  const std::string_view view = text.view();
  Text result;
  std::size_t automatic = 0;
  for (std::size_t i = 0; i < view.size();) {
    const std::size_t brace = std::min(view.find_first_of("{}", i), view.size());
    result.append(text, i, brace);
    i = brace;
    if (i == view.size()) break;
    if (i + 1 < view.size() && view[i + 1] == view[i]) {
      result.append(text, i, i + 1);
      i += 2;
      continue;
    }
    const std::size_t end = view[i] == '{' ? view.find('}', i) : std::string_view::npos;
    if (end == std::string_view::npos) throw TemplateError("format: a single brace");
    const std::string_view field = view.substr(i + 1, end - i - 1);
    if (field.find_first_of(".[!:{") != std::string_view::npos)
      throw TemplateError("format: the field " + in_quotes(field) + " is not supported", {ErrorKind::unsupported});
    const Value* value = nullptr;
    const auto index = field.empty() ? std::optional(static_cast<std::int64_t>(automatic++)) : parse_integer(field);
    if (index && *index >= 0 && static_cast<std::size_t>(*index) < arguments.positional.size())
      value = &arguments.positional[static_cast<std::size_t>(*index)];
    for (const auto& [name, named] : arguments.named)
      if (name == field) value = &named;
    if (value == nullptr) throw TemplateError("format: no argument for the field " + in_quotes(field));
    result.append(to_text(*value, budget));
    budget.require_fits(result.size());
    i = end + 1;
  }
  return result;
}

}  // namespace detail

/// text.name(arguments).
[[nodiscard]] inline Value call_text_method(const Text& text, std::string_view name, const Arguments& arguments,
                                            Budget& budget) {
  using namespace detail;
  const auto no_arguments = [&] { static_cast<void>(Bound(name, arguments, {})); };
  if (name == "strip" || name == "lstrip" || name == "rstrip") return strip(text, name, arguments, budget);
  if (name == "split" || name == "rsplit") return split(text, name, arguments, budget);
  if (name == "startswith" || name == "endswith") return has_affix(text, name, arguments);
  if (name == "find" || name == "rfind" || name == "index" || name == "count")
    return find_in(text, name, arguments, budget);
  if (name == "removeprefix" || name == "removesuffix") return without_affix(text, name, arguments, budget);
  if (name == "join") return join(text, arguments, budget);
  if (name == "replace") {
    const Bound bound(name, arguments, {"old", "new", "count"});
    const std::int64_t most = bound.integer_or(2, -1);
    return replaced(text, bound.text(0).view(), bound.text(1),
                    most < 0 ? kAllOccurrences : static_cast<std::size_t>(most), budget);
  }
  if (name == "format") return format(text, arguments, budget);
  no_arguments();
  if (name == "upper") return in_case(text, Case::upper, budget);
  if (name == "lower") return in_case(text, Case::lower, budget);
  if (name == "title") return title_by_letters(text, budget);
  if (name == "capitalize") return capitalized(text, budget);
  if (name == "splitlines") return list_of_parts(text, split_lines(text.view()), budget);
  if (name == "isspace")
    return all_characters(
        text, [](char32_t c) { return is_python_space(c); }, budget);
  if (name == "isalpha")
    return all_characters(
        text, [](char32_t c) { return is_letter(c); }, budget);
  if (name == "isdigit")
    return all_characters(
        text, [](char32_t c) { return c >= '0' && c <= '9'; }, budget);
  throw TemplateError("method " + in_quotes(name) + " of str is not supported", {ErrorKind::unsupported});
}

/// dict.name(arguments).
[[nodiscard]] inline Value call_dict_method(const Dict& dict, std::string_view name, const Arguments& arguments,
                                            Budget& budget) {
  if (name == "get") {
    const Bound bound(name, arguments, {"key", "default"});
    const Value* found = find(dict.entries, bound.get(0), budget);
    return found != nullptr ? *found : bound.get_or(1, None{});
  }
  if (name != "items" && name != "keys" && name != "values" && name != "copy")
    throw TemplateError("method " + in_quotes(name) + " of dict is not supported", {ErrorKind::unsupported});
  static_cast<void>(Bound(name, arguments, {}));
  budget.charge_elements((name == "items" ? 4 : 1) * dict.entries.size());
  if (name == "copy") return Dict(dict.entries);
  List list;
  for (const auto& [key, value] : dict.entries) {
    if (name == "items") {
      list.items.emplace_back(List({key, value}, true));
    } else {
      list.items.push_back(name == "keys" ? key : value);
    }
  }
  return List(std::move(list.items));
}

/// list.name(arguments).
[[nodiscard]] inline Value call_list_method(const List& list, std::string_view name, const Arguments& arguments,
                                            Budget& budget) {
  if (name != "count" && name != "index")
    throw TemplateError("method " + in_quotes(name) + " of " + (list.tuple ? "tuple" : "list") + " is not supported",
                        {ErrorKind::unsupported});
  const Bound bound(name, arguments, {"value"});
  const Value wanted = bound.get(0);
  budget.charge(list.items.size() / 8);
  const auto is_wanted = [&](const Value& item) { return equal(item, wanted, budget); };
  if (name == "count") return static_cast<std::int64_t>(std::count_if(list.items.begin(), list.items.end(), is_wanted));
  const auto found = std::find_if(list.items.begin(), list.items.end(), is_wanted);
  if (found == list.items.end()) throw TemplateError("index: the list does not contain the value");
  return static_cast<std::int64_t>(found - list.items.begin());
}

/// loop.cycle(a, b, ...): one of the arguments, in turn.
[[nodiscard]] inline Value call_loop_method(const Loop& loop, std::string_view name, const Arguments& arguments) {
  if (name != "cycle") throw TemplateError("loop." + std::string(name) + " is not supported", {ErrorKind::unsupported});
  if (arguments.positional.empty()) throw TemplateError("loop.cycle: expected arguments, found none");
  return arguments.positional[loop.index % arguments.positional.size()];
}

[[nodiscard]] inline Value call_method(const Value& object, std::string_view name, const Arguments& arguments,
                                       Budget& budget) {
  if (const Text* text = object.text()) return call_text_method(*text, name, arguments, budget);
  if (const Dict* dict = object.dict()) return call_dict_method(*dict, name, arguments, budget);
  if (const List* list = object.list()) return call_list_method(*list, name, arguments, budget);
  return call_loop_method(*object.loop(), name, arguments);
}

}  // namespace trine::inline TRINE_ABI::templates
