// SPDX-License-Identifier: Apache-2.0
// Reads the steps around the model in a Hugging Face tokenizer.json: normalizer, pre_tokenizer and decoder.
#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <trine/core/error.hpp>
#include <trine/json/object_reader.hpp>
#include <trine/json/parse.hpp>
#include <trine/text/tokenizer/character_splits.hpp>
#include <trine/text/tokenizer/decoder.hpp>
#include <trine/text/tokenizer/metaspace.hpp>
#include <trine/text/tokenizer/normalizer.hpp>
#include <trine/text/tokenizer/pre_tokenizer.hpp>
#include <trine/text/tokenizer/regex.hpp>
#include <trine/text/tokenizer/split.hpp>
#include <trine/text/tokenizer/tokenizer_parts.hpp>
#include <trine/text/unicode/punctuation.hpp>
#include <trine/text/unicode/unicode_normalization.hpp>

namespace trine::inline TRINE_ABI::detail {

/// Fills the steps of a TokenizerParts. Errors are ConfigError, "file: field: expected ..., found ...".
class HfComponentReader {
 public:
  /// Borrows all three.
  HfComponentReader(const std::string& source_name, const RegexCompiler& compile, TokenizerParts& parts)
      : source_name_(source_name), compile_(compile), parts_(parts) {}

  /// Does the model see bytes, and write them in the byte-level alphabet? Otherwise it sees characters.
  [[nodiscard]] bool model_sees_bytes() const noexcept { return bytes_; }

  /// Makes characters of the bytes that the model would see.
  void write_alphabet() {
    if (std::exchange(bytes_, false)) parts_.pre_tokenizers.push_back(std::make_unique<ByteAlphabetPreTokenizer>());
  }

  void read_normalizer(const Json& json) {
    for_each_step(json, "normalizer", "normalizers",
                  [&](ObjectReader& reader, const std::string& type, const std::string& path) {
                    require_few(parts_.normalizers.size(), path);
                    parts_.normalizers.push_back(normalizer(reader, type));
                    reader.reject_unknown_keys();
                  });
  }

  void read_pre_tokenizer(const Json& json) {
    for_each_step(json, "pre_tokenizer", "pretokenizers",
                  [&](ObjectReader& reader, const std::string& type, const std::string& path) {
                    require_few(parts_.pre_tokenizers.size(), path);
                    write_alphabet();
                    parts_.pre_tokenizers.push_back(pre_tokenizer(reader, type));
                    reader.reject_unknown_keys();
                  });
  }

  void read_decoder(const Json& json) {
    CharacterDecoder::Steps steps;
    Stage stage = Stage::none;
    for_each_step(json, "decoder", "decoders",
                  [&](ObjectReader& reader, const std::string& type, const std::string& path) {
                    if (stage == Stage::bytes)
                      fail(path, "expected no step after \"ByteLevel\"", ErrorKind::unsupported);
                    require_few(steps.on_tokens.size() + steps.on_items.size() + steps.on_text.size(), path);
                    stage = read_decoder_step(reader, type, stage, steps);
                    reader.reject_unknown_keys();
                  });
    if (stage == Stage::none) fail("decoder", "expected a step, found none");
    if (byte_level_ != (stage == Stage::bytes)) {
      fail("decoder", byte_level_ ? "expected \"ByteLevel\", as in pre_tokenizer, found another"
                                  : "expected a step \"ByteLevel\" in pre_tokenizer, too, found none");
    }
    if (stage == Stage::bytes) {
      parts_.decoder = std::make_unique<ByteLevelDecoder>();
    } else {
      parts_.decoder = std::make_unique<CharacterDecoder>(std::move(steps));
    }
  }

  /// Calls visit(reader, type, path) for a component, or for each of a "Sequence" of them, which may be nested (the
  /// JSON parser limits how deeply).
  template <class Visit>
  void for_each_step(const Json& component, const std::string& path, std::string_view list_key,
                     const Visit& visit) const {
    ObjectReader reader(component, source_name_, path);
    const std::string type = reader.string("type");
    if (type != "Sequence") return visit(reader, type, path);
    const Json& steps = reader.at(list_key);
    if (!steps.is_array()) reader.fail(list_key, "a list", steps);
    reader.reject_unknown_keys();
    for (std::size_t i = 0; i < steps.size(); ++i) {
      for_each_step(steps[i], path + "." + std::string(list_key) + "[" + std::to_string(i) + "]", list_key, visit);
    }
  }

  /// "ByteLevel" where its settings change nothing that matters here.
  static void ignore_byte_level_fields(ObjectReader& reader) {
    for (const std::string_view key : {"add_prefix_space", "trim_offsets", "use_regex"}) {
      static_cast<void>(reader.boolean_or(key, true));
    }
    reader.reject_unknown_keys();
  }

 private:
  static constexpr std::size_t kMaxSteps = 32;
  static constexpr std::size_t kMaxContent = 64;

