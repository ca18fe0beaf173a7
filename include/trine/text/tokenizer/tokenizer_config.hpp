// SPDX-License-Identifier: Apache-2.0
// The names of special tokens in tokenizer_config.json, which stands beside tokenizer.json.
//
// It changes no ids: as transformers 5 does, "add_bos_token" and "add_eos_token" are left to the post_processor of
// tokenizer.json. Older directories name the tokens in special_tokens_map.json. Chat templates have a reader of their
// own.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <trine/core/abi.hpp>

namespace trine::inline TRINE_ABI {

/// Texts of tokens, where the file names them.
struct TokenizerConfig {
  std::optional<std::string> bos_token;  ///< begins a text
  std::optional<std::string> eos_token;  ///< ends it
  std::optional<std::string> pad_token;  ///< fills rows of a batch in training
  std::optional<std::string> unk_token;  ///< stands for what the vocabulary lacks
};

/// Texts of tokens by the keys that files and chat templates have for them: {"bos_token", "<s>"}.
using SpecialTokens = std::vector<std::pair<std::string, std::string>>;

/// The special tokens that a model directory names: in tokenizer_config.json and, where that has no
/// "added_tokens_decoder", in special_tokens_map.json, which is older and counts more; none without these files. Throws
/// FileError, ConfigError.
[[nodiscard]] TRINE_DECL SpecialTokens read_special_tokens(const std::filesystem::path& model_directory);

/// The four of them that every tokenizer may have.
[[nodiscard]] TRINE_DECL TokenizerConfig tokenizer_config_of(const SpecialTokens& tokens);

/// Reads the text of a tokenizer_config.json; keys of others are left alone. `name` says in errors where it came from.
/// Throws TokenizerError.
[[nodiscard]] TRINE_DECL TokenizerConfig parse_tokenizer_config(std::string_view text, const std::string& name);

/// Reads what a model directory says, as read_special_tokens does. Throws FileError when a file cannot be read, and
/// TokenizerError.
[[nodiscard]] TRINE_DECL TokenizerConfig read_tokenizer_config(const std::filesystem::path& model_directory);

}  // namespace trine::inline TRINE_ABI

#if TRINE_HEADER_ONLY
#include <trine/text/tokenizer/tokenizer_config.inl>
#endif
