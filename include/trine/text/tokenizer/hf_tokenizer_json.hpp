// SPDX-License-Identifier: Apache-2.0
// Reads tokenizer.json, the format of Hugging Face tokenizers (https://github.com/huggingface/tokenizers, version
// "1.0").
//
// Supported: BPE, byte-level or with byte fallback, with the steps of hf_components.hpp, added tokens and a template of
// special tokens; docs/reference/tokenizers.md lists them. Anything else is refused by name, because an approximated
// tokenizer gives wrong answers. "truncation" and "padding" are for batches in training and are ignored.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include <trine/json/parse.hpp>
#include <trine/text/tokenizer/regex.hpp>
#include <trine/text/tokenizer/tokenizer_parts.hpp>

namespace trine::inline TRINE_ABI {

/// Reads the text of a tokenizer.json; `name` says in errors where it came from, `compile` makes its patterns ready.
/// Throws TokenizerError whatever is wrong with it, JSON included.
[[nodiscard]] TRINE_DECL TokenizerParts parse_hf_tokenizer_json(std::string_view text, const std::string& name,
                                                                const RegexCompiler& compile = {});

/// The same for a document that was parsed, or made from another format.
[[nodiscard]] TRINE_DECL TokenizerParts hf_tokenizer_parts(const Json& document, const std::string& name,
                                                           const RegexCompiler& compile = {});

/// The same for a file of at most 256 MiB. Throws FileError when it cannot be read, and TokenizerError.
[[nodiscard]] inline TokenizerParts read_hf_tokenizer_json(const std::filesystem::path& path,
                                                           const RegexCompiler& compile = {}) {
  return parse_hf_tokenizer_json(read_text_file(path, kMaxJsonBytes), path.string(), compile);
}

}  // namespace trine::inline TRINE_ABI

#if TRINE_HEADER_ONLY
#include <trine/text/tokenizer/hf_tokenizer_json.inl>
#endif
