// SPDX-License-Identifier: Apache-2.0
// The definitions of text/tokenizer/tokenizer_config.hpp.
#pragma once

#include <algorithm>
#include <array>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include <trine/core/error.hpp>
#include <trine/json/object_reader.hpp>
#include <trine/json/parse.hpp>
#include <trine/text/tokenizer/tokenizer_config.hpp>

namespace trine::inline TRINE_ABI {

namespace detail {

inline constexpr std::array<std::string_view, 7> kSpecialTokenKeys = {
    "bos_token", "cls_token", "eos_token", "mask_token", "pad_token", "sep_token", "unk_token"};

/// "bos_token": "<s>", or an object with "content": all keys that end so, but null ones. What is neither is an error
/// in the seven that every tokenizer may have, and something else in others. Replaces tokens of the same key. Throws
/// ConfigError.
inline void read_special_tokens(const Json& document, const std::string& source_name, SpecialTokens& tokens) {
  ObjectReader reader(document, source_name);
  for (const auto& [key, value] : document.items()) {
    if (!key.ends_with("_token") || value.is_null()) continue;
    const bool is_named = std::find(kSpecialTokenKeys.begin(), kSpecialTokenKeys.end(), key) != kSpecialTokenKeys.end();
    if (!is_named && !value.is_string() && !(value.is_object() && value.contains("content"))) continue;
    std::string text = value.is_string() ? reader.string(key) : reader.object(key).string("content");
    const auto same = std::ranges::find(tokens, key, &SpecialTokens::value_type::first);
    if (same == tokens.end()) {
      tokens.emplace_back(key, std::move(text));
    } else {
      same->second = std::move(text);
    }
  }
}

}  // namespace detail

TRINE_DECL SpecialTokens read_special_tokens(const std::filesystem::path& model_directory) {
  SpecialTokens tokens;
  std::error_code ignored;
  bool is_old = true;
  const std::filesystem::path config = model_directory / "tokenizer_config.json";
  if (std::filesystem::exists(config, ignored)) {
    const Json document = read_json_file(config);
    detail::read_special_tokens(document, config.string(), tokens);
    is_old = !document.contains("added_tokens_decoder");
  }
  const std::filesystem::path map = model_directory / "special_tokens_map.json";
  if (is_old && std::filesystem::exists(map, ignored)) {
    detail::read_special_tokens(read_json_file(map), map.string(), tokens);
  }
  return tokens;
}

TRINE_DECL TokenizerConfig tokenizer_config_of(const SpecialTokens& tokens) {
  const auto token = [&](std::string_view key) -> std::optional<std::string> {
    const auto found = std::find_if(tokens.begin(), tokens.end(), [&](const auto& one) { return one.first == key; });
    return found == tokens.end() ? std::nullopt : std::optional(found->second);
  };
  return {token("bos_token"), token("eos_token"), token("pad_token"), token("unk_token")};
}

TRINE_DECL TokenizerConfig parse_tokenizer_config(std::string_view text, const std::string& name) {
  try {
    SpecialTokens tokens;
    detail::read_special_tokens(parse_json(text, name), name, tokens);
    return tokenizer_config_of(tokens);
  } catch (const ConfigError& error) {
    throw TokenizerError(error.what(), error.details());
  }
}

TRINE_DECL TokenizerConfig read_tokenizer_config(const std::filesystem::path& model_directory) {
  try {
    return tokenizer_config_of(read_special_tokens(model_directory));
  } catch (const ConfigError& error) {
    throw TokenizerError(error.what(), error.details());
  }
}

}  // namespace trine::inline TRINE_ABI
