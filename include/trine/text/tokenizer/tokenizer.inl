// SPDX-License-Identifier: Apache-2.0
// The definitions of text/tokenizer/tokenizer.hpp.
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
#include <trine/text/tokenizer/gguf_tokenizer.hpp>
#include <trine/text/tokenizer/hf_tokenizer_json.hpp>
#include <trine/text/tokenizer/normalizer.hpp>
#include <trine/text/tokenizer/regex.hpp>
#include <trine/text/tokenizer/tokenizer.hpp>
#include <trine/text/tokenizer/tokenizer_config.hpp>
#include <trine/text/tokenizer/tokenizer_parts.hpp>
#include <trine/text/unicode/utf8.hpp>
#include <trine/weights/gguf.hpp>

namespace trine::inline TRINE_ABI {

struct Tokenizer::State {
  struct Token {
    std::string_view text;  // as the vocabulary writes it
    DecodedToken decoded;   // where it does not begin a text
    bool exists = false;
    bool special = false;
  };

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
    for (const TokenId id : parts.eos_token_ids) add_end_of_text(id);
    std::sort(eos_token_ids.begin(), eos_token_ids.end());
  }

  [[nodiscard]] Token token(std::string_view text, bool special) const {
    return {text, parts.decoder->decode(text, false), true, special};
  }

  void add_end_of_text(const std::optional<std::string>& eos) {
    if (!eos) return;
    const auto added = added_ids.find(*eos);
    const auto id = added != added_ids.end() ? added->second : parts.vocabulary->find(*eos);
    if (id) add_end_of_text(*id);
  }

  void add_end_of_text(TokenId id) {
    if (std::ranges::find(eos_token_ids, id) == eos_token_ids.end()) eos_token_ids.push_back(id);
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

TRINE_DECL Tokenizer Tokenizer::load(const std::filesystem::path& model_directory_or_file,
                                     const TokenizerOptions& options) {
  if (is_gguf(model_directory_or_file)) {
    return Tokenizer(read_gguf_tokenizer(GgufFile(model_directory_or_file).metadata(), options.regex));
  }
  std::error_code ignored;
  if (!std::filesystem::is_directory(model_directory_or_file, ignored)) {
    return Tokenizer(read_hf_tokenizer_json(model_directory_or_file, options.regex));
  }
  TokenizerParts parts = read_hf_tokenizer_json(model_directory_or_file / "tokenizer.json", options.regex);
  parts.config = read_tokenizer_config(model_directory_or_file);
  return Tokenizer(std::move(parts));
}

TRINE_DECL Tokenizer::Tokenizer(TokenizerParts parts) : state_(std::make_shared<const State>(std::move(parts))) {}

TRINE_DECL std::vector<TokenId> Tokenizer::encode(std::string_view text, EncodeOptions options) const {
  if (options.replace_invalid_utf8 && options.untrusted.empty() && !is_valid_utf8(text)) {
    options.replace_invalid_utf8 = false;
    return encode(to_valid_utf8(std::string(text)), options);
  }
  std::vector<TokenId> ids;
  if (options.add_special_tokens) ids = state_->parts.prefix;
  state_->plain_added.split(
      text, options.parse_special, options.untrusted, [&](std::optional<TokenId> token, std::string_view part) {
        if (token) return ids.push_back(*token);
        const auto begin = static_cast<std::size_t>(part.data() - text.data());
        const ByteRange range{begin, begin + part.size()};
        std::vector<ByteRange> untrusted;
        if (overlaps(range, options.untrusted)) untrusted = within(range, options.untrusted);
        bool at_text_start = begin == 0;
        const std::string normalized = normalize(state_->parts.normalizers, std::string(part));
        // Normalizers move bytes, so the marks hold for the whole part then.
        if (!untrusted.empty() && !state_->parts.normalizers.empty()) untrusted = {{0, normalized.size()}};
        state_->normalized_added.split(normalized, options.parse_special, untrusted,
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

TRINE_DECL std::string Tokenizer::decode(std::span<const TokenId> ids, bool skip_special_tokens) const {
  std::string text;
  TextAssembler assembler(*state_->parts.decoder, true);
  for (const TokenId id : ids) {
    if (has_token(id) && !(skip_special_tokens && is_special(id))) decode_next(id, assembler, text);
  }
  assembler.flush(text);
  return text;
}

TRINE_DECL void Tokenizer::decode_next(TokenId id, TextAssembler& assembler, std::string& text) const {
  const State::Token& token = state_->tokens[id];
  if (assembler.at_start()) {
    assembler.push(state_->parts.decoder->decode(token.text, true), text);
  } else {
    assembler.push(token.decoded, text);
  }
}

TRINE_DECL const TokenDecoder& Tokenizer::decoder() const noexcept { return *state_->parts.decoder; }

TRINE_DECL std::size_t Tokenizer::vocab_size() const noexcept { return state_->tokens.size(); }

TRINE_DECL bool Tokenizer::has_token(TokenId id) const noexcept {
  return id < vocab_size() && !state_->tokens[id].text.empty();
}

TRINE_DECL bool Tokenizer::is_special(TokenId id) const noexcept {
  return id < vocab_size() && state_->tokens[id].special;
}

TRINE_DECL std::string_view Tokenizer::token_bytes(TokenId id) const {
  if (!has_token(id)) {
    throw InputError("token id: expected one of the " + std::to_string(vocab_size()) + " of the vocabulary, found " +
                         std::to_string(id),
                     {.field = "token id"});
  }
  return state_->tokens[id].decoded.bytes;
}

TRINE_DECL std::optional<TokenId> Tokenizer::id_of(std::string_view token) const {
  const auto added = state_->added_ids.find(token);
  return added != state_->added_ids.end() ? added->second : state_->parts.vocabulary->find(token);
}

TRINE_DECL const TokenizerConfig& Tokenizer::config() const noexcept { return state_->parts.config; }

TRINE_DECL std::optional<TokenId> Tokenizer::bos_token_id() const { return id_if_named(config().bos_token); }

TRINE_DECL std::optional<TokenId> Tokenizer::eos_token_id() const { return id_if_named(config().eos_token); }

TRINE_DECL std::optional<TokenId> Tokenizer::pad_token_id() const { return id_if_named(config().pad_token); }

TRINE_DECL std::span<const TokenId> Tokenizer::eos_token_ids() const noexcept { return state_->eos_token_ids; }

TRINE_DECL std::span<const TokenId> Tokenizer::prefix_ids() const noexcept { return state_->parts.prefix; }

TRINE_DECL std::span<const TokenId> Tokenizer::suffix_ids() const noexcept { return state_->parts.suffix; }

TRINE_DECL std::optional<TokenId> Tokenizer::id_if_named(const std::optional<std::string>& token) const {
  return token ? id_of(std::string_view(*token)) : std::nullopt;
}

}  // namespace trine::inline TRINE_ABI
