// SPDX-License-Identifier: Apache-2.0
// From text to token ids and back.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <filesystem>
#include <iterator>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <unordered_map>
#include <utility>
#include <vector>

#include <trine/core/abi.hpp>
#include <trine/core/error.hpp>
#include <trine/core/token_id.hpp>
#include <trine/text/tokenizer/byte_range.hpp>
#include <trine/text/tokenizer/decoder.hpp>
#include <trine/text/tokenizer/hf_tokenizer_json.hpp>
#include <trine/text/tokenizer/normalizer.hpp>
#include <trine/text/tokenizer/regex.hpp>
#include <trine/text/tokenizer/tokenizer_config.hpp>
#include <trine/text/tokenizer/tokenizer_parts.hpp>
#include <trine/text/unicode/utf8.hpp>

namespace trine::inline TRINE_ABI {

/// How a text becomes tokens.
struct EncodeOptions {
  bool add_special_tokens = true;  ///< what the model expects around a text, such as `<s>` before it
  /// Find special tokens in the text. Not for text of strangers, who could write control tokens.
  bool parse_special = false;
  /// Where a stranger wrote the text, and special tokens are not looked for: RenderedChat::foreign. Sorted, without
  /// overlap.
  std::span<const ByteRange> foreign = {};
  /// U+FFFD for what is not UTF-8, as Python's "replace"; otherwise its bytes are kept. Not with `foreign`.
  bool replace_invalid_utf8 = false;
};

/// What a tokenizer needs of the program.
struct TokenizerOptions {
  RegexCompiler regex;  ///< for patterns in tokenizer.json: trine::pcre2_regex of trine/text/tokenizer/pcre2_regex.hpp
};

/// Text to token ids and back. A value: copies share the vocabulary. Const and thread-safe.
class Tokenizer {
 public:
  /// Reads tokenizer.json and what names special tokens (see read_special_tokens) in a model directory; or a
  /// tokenizer.json alone. Throws FileError, TokenizerError.
  [[nodiscard]] static Tokenizer load(const std::filesystem::path& model_directory_or_file,
                                      const TokenizerOptions& options = {}) {
    std::error_code ignored;
    if (!std::filesystem::is_directory(model_directory_or_file, ignored)) {
      return Tokenizer(read_hf_tokenizer_json(model_directory_or_file, options.regex));
    }
    TokenizerParts parts = read_hf_tokenizer_json(model_directory_or_file / "tokenizer.json", options.regex);
    parts.config = read_tokenizer_config(model_directory_or_file);
    return Tokenizer(std::move(parts));
  }

  /// From parts that fit each other: see TokenizerParts. Throws TokenizerError when a normalizer makes nothing of an
  /// added token, or a decoder too much of a token.
  explicit Tokenizer(TokenizerParts parts) : state_(std::make_shared<const State>(std::move(parts))) {}

  /// The ids of any bytes: what is not valid UTF-8 is encoded byte by byte. What the vocabulary cannot spell is its
  /// unknown token or, without one, dropped. Time is n log n in the bytes. Throws InputError beyond 4 GiB, and
  /// TokenizerError when a pattern of the tokenizer takes too long.
  [[nodiscard]] std::vector<TokenId> encode(std::string_view text, EncodeOptions options = {}) const {
    if (options.replace_invalid_utf8 && options.foreign.empty() && !is_valid_utf8(text)) {
      options.replace_invalid_utf8 = false;
      return encode(to_valid_utf8(std::string(text)), options);
    }
    std::vector<TokenId> ids;
    if (options.add_special_tokens) ids = state_->parts.prefix;
    state_->plain_added.split(
        text, options.parse_special, options.foreign, [&](std::optional<TokenId> token, std::string_view part) {
          if (token) return ids.push_back(*token);
          const auto begin = static_cast<std::size_t>(part.data() - text.data());
          const ByteRange range{begin, begin + part.size()};
          std::vector<ByteRange> foreign;
          if (overlaps(range, options.foreign)) foreign = within(range, options.foreign);
          bool at_text_start = begin == 0;
          const std::string normalized = normalize(state_->parts.normalizers, std::string(part));
          // Normalizers move bytes, so the marks hold for the whole part then.
          if (!foreign.empty() && !state_->parts.normalizers.empty()) foreign = {{0, normalized.size()}};
          state_->normalized_added.split(normalized, options.parse_special, foreign,
                                         [&](std::optional<TokenId> inner, std::string_view rest) {
                                           const bool is_first = std::exchange(at_text_start, false);
                                           if (inner) return ids.push_back(*inner);
                                           Pieces pieces = Pieces::whole(std::string(rest), is_first);
                                           for (const auto& step : state_->parts.pre_tokenizers)
                                             pieces = step->apply(std::move(pieces));
                                           state_->parts.model->encode(pieces, ids);
                                         });
        });
    if (options.add_special_tokens) {
      ids.insert(ids.end(), state_->parts.suffix.begin(), state_->parts.suffix.end());
    }
    return ids;
  }