  [[noreturn]] void fail(const std::string& field, const std::string& problem,
                         ErrorKind kind = ErrorKind::damaged) const {
    throw ConfigError(source_name_ + ": " + field + ": " + problem, {kind, source_name_, field});
  }
  void require_few(std::size_t steps, const std::string& path) const {
    if (steps >= kMaxSteps)
      fail(path, "expected at most " + std::to_string(kMaxSteps) + " steps, found more", ErrorKind::does_not_fit);
  }

  // ---- fields

  /// {"String": "x"} or {"Regex": "x"}
  [[nodiscard]] std::unique_ptr<const Regex> pattern(ObjectReader& reader) const {
    ObjectReader choice = reader.object("pattern");
    const bool is_text = choice.has("String");
    const std::string_view key = is_text ? "String" : "Regex";
    std::string text = choice.string(key);
    choice.reject_unknown_keys();
    if (is_text) {
      if (text.empty()) choice.fail(key, "expected a text that is not empty");
      return std::make_unique<LiteralPattern>(std::move(text));
    }
    if (text == Gpt2Pattern::kText) return std::make_unique<Gpt2Pattern>();
    if (!compile_) {
      choice.fail(key,
                  "no engine for regular expressions; link trine::pcre2 and give trine::pcre2_regex of "
                  "trine/text/tokenizer/pcre2_regex.hpp to Tokenizer::load",
                  ErrorKind::unsupported);
    }
    try {
      return compile_(text);
    } catch (const TokenizerError& error) {
      choice.fail(key, error.what(), error.kind());
    }
  }

  /// A text that takes the place of others.
  [[nodiscard]] static std::string content(ObjectReader& reader, std::string_view key) {
    std::string text = reader.string(key);
    if (text.size() > kMaxContent) {
      reader.fail(key,
                  "expected at most " + std::to_string(kMaxContent) + " bytes, found " + std::to_string(text.size()));
    }
    return text;
  }

  [[nodiscard]] static std::string character(ObjectReader& reader, std::string_view key) {
    const std::string text = reader.string(key);
    if (text.empty() || decode_utf8(text).bytes != text.size()) reader.fail(key, "one character", reader.at(key));
    return text;
  }

  /// Older files have only "add_prefix_space", which newer ones repeat.
  [[nodiscard]] static PrependScheme prepend_scheme(ObjectReader& reader) {
    const bool adds = reader.boolean_or("add_prefix_space", true);
    if (!reader.has("prepend_scheme")) return adds ? PrependScheme::always : PrependScheme::never;
    const auto scheme = reader.choice<PrependScheme>(
        "prepend_scheme",
        {{"always", PrependScheme::always}, {"first", PrependScheme::first}, {"never", PrependScheme::never}});
    if (!adds && scheme != PrependScheme::never) {
      reader.fail("prepend_scheme", "\"never\", since add_prefix_space is false", reader.at("prepend_scheme"));
    }
    return scheme;
  }

  // ---- normalizer

  [[nodiscard]] std::unique_ptr<const Normalizer> normalizer(ObjectReader& reader, const std::string& type) {
    if (type == "NFC") return std::make_unique<UnicodeNormalizer>(NormalizationForm::nfc);
    if (type == "NFD") return std::make_unique<UnicodeNormalizer>(NormalizationForm::nfd);
    if (type == "NFKC") return std::make_unique<UnicodeNormalizer>(NormalizationForm::nfkc);
    if (type == "NFKD") return std::make_unique<UnicodeNormalizer>(NormalizationForm::nfkd);
    if (type == "Prepend") return std::make_unique<PrependNormalizer>(content(reader, "prepend"));
    may_remove_beginning_ = may_remove_beginning_ || type == "Replace" || type == "Strip";
    if (type == "Replace") return replacement(reader);
    if (type == "Strip") {
      const bool left = reader.boolean("strip_left");
      return std::make_unique<StripNormalizer>(left, reader.boolean("strip_right"));
    }
    reader.fail("type",
                "one of \"NFC\", \"NFD\", \"NFKC\", \"NFKD\", \"Prepend\", \"Replace\", \"Strip\", \"Sequence\"",
                reader.at("type"), ErrorKind::unsupported);
  }

  [[nodiscard]] std::unique_ptr<const Normalizer> replacement(ObjectReader& reader) const {
    std::unique_ptr<const Regex> from = pattern(reader);
    return std::make_unique<ReplaceNormalizer>(std::move(from), content(reader, "content"));
  }

  // ---- pre_tokenizer

