// SPDX-License-Identifier: Apache-2.0
// The step from tokens, as a vocabulary writes them, to text.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <trine/core/abi.hpp>
#include <trine/core/error.hpp>
#include <trine/text/byte_level.hpp>
#include <trine/text/metaspace.hpp>
#include <trine/text/normalizer.hpp>
#include <trine/text/utf8.hpp>

namespace trine::inline TRINE_ABI {

/// What one token stands for.
struct DecodedToken {
  std::string bytes;
  bool is_partial = false;  // any bytes, often a part of a character; otherwise valid UTF-8
};

/// What becomes of partial tokens that together are not UTF-8.
enum class IllFormed : std::uint8_t {
  maximal_subparts,  // U+FFFD for each beginning of a character, as Rust's String::from_utf8_lossy
  each_byte,         // U+FFFD for each byte of a run of them
};

/// Const and thread-safe.
class TokenDecoder {
 public:
  TokenDecoder() = default;
  TokenDecoder(const TokenDecoder&) = delete;
  TokenDecoder& operator=(const TokenDecoder&) = delete;
  virtual ~TokenDecoder() = default;

  /// `is_first`: nothing is decoded before it.
  [[nodiscard]] virtual DecodedToken decode(std::string_view token, bool is_first) const = 0;
  [[nodiscard]] virtual IllFormed ill_formed() const noexcept = 0;
  /// A character that is taken from the beginning of a text, and how many times at most.
  [[nodiscard]] virtual std::string_view stripped() const noexcept { return {}; }
  [[nodiscard]] virtual std::size_t strip_count() const noexcept { return 0; }
};

/// The decoder "ByteLevel" of Hugging Face tokenizers: a token with a character outside the byte-level alphabet, such
/// as an added token with a space in it, stands for itself.
class ByteLevelDecoder final : public TokenDecoder {
 public:
  [[nodiscard]] DecodedToken decode(std::string_view token, bool) const override {
    return {from_byte_characters(token).value_or(std::string(token)), true};
  }
  [[nodiscard]] IllFormed ill_formed() const noexcept override { return IllFormed::maximal_subparts; }
};

/// The decoders of SentencePiece vocabularies, in the order in which files have them:
///   Replace, Metaspace: on each token     ByteFallback: "<0x0A>" to a byte     Fuse, Strip: on the text
class CharacterDecoder final : public TokenDecoder {
 public:
  struct Metaspace {
    std::string replacement;
    bool drops_first = false;  // replacement characters in the first token are dropped, not spaces
  };
  struct Steps {
    Normalizers replacements;
    std::optional<Metaspace> metaspace;
    bool byte_fallback = false;
    std::string stripped;  // one character, or empty
    std::size_t strip_count = 0;
  };

  explicit CharacterDecoder(Steps steps) : steps_(std::move(steps)) {}

  [[nodiscard]] DecodedToken decode(std::string_view token, bool is_first) const override {
    std::string text = normalize(steps_.replacements, std::string(token));
    if (steps_.metaspace) text = without_metaspace(text, is_first);
    if (steps_.byte_fallback) {
      if (const auto byte = byte_of(text)) return {std::string(1, static_cast<char>(*byte)), true};
    }
    return {std::move(text), false};
  }
  [[nodiscard]] IllFormed ill_formed() const noexcept override { return IllFormed::each_byte; }
  [[nodiscard]] std::string_view stripped() const noexcept override { return steps_.stripped; }
  [[nodiscard]] std::size_t strip_count() const noexcept override { return steps_.strip_count; }

 private:
  [[nodiscard]] std::string without_metaspace(std::string_view text, bool is_first) const {
    const std::string& replacement = steps_.metaspace->replacement;
    std::string result;
    while (!text.empty()) {
      if (text.starts_with(replacement)) {
        if (!is_first || !steps_.metaspace->drops_first) result += ' ';
        text.remove_prefix(replacement.size());
      } else {
        result += text.front();
        text.remove_prefix(1);
      }
    }
    return result;
  }

  // "<0x0A>", in either case.
  [[nodiscard]] static std::optional<std::uint8_t> byte_of(std::string_view token) noexcept {
    if (token.size() != 6 || !token.starts_with("<0x") || token[5] != '>') return std::nullopt;
    unsigned value = 0;
    for (const char c : token.substr(3, 2)) {
      const char lower = c >= 'A' && c <= 'F' ? static_cast<char>(c + ('a' - 'A')) : c;
      const bool is_digit = c >= '0' && c <= '9';
      if (!is_digit && (lower < 'a' || lower > 'f')) return std::nullopt;
      value = value * 16 + static_cast<unsigned>(is_digit ? c - '0' : lower - 'a' + 10);
    }
    return static_cast<std::uint8_t>(value);
  }

  Steps steps_;
};

/// Joins decoded tokens to valid UTF-8.
class TextAssembler {
 public:
  /// Borrows `decoder`. `at_once`: the whole text is assembled before any of it is shown. Only then can bytes that are
  /// not UTF-8 make the characters right before them U+FFFD, too, as IllFormed::each_byte asks for.
  TextAssembler(const TokenDecoder& decoder, bool at_once)
      : decoder_(&decoder), at_once_(at_once), strips_left_(decoder.strip_count()) {}

  /// Does the next token begin the text?
  [[nodiscard]] bool at_start() const noexcept { return at_start_; }

  /// Appends to `text` what can be shown now. The beginning of a character, at most 3 bytes, waits (`at_once`: a run of
  /// partial tokens).
  void push(const DecodedToken& token, std::string& text) {
    at_start_ = false;
    if (!token.is_partial) {
      flush(text);
      return show(token.bytes, text);
    }
    waiting_ += token.bytes;
    if (decoder_->ill_formed() == IllFormed::each_byte && at_once_) return;
    std::string shown;
    decoder_->ill_formed() == IllFormed::each_byte ? move_each_byte(shown) : move_displayable_text(waiting_, shown);
    show(shown, text);
  }

  /// The end: U+FFFD for what is not complete.
  void flush(std::string& text) {
    std::string shown;
    if (decoder_->ill_formed() == IllFormed::each_byte && !is_valid_utf8(waiting_)) {
      for (std::size_t i = 0; i < waiting_.size(); ++i) shown += kReplacementCharacter;
    } else {
      shown = to_valid_utf8(waiting_);
    }
    waiting_.clear();
    show(shown, text);
  }

 private:
  // As move_displayable_text, but U+FFFD for each byte.
  void move_each_byte(std::string& text) {
    std::string_view rest = waiting_;
    while (!rest.empty()) {
      const Utf8Step step = decode_utf8(rest);
      if (step.status == Utf8Status::incomplete) break;
      if (step.status == Utf8Status::valid) {
        text += rest.substr(0, step.bytes);
      } else {
        for (std::size_t i = 0; i < step.bytes; ++i) text += kReplacementCharacter;
      }
      rest.remove_prefix(step.bytes);
    }
    waiting_.erase(0, waiting_.size() - rest.size());
  }

  void show(std::string_view shown, std::string& text) {
    for (; strips_left_ > 0 && shown.starts_with(decoder_->stripped()); --strips_left_) {
      shown.remove_prefix(decoder_->stripped().size());
    }
    if (!shown.empty()) strips_left_ = 0;
    text += shown;
  }

  const TokenDecoder* decoder_;
  bool at_once_;
  std::size_t strips_left_;
  bool at_start_ = true;
  std::string waiting_;
};

}  // namespace trine::inline TRINE_ABI