  /// Valid UTF-8, U+FFFD for what the tokens do not complete. Ids without a token give no text, because models have
  /// more rows than tokens. Throws TokenizerError when a decoder makes too much of the text.
  [[nodiscard]] std::string decode(std::span<const TokenId> ids, bool skip_special_tokens = true) const {
    std::string text;
    TextAssembler assembler(*state_->parts.decoder, true);
    for (const TokenId id : ids) {
      if (has_token(id) && !(skip_special_tokens && is_special(id))) decode_next(id, assembler, text);
    }
    assembler.flush(text);
    return text;
  }

  /// Appends to `text` what the token `id`, which must exist, adds to what `assembler` was given before.
  void decode_next(TokenId id, TextAssembler& assembler, std::string& text) const {
    const Token& token = state_->tokens[id];
    if (assembler.at_start()) {
      assembler.push(state_->parts.decoder->decode(token.text, true), text);
    } else {
      assembler.push(token.decoded, text);
    }
  }

  /// How tokens become text.
  [[nodiscard]] const TokenDecoder& decoder() const noexcept { return *state_->parts.decoder; }

  /// The largest id + 1, added tokens included. A model may have more rows.
  [[nodiscard]] std::size_t vocab_size() const noexcept { return state_->tokens.size(); }
  /// Returns whether there is a token with this id: ids may have gaps.
  [[nodiscard]] bool has_token(TokenId id) const noexcept {
    return id < vocab_size() && !state_->tokens[id].text.empty();
  }
  /// A control token, which is not part of the text.
  [[nodiscard]] bool is_special(TokenId id) const noexcept { return id < vocab_size() && state_->tokens[id].special; }

  /// The bytes that a token stands for, where it does not begin a text: often only a part of a character. Borrowed.
  /// Throws InputError when there is no such token.
  [[nodiscard]] std::string_view token_bytes(TokenId id) const {
    if (!has_token(id)) {
      throw InputError("token id: expected one of the " + std::to_string(vocab_size()) + " of the vocabulary, found " +
                           std::to_string(id),
                       {.field = "token id"});
    }
    return state_->tokens[id].decoded.bytes;
  }

  /// The id of a token as the tokenizer file writes it: "\u0120the" for " the" in a byte-level vocabulary.
  [[nodiscard]] std::optional<TokenId> id_of(std::string_view token) const {
    const auto added = state_->added_ids.find(token);
    return added != state_->added_ids.end() ? added->second : state_->parts.vocabulary->find(token);
  }

  /// The special tokens that tokenizer_config.json names, and their ids where the vocabulary has them.
  [[nodiscard]] const TokenizerConfig& config() const noexcept { return state_->parts.config; }
  /// Begins a text; nullopt where no name is given or the vocabulary lacks it.
  [[nodiscard]] std::optional<TokenId> bos_token_id() const { return id_if_named(config().bos_token); }
  /// Ends a text; nullopt as above. See eos_token_ids() for all that do.
  [[nodiscard]] std::optional<TokenId> eos_token_id() const { return id_if_named(config().eos_token); }
  /// Fills rows of a batch in training; nullopt as above. trine needs no padding.
  [[nodiscard]] std::optional<TokenId> pad_token_id() const { return id_if_named(config().pad_token); }

  /// Special tokens that by their name end a text or a turn, such as `<|endoftext|>` and `</s>`, and eos_token_id(),
  /// ascending. A model's own configuration, where it names them, is the better source.
  [[nodiscard]] std::span<const TokenId> eos_token_ids() const noexcept { return state_->eos_token_ids; }

  /// What encode puts around a text with add_special_tokens.
  [[nodiscard]] std::span<const TokenId> prefix_ids() const noexcept { return state_->parts.prefix; }
  /// What encode puts behind a text with add_special_tokens.
  [[nodiscard]] std::span<const TokenId> suffix_ids() const noexcept { return state_->parts.suffix; }

 private:
  [[nodiscard]] std::optional<TokenId> id_if_named(const std::optional<std::string>& token) const {
    return token ? id_of(std::string_view(*token)) : std::nullopt;
  }

