// SPDX-License-Identifier: Apache-2.0
// The definitions of parse_json and keys_in_order.
#pragma once

#include <set>
#include <string>
#include <vector>

#include <trine/json/parse.hpp>

namespace trine::inline TRINE_ABI {

namespace detail {

// Receives the events of a parse without building anything; rejects excessive depth and duplicate keys.
class JsonGuard : public nlohmann::json_sax<Json> {
 public:
  explicit JsonGuard(const SourceName& source) : source_(source) {}

  bool null() override { return true; }
  bool boolean(bool) override { return true; }
  bool number_integer(number_integer_t) override { return true; }
  bool number_unsigned(number_unsigned_t) override { return true; }
  bool number_float(number_float_t, const string_t&) override { return true; }
  bool string(string_t&) override { return true; }
  bool binary(binary_t&) override { return true; }
  bool start_object(std::size_t) override {
    enter();
    keys_.emplace_back();
    return true;
  }
  bool key(string_t& text) override {
    if (!keys_.back().insert(text).second)
      throw ConfigError(source_.text + ": key " + in_quotes(text) + " appears twice in one object",
                        source_.details(text));
    return true;
  }
  bool end_object() override {
    keys_.pop_back();
    --depth_;
    return true;
  }
  bool start_array(std::size_t) override {
    enter();
    return true;
  }
  bool end_array() override {
    --depth_;
    return true;
  }
  bool parse_error(std::size_t position, const std::string& token, const nlohmann::detail::exception&) override {
    const bool is_nan = token.ends_with('N') || token.ends_with('I');  // as Python writes NaN and Infinity
    const std::string hint = is_nan ? "; JSON has neither NaN nor Infinity" : "";
    throw ConfigError(
        source_.text + ": not valid JSON at byte " + std::to_string(position) + ", near " + in_quotes(token) + hint,
        source_.details(""));
  }

 private:
  void enter() {
    if (++depth_ > kMaxJsonDepth)
      throw ConfigError(
          source_.text + ": expected at most " + std::to_string(kMaxJsonDepth) + " nested levels, found more",
          source_.details("", ErrorKind::does_not_fit));
  }

  const SourceName& source_;
  std::size_t depth_ = 0;
  std::vector<std::set<std::string>> keys_;  // ordered: hashes can be made to collide
};

}  // namespace detail

TRINE_DECL Json parse_json(std::string_view text, const SourceName& source) {
  // The parser treats NUL as the end of the text and would ignore what follows.
  if (const std::size_t nul = text.find('\0'); nul != std::string_view::npos)
    throw ConfigError(
        source.text + ": not valid JSON at byte " + std::to_string(nul + 1) + ", near " + in_quotes({"\0", 1}),
        source.details(""));
  detail::JsonGuard guard(source);
  Json::sax_parse(text, &guard);
  try {
    return Json::parse(text);
  } catch (const nlohmann::json::exception& error) {
    throw ConfigError(source.text + ": not valid JSON: " + error.what(), source.details(""));
  }
}

TRINE_DECL std::vector<std::string> keys_in_order(std::string_view text, std::string_view field) {
  std::vector<std::string> keys;
  std::string outer;
  const auto listen = [&](int depth, Json::parse_event_t event, Json& parsed) {
    if (event != Json::parse_event_t::key) return true;
    if (depth == 1) outer = parsed.get<std::string>();
    if (depth == 2 && outer == field) keys.push_back(parsed.get<std::string>());
    return true;
  };
  [[maybe_unused]] const Json whole = Json::parse(text, listen);
  return keys;
}

}  // namespace trine::inline TRINE_ABI