  [[nodiscard]] std::unique_ptr<const PreTokenizer> pre_tokenizer(ObjectReader& reader, const std::string& type) {
    if (type == "ByteLevel") {
      byte_level_ = true;
      bytes_ = true;
      const bool add_prefix_space = reader.boolean("add_prefix_space");
      static_cast<void>(reader.boolean_or("trim_offsets", true));  // changes offsets only
      return std::make_unique<ByteLevelPreTokenizer>(add_prefix_space, reader.boolean_or("use_regex", true));
    }
    if (type == "Split") {
      std::unique_ptr<const Regex> at = pattern(reader);
      const SplitBehavior behavior = split_behavior(reader);
      return std::make_unique<SplitPreTokenizer>(std::move(at), behavior, reader.boolean("invert"));
    }
    if (type == "Punctuation") {
      const SplitBehavior behavior = reader.has("behavior") ? split_behavior(reader) : SplitBehavior::isolated;
      return std::make_unique<SplitPreTokenizer>(std::make_unique<PunctuationPattern>(), behavior, false);
    }
    if (type == "Metaspace") {
      static_cast<void>(reader.has("str_rep"));  // old files repeat the replacement
      const PrependScheme scheme = prepend_scheme(reader);
      if (scheme == PrependScheme::first && may_remove_beginning_) {
        reader.fail("prepend_scheme", "\"first\" is not supported behind a normalizer \"Replace\" or \"Strip\"",
                    ErrorKind::unsupported);
      }
      return std::make_unique<MetaspacePreTokenizer>(character(reader, "replacement"), scheme,
                                                     reader.boolean_or("split", true));
    }
    if (type == "Digits") {
      return split(reader.boolean("individual_digits") ? CharacterSplit::individual_digits : CharacterSplit::digits);
    }
    if (type == "Whitespace") return split(CharacterSplit::whitespace);
    if (type == "WhitespaceSplit") return split(CharacterSplit::whitespace_split);
    reader.fail("type",
                "one of \"ByteLevel\", \"Digits\", \"Metaspace\", \"Punctuation\", \"Split\", \"Whitespace\", "
                "\"WhitespaceSplit\", \"Sequence\"",
                reader.at("type"), ErrorKind::unsupported);
  }

  [[nodiscard]] static SplitBehavior split_behavior(ObjectReader& reader) {
    return reader.choice<SplitBehavior>("behavior", {{"Removed", SplitBehavior::removed},
                                                     {"Isolated", SplitBehavior::isolated},
                                                     {"MergedWithPrevious", SplitBehavior::merged_with_previous},
                                                     {"MergedWithNext", SplitBehavior::merged_with_next},
                                                     {"Contiguous", SplitBehavior::contiguous}});
  }

  [[nodiscard]] static std::unique_ptr<const PreTokenizer> split(CharacterSplit how) {
    return std::make_unique<CharacterSplitPreTokenizer>(how);
  }

  // ---- decoder

  // What the next decoder works on: tokens, runs of bytes as characters, all as one text. "ByteLevel" stands alone.
  enum class Stage : std::uint8_t { none, tokens, items, text, bytes };

  [[nodiscard]] Stage read_decoder_step(ObjectReader& reader, const std::string& type, Stage stage,
                                        CharacterDecoder::Steps& steps) const {
    if (type == "ByteLevel") {
      if (stage != Stage::none)
        reader.fail("type", "expected no other step before \"ByteLevel\"", ErrorKind::unsupported);
      ignore_byte_level_fields(reader);
      return Stage::bytes;
    }
    if (type == "Fuse") return Stage::text;
    if (type == "ByteFallback") {
      if (stage > Stage::tokens)
        reader.fail("type", "expected no \"ByteFallback\" or \"Fuse\" before \"ByteFallback\", found one",
                    ErrorKind::unsupported);
      steps.byte_fallback = true;
      return Stage::items;
    }
    (stage == Stage::text    ? steps.on_text
     : stage == Stage::items ? steps.on_items
                             : steps.on_tokens)
        .push_back(decode_step(reader, type));
    return std::max(stage, Stage::tokens);
  }

  [[nodiscard]] DecodeStep decode_step(ObjectReader& reader, const std::string& type) const {
    if (type == "Replace") {
      const bool by_character = replaces_one_character(reader);
      return {DecodeStep::Replace{replacement(reader), by_character}};
    }
    if (type == "Metaspace") {
      static_cast<void>(reader.has("str_rep"));
      static_cast<void>(reader.boolean_or("split", true));
      const PrependScheme scheme = prepend_scheme(reader);
      return {DecodeStep::Metaspace{character(reader, "replacement"), scheme != PrependScheme::never}};
    }
    if (type == "Strip") {
      const auto count = [&](std::string_view key) { return static_cast<std::size_t>(reader.integer(key, 0, 1024)); };
      return {DecodeStep::Strip{character(reader, "content"), count("start"), count("stop")}};
    }
    reader.fail("type",
                "one of \"ByteFallback\", \"ByteLevel\", \"Fuse\", \"Metaspace\", \"Replace\", \"Strip\", \"Sequence\"",
                reader.at("type"), ErrorKind::unsupported);
  }

  [[nodiscard]] static bool replaces_one_character(ObjectReader& reader) {
    ObjectReader pattern = reader.object("pattern");
    if (!pattern.has("String")) return false;
    const std::string text = pattern.string("String");
    return !text.empty() && decode_utf8(text).bytes == text.size();
  }

  const std::string& source_name_;
  const RegexCompiler& compile_;
  TokenizerParts& parts_;
  bool byte_level_ = false;            // there is a pre-tokenizer "ByteLevel"
  bool bytes_ = false;                 // and what follows still sees the bytes
  bool may_remove_beginning_ = false;  // so that no piece begins where the text began: Metaspace would have to know
};

}  // namespace trine::inline TRINE_ABI::detail