  struct Token {
    std::string_view text;  // as the vocabulary writes it
    DecodedToken decoded;   // where it does not begin a text
    bool exists = false;
    bool special = false;
  };

  struct State {
    explicit State(TokenizerParts from)
        : parts(std::move(from)),
          normalized_texts(normalize_added(parts)),
          plain_added(plain(parts)),
          normalized_added(normalized()) {
      tokens.resize(parts.vocabulary->id_limit());
      for (std::size_t i = 0; i < tokens.size(); ++i) {
        const auto id = static_cast<TokenId>(i);
        if (parts.vocabulary->contains(id)) tokens[i] = token(parts.vocabulary->text(id), false);
      }
      for (const AddedToken& added : parts.added_tokens) {
        if (added.id >= tokens.size()) tokens.resize(std::size_t{added.id} + 1);
        const auto as_found = normalized_texts.find(added.id);
        tokens[added.id] = token(as_found == normalized_texts.end() ? added.content : as_found->second, added.special);
        added_ids.emplace(added.content, added.id);
        if (added.special && ends_text(added.content)) eos_token_ids.push_back(added.id);
      }
      add_end_of_text(parts.config.eos_token);
      std::sort(eos_token_ids.begin(), eos_token_ids.end());
    }

    [[nodiscard]] Token token(std::string_view text, bool special) const {
      return {text, parts.decoder->decode(text, false), true, special};
    }

    void add_end_of_text(const std::optional<std::string>& eos) {
      if (!eos) return;
      const auto added = added_ids.find(*eos);
      const auto id = added != added_ids.end() ? added->second : parts.vocabulary->find(*eos);
      if (id && std::find(eos_token_ids.begin(), eos_token_ids.end(), *id) == eos_token_ids.end()) {
        eos_token_ids.push_back(*id);
      }
    }

    [[nodiscard]] static AddedTokenSplitter plain(const TokenizerParts& parts) {
      std::vector<AddedToken> tokens;
      std::copy_if(parts.added_tokens.begin(), parts.added_tokens.end(), std::back_inserter(tokens),
                   [&](const AddedToken& token) { return !token.normalized; });
      return AddedTokenSplitter(std::move(tokens));
    }

    // They are found, and decoded, as the normalizers write them. Where these make two equal, the first counts.
    [[nodiscard]] static std::map<TokenId, std::string> normalize_added(const TokenizerParts& parts) {
      std::map<TokenId, std::string> texts;
      for (const AddedToken& token : parts.added_tokens) {
        if (!token.normalized) continue;
        const std::string& text = texts[token.id] = normalize(parts.normalizers, token.content);
        if (text.empty())
          throw TokenizerError("added token " + in_quotes(token.content) + " is nothing, normalized",
                               {.field = "added_tokens"});
      }
      return texts;
    }

    [[nodiscard]] AddedTokenSplitter normalized() const {
      std::vector<AddedToken> result;
      std::set<std::string> seen;
      for (AddedToken token : parts.added_tokens) {
        if (!token.normalized) continue;
        token.content = normalized_texts.at(token.id);
        if (seen.insert(token.content).second) result.push_back(std::move(token));
      }
      return AddedTokenSplitter(std::move(result));
    }

    [[nodiscard]] static bool ends_text(std::string_view name) {
      constexpr std::array<std::string_view, 9> kNames = {"<|endoftext|>",
                                                          "</s>",
                                                          "<|end_of_text|>",
                                                          "<|eot_id|>",
                                                          "<|im_end|>",
                                                          "<eos>",
                                                          "<|return|>",
                                                          "<end_of_turn>",
                                                          "<\xEF\xBD\x9C"
                                                          "end\xE2\x96\x81"
                                                          "of\xE2\x96\x81sentence\xEF\xBD\x9C>"};
      return std::find(kNames.begin(), kNames.end(), name) != kNames.end();
    }

    TokenizerParts parts;
    std::map<TokenId, std::string> normalized_texts;          // of added tokens that are found after normalization
    AddedTokenSplitter plain_added;                           // looked for in the text as it is
    AddedTokenSplitter normalized_added;                      // looked for in what normalizers made of the rest
    std::vector<Token> tokens;                                // by id
    std::unordered_map<std::string_view, TokenId> added_ids;  // borrows from parts
    std::vector<TokenId> eos_token_ids;
  };

  std::shared_ptr<const State> state_;
};

}  // namespace trine::inline TRINE_ABI
