// SPDX-License-Identifier: Apache-2.0
// From text to token ids and back.
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <trine/core/abi.hpp>
#include <trine/core/token_id.hpp>
#include <trine/text/tokenizer/byte_range.hpp>
#include <trine/text/tokenizer/regex.hpp>
#include <trine/text/tokenizer/tokenizer_config.hpp>

namespace trine::inline TRINE_ABI {

class TextAssembler;    // text/tokenizer/decoder.hpp
class TokenDecoder;     // text/tokenizer/decoder.hpp
struct TokenizerParts;  // text/tokenizer/tokenizer_parts.hpp

/// How a text becomes tokens.
struct EncodeOptions {
  bool add_special_tokens = true;  ///< what the model expects around a text, such as `<s>` before it
  /// Find special tokens in the text. Not for untrusted text, which could hold control tokens.
  bool parse_special = false;
  /// Where the text is untrusted, and special tokens are not looked for: RenderedChat::untrusted. Sorted, without
  /// overlap.
  std::span<const ByteRange> untrusted = {};
  /// U+FFFD for what is not UTF-8, as Python's "replace"; otherwise its bytes are kept. Not with `untrusted`.
  bool replace_invalid_utf8 = false;
};

/// What a tokenizer needs of the program.
struct TokenizerOptions {
  RegexCompiler regex;  ///< for patterns in tokenizer.json: trine::pcre2_regex of trine/text/tokenizer/pcre2_regex.hpp
};

/// Text to token ids and back. A value: copies share the vocabulary. Const and thread-safe.
class Tokenizer {
 public:
  /// Reads tokenizer.json and what names special tokens (see read_special_tokens) in a model directory; a
  /// tokenizer.json alone; or the metadata of a GGUF file. Throws FileError, TokenizerError; of a GGUF file,
  /// ConfigError and WeightError, too.
  [[nodiscard]] static Tokenizer load(const std::filesystem::path& model_directory_or_file,
                                      const TokenizerOptions& options = {});

  /// From parts that fit each other: see TokenizerParts. Throws TokenizerError when a normalizer makes nothing of an
  /// added token, or a decoder too much of a token.
  explicit Tokenizer(TokenizerParts parts);

  /// The ids of any bytes: what is not valid UTF-8 is encoded byte by byte. What the vocabulary cannot spell is its
  /// unknown token or, without one, dropped. Time is n log n in the bytes. Throws InputError beyond 4 GiB, and
  /// TokenizerError when a pattern of the tokenizer takes too long.
  [[nodiscard]] std::vector<TokenId> encode(std::string_view text, EncodeOptions options = {}) const;

  /// Valid UTF-8, U+FFFD for what the tokens do not complete. Ids without a token give no text, because models have
  /// more rows than tokens. Throws TokenizerError when a decoder makes too much of the text.
  [[nodiscard]] std::string decode(std::span<const TokenId> ids, bool skip_special_tokens = true) const;

  /// Appends to `text` what the token `id`, which must exist, adds to what `assembler` was given before.
  void decode_next(TokenId id, TextAssembler& assembler, std::string& text) const;

  /// How tokens become text.
  [[nodiscard]] const TokenDecoder& decoder() const noexcept;

  /// The largest id + 1, added tokens included. A model may have more rows.
  [[nodiscard]] std::size_t vocab_size() const noexcept;
  /// Returns whether there is a token with this id: ids may have gaps.
  [[nodiscard]] bool has_token(TokenId id) const noexcept;
  /// A control token, which is not part of the text.
  [[nodiscard]] bool is_special(TokenId id) const noexcept;

  /// The bytes that a token stands for, where it does not begin a text: often only a part of a character. Borrowed.
  /// Throws InputError when there is no such token.
  [[nodiscard]] std::string_view token_bytes(TokenId id) const;

  /// The id of a token as the tokenizer file writes it: "\u0120the" for " the" in a byte-level vocabulary.
  [[nodiscard]] std::optional<TokenId> id_of(std::string_view token) const;

  /// The special tokens that tokenizer_config.json names, and their ids where the vocabulary has them.
  [[nodiscard]] const TokenizerConfig& config() const noexcept;
  /// Begins a text; nullopt where no name is given or the vocabulary lacks it.
  [[nodiscard]] std::optional<TokenId> bos_token_id() const;
  /// Ends a text; nullopt as above. See eos_token_ids() for all that do.
  [[nodiscard]] std::optional<TokenId> eos_token_id() const;
  /// Fills rows of a batch in training; nullopt as above. trine needs no padding.
  [[nodiscard]] std::optional<TokenId> pad_token_id() const;

  /// Special tokens that by their name end a text or a turn, such as `<|endoftext|>` and `</s>`, and eos_token_id(),
  /// ascending. A model's own configuration, where it names them, is the better source.
  [[nodiscard]] std::span<const TokenId> eos_token_ids() const noexcept;

  /// What encode puts around a text with add_special_tokens.
  [[nodiscard]] std::span<const TokenId> prefix_ids() const noexcept;
  /// What encode puts behind a text with add_special_tokens.
  [[nodiscard]] std::span<const TokenId> suffix_ids() const noexcept;

 private:
  [[nodiscard]] std::optional<TokenId> id_if_named(const std::optional<std::string>& token) const;

  struct State;
  std::shared_ptr<const State> state_;
};

}  // namespace trine::inline TRINE_ABI

#if TRINE_HEADER_ONLY
#include <trine/text/tokenizer/tokenizer.inl>
#endif
