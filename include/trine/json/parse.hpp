// SPDX-License-Identifier: Apache-2.0
// The one JSON parser: nlohmann/json with the limits that untrusted files need.
//   depth at most 128 (later copies and destructors recurse), strict UTF-8 and no NaN (by the library),
//   duplicate keys refused, position in every error.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include <trine/core/error.hpp>
#include <trine/platform/mapped_file.hpp>

namespace trine::inline TRINE_ABI {

/// Objects are sorted by key. (nlohmann::ordered_json looks keys up one by one: 60 000 of them, a vocabulary, took 5
/// s.)
using Json = nlohmann::json;

inline constexpr std::size_t kMaxJsonDepth = 128;
inline constexpr std::uint64_t kMaxJsonBytes = std::uint64_t{256} << 20U;

namespace detail {

// Watches the events of a parse without building anything; refuses depth and duplicate keys.
class JsonGuard : public nlohmann::json_sax<Json> {
 public:
  explicit JsonGuard(const std::string& name) : name_(name) {}

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
      throw ConfigError(name_ + ": key " + in_quotes(text) + " appears twice in one object");
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
    throw ConfigError(name_ + ": not valid JSON at byte " + std::to_string(position) + ", near " + in_quotes(token));
  }

 private:
  void enter() {
    if (++depth_ > kMaxJsonDepth)
      throw ConfigError(name_ + ": expected at most " + std::to_string(kMaxJsonDepth) + " nested levels, found more");
  }

  const std::string& name_;
  std::size_t depth_ = 0;
  std::vector<std::set<std::string>> keys_;  // ordered: a hash could be made to collide
};

}  // namespace detail

/// Parses `text`; `name` says in errors where it came from. Throws ConfigError.
[[nodiscard]] inline Json parse_json(std::string_view text, const std::string& name) {
  // The parser takes a NUL for the end of the text and would never look at what follows.
  if (const std::size_t nul = text.find('\0'); nul != std::string_view::npos)
    throw ConfigError(name + ": not valid JSON at byte " + std::to_string(nul + 1) + ", near " + in_quotes({"\0", 1}));
  detail::JsonGuard guard(name);
  Json::sax_parse(text, &guard);
  try {
    return Json::parse(text);
  } catch (const nlohmann::json::exception& error) {
    throw ConfigError(name + ": not valid JSON: " + error.what());
  }
}

/// Reads and parses a file of at most 256 MiB. Throws FileError, ConfigError; messages name `path`.
[[nodiscard]] inline Json read_json_file(const std::filesystem::path& path) {
  return parse_json(read_text_file(path, kMaxJsonBytes), path.string());
}

}  // namespace trine::inline TRINE_ABI
