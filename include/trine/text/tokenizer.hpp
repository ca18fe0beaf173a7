// SPDX-License-Identifier: Apache-2.0
// From text to token ids and back.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <filesystem>
#include <iterator>
#include <memory>
#include <optional>
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
#include <trine/text/byte_range.hpp>
#include <trine/text/hf_tokenizer_json.hpp>
#include <trine/text/tokenizer_parts.hpp>
#include <trine/text/utf8.hpp>

namespace trine::inline TRINE_ABI {

struct EncodeOptions {
  bool add_special_tokens = true;  // what the model expects around a text, such as <s> before it
  bool parse_special =
      false;  // find special tokens in the text; not for text of strangers, who could write control tokens
  std::span<const ByteRange> foreign =
      {};  // where a stranger wrote the text, and there are none: RenderedChat::foreign; sorted, without overlap
};

/// A value: copies share the vocabulary. Const and thread-safe.
class Tokenizer {
 public:
  /// Reads tokenizer.json in a model directory, or the file itself. Throws FileError, TokenizerError.
  [[nodiscard]] static Tokenizer load(const std::filesystem::path& model_directory_or_file) {
    std::error_code ignored;
    const bool is_directory = std::filesystem::is_directory(model_directory_or_file, ignored);
    return Tokenizer(
        read_hf_tokenizer_json(is_directory ? model_directory_or_file / "tokenizer.json" : model_directory_or_file));
  }

  /// From parts that fit each other: see TokenizerParts.
  explicit Tokenizer(TokenizerParts parts) : state_(std::make_shared<const State>(std::move(parts))) {}

  /// The ids of any bytes: what is not valid UTF-8 is encoded byte by byte. Time is n log n in the bytes. Throws
  /// InputError beyond 4 GiB.
  [[nodiscard]] std::vector<TokenId> encode(std::string_view text, EncodeOptions options = {}) const {
    std::vector<TokenId> ids;
    if (options.add_special_tokens) ids = state_->parts.prefix;
    state_->plain_added.split(
        text, options.parse_special, options.foreign, [&](std::optional<TokenId> token, std::string_view part) {
          if (token) return ids.push_back(*token);
          // Normalizers will stand here, between the two. They move bytes: the marks then hold for the whole part.
          const auto begin = static_cast<std::size_t>(part.data() - text.data());
          const bool is_foreign = overlaps({begin, begin + part.size()}, options.foreign);
          state_->normalized_added.split(part, options.parse_special && !is_foreign, {},
                                         [&](std::optional<TokenId> inner, std::string_view rest) {
                                           if (inner) return ids.push_back(*inner);
                                           Pieces pieces = Pieces::whole(std::string(rest));
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
  /// more rows than tokens.
  [[nodiscard]] std::string decode(std::span<const TokenId> ids, bool skip_special_tokens = true) const {
    std::string bytes;
    for (const TokenId id : ids) {
      if (has_token(id) && !(skip_special_tokens && is_special(id))) bytes += token_bytes(id);
    }
    return to_valid_utf8(std::move(bytes));
  }

  /// The largest id + 1, added tokens included. A model may have more rows.
  [[nodiscard]] std::size_t vocab_size() const noexcept { return state_->tokens.size(); }
  /// Is there a token with this id? Ids may have gaps.
  [[nodiscard]] bool has_token(TokenId id) const noexcept { return id < vocab_size() && state_->tokens[id].exists; }
  /// A control token, which is not part of the text.
  [[nodiscard]] bool is_special(TokenId id) const noexcept { return id < vocab_size() && state_->tokens[id].special; }

  /// The bytes that a token stands for: often only a part of a character. Borrowed. Throws InputError when there is no
  /// such token.
  [[nodiscard]] std::string_view token_bytes(TokenId id) const {
    if (!has_token(id)) {
      throw InputError("token id: expected one of the " + std::to_string(vocab_size()) + " of the vocabulary, found " +
                       std::to_string(id));
    }
    return state_->tokens[id].bytes;
  }

  /// The id of a token as the tokenizer file writes it: "\u0120the" for " the" in a byte-level vocabulary.
  [[nodiscard]] std::optional<TokenId> id_of(std::string_view token) const {
    const auto added = state_->added_ids.find(token);
    return added != state_->added_ids.end() ? added->second : state_->parts.vocabulary->find(token);
  }

  /// Special tokens that by their name end a text or a turn, such as <|endoftext|> and </s>, ascending. A model's own
  /// configuration, where it names them, is the better source.
  [[nodiscard]] std::span<const TokenId> end_of_text_ids() const noexcept { return state_->end_of_text_ids; }

  /// What encode puts around a text with add_special_tokens.
  [[nodiscard]] std::span<const TokenId> prefix_ids() const noexcept { return state_->parts.prefix; }
  [[nodiscard]] std::span<const TokenId> suffix_ids() const noexcept { return state_->parts.suffix; }

 private:
  struct Token {
    std::string bytes;
    bool exists = false;
    bool special = false;
  };

  struct State {
    explicit State(TokenizerParts from)
        : parts(std::move(from)), plain_added(added(parts, false)), normalized_added(added(parts, true)) {
      tokens.resize(parts.vocabulary->id_limit());
      for (std::size_t i = 0; i < tokens.size(); ++i) {
        const auto id = static_cast<TokenId>(i);
        if (parts.vocabulary->contains(id)) tokens[i] = {parts.decoder->bytes(parts.vocabulary->text(id)), true, false};
      }
      for (const AddedToken& token : parts.added_tokens) {
        if (token.id >= tokens.size()) tokens.resize(std::size_t{token.id} + 1);
        tokens[token.id] = {parts.decoder->bytes(token.content), true, token.special};
        added_ids.emplace(token.content, token.id);
        if (token.special && ends_text(token.content)) end_of_text_ids.push_back(token.id);
      }
      std::sort(end_of_text_ids.begin(), end_of_text_ids.end());
    }

    [[nodiscard]] static AddedTokenSplitter added(const TokenizerParts& parts, bool normalized) {
      std::vector<AddedToken> tokens;
      std::copy_if(parts.added_tokens.begin(), parts.added_tokens.end(), std::back_inserter(tokens),
                   [&](const AddedToken& token) { return token.normalized == normalized; });
      return AddedTokenSplitter(std::move(tokens));
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
    AddedTokenSplitter plain_added;                           // looked for in the text as it is
    AddedTokenSplitter normalized_added;                      // looked for in what normalizers made of the rest
    std::vector<Token> tokens;                                // by id
    std::unordered_map<std::string_view, TokenId> added_ids;  // borrows from parts
    std::vector<TokenId> end_of_text_ids;
  };

  std::shared_ptr<const State> state_;
};

}  // namespace trine::inline TRINE_ABI
