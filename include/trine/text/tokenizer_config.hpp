// SPDX-License-Identifier: Apache-2.0
// The names of special tokens in tokenizer_config.json, which stands beside tokenizer.json.
//
// It changes no ids: as transformers 5 does, "add_bos_token" and "add_eos_token" are left to the post_processor of
// tokenizer.json. Chat templates have a reader of their own.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include <trine/core/error.hpp>
#include <trine/json/object_reader.hpp>
#include <trine/json/parse.hpp>

namespace trine::inline TRINE_ABI {

/// Texts of tokens, where the file names them.
struct TokenizerConfig {
  std::optional<std::string> bos_token;  // begins a text
  std::optional<std::string> eos_token;  // ends it
  std::optional<std::string> pad_token;
  std::optional<std::string> unk_token;
};

/// Reads the text of a tokenizer_config.json; keys of others are left alone. `name` says in errors where it came from.
/// Throws TokenizerError.
[[nodiscard]] inline TokenizerConfig parse_tokenizer_config(std::string_view text, const std::string& name) {
  try {
    const Json document = parse_json(text, name);
    ObjectReader reader(document, name);
    // "<s>" or {"content": "<s>", ...}
    const auto token = [&](std::string_view key) -> std::optional<std::string> {
      if (!reader.has(key)) return std::nullopt;
      return reader.at(key).is_string() ? reader.string(key) : reader.object(key).string("content");
    };
    return {token("bos_token"), token("eos_token"), token("pad_token"), token("unk_token")};
  } catch (const ConfigError& error) {
    throw TokenizerError(error.what());
  }
}

/// The same for a file of at most 256 MiB. Throws FileError when it cannot be read, and TokenizerError.
[[nodiscard]] inline TokenizerConfig read_tokenizer_config(const std::filesystem::path& path) {
  return parse_tokenizer_config(read_text_file(path, kMaxJsonBytes), path.string());
}

}  // namespace trine::inline TRINE_ABI
