// SPDX-License-Identifier: Apache-2.0
// The step from tokens, as a vocabulary writes them, to text.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <trine/core/abi.hpp>
#include <trine/core/error.hpp>
#include <trine/text/tokenizer/byte_level.hpp>
#include <trine/text/tokenizer/normalizer.hpp>
#include <trine/text/unicode/utf8.hpp>

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

/// One of the decoders of Hugging Face tokenizers that change texts. Each works on items: tokens, or what earlier steps
/// made of them, up to the whole text as a single one.
struct DecodeStep {
  struct Replace {
    std::unique_ptr<const Normalizer> with;
    bool by_character = false;  // it replaces one character, so an item may come in parts
  };
  struct Metaspace {
    std::string replacement;   // one character, which becomes a space
    bool drops_first = false;  // in the first item it is dropped
  };
  struct Strip {
    std::string character;
    std::size_t at_start = 0;  // how many are taken from the beginning of each item, at most
    std::size_t at_end = 0;    // and from its end
  };
  std::variant<Replace, Metaspace, Strip> step;
};

/// Applies a step to items that come in parts.
class DecodeStepStream {
 public:
  /// Borrows `step`. `is_first`: the next item is the first one.
  explicit DecodeStepStream(const DecodeStep& step, bool is_first = true) : step_(&step), is_first_(is_first) {}

  /// Takes the next part of an item, whole characters, and returns what is certain; `ends`: nothing of the item
  /// follows. Throws TokenizerError when a replacement is out of proportion.
  [[nodiscard]] std::string push(std::string part, bool ends) {
    part = std::visit([&](const auto& step) { return apply(step, std::move(part), ends); }, step_->step);
    if (ends) {
      is_first_ = false;
      taken_ = 0;
      begun_ = false;
    }
    return part;
  }

 private:
  [[nodiscard]] std::string apply(const DecodeStep::Replace& step, std::string part, bool ends) {
    if (step.by_character) return step.with->apply(std::move(part));
    waiting_ += part;
    return ends ? step.with->apply(std::exchange(waiting_, {})) : std::string();
  }

  [[nodiscard]] std::string apply(const DecodeStep::Metaspace& step, const std::string& part, bool) const {
    std::string result;
    for (std::size_t done = 0; done < part.size();) {
      const std::size_t found = std::min(part.find(step.replacement, done), part.size());
      result.append(part, done, found - done);
      if (found < part.size() && !(is_first_ && step.drops_first)) result += ' ';
      done = found + step.replacement.size();
    }
    return result;
  }

  [[nodiscard]] std::string apply(const DecodeStep::Strip& step, std::string part, bool ends) {
    std::size_t begin = 0;
    while (!begun_ && taken_ < step.at_start && part.compare(begin, step.character.size(), step.character) == 0) {
      begin += step.character.size();
      ++taken_;
    }
    part.erase(0, begin);
    begun_ = begun_ || !part.empty();
    part.insert(0, std::exchange(waiting_, {}));
    std::size_t end = part.size();  // what may be the end of the item waits
    for (std::size_t i = 0; i < step.at_end && std::string_view(part).substr(0, end).ends_with(step.character); ++i)
      end -= step.character.size();
    if (!ends) waiting_ = part.substr(end);
    part.resize(end);
    return part;
  }

  const DecodeStep* step_;
  bool is_first_;
  bool begun_ = false;     // something of the item is not stripped from its beginning
  std::size_t taken_ = 0;  // characters stripped from the beginning of the item
  std::string waiting_;
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
  /// What happens to the tokens once bytes are characters; each run of partial tokens counts as one.
  [[nodiscard]] virtual std::span<const DecodeStep> item_steps() const noexcept { return {}; }
  /// What happens to the whole text.
  [[nodiscard]] virtual std::span<const DecodeStep> text_steps() const noexcept { return {}; }
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

/// What Hugging Face tokenizers does without a decoder: the tokens as the vocabulary writes them, with spaces between.
class PlainDecoder final : public TokenDecoder {
 public:
  [[nodiscard]] DecodedToken decode(std::string_view token, bool is_first) const override {
    return {(is_first ? "" : " ") + std::string(token), false};
  }
  [[nodiscard]] IllFormed ill_formed() const noexcept override { return IllFormed::each_byte; }
};

/// The decoders of SentencePiece vocabularies, in the order of the file:
///   Replace, Metaspace, Strip on each token      -> ByteFallback: "<0x0A>" to a byte
///   Replace, Metaspace, Strip on what these are  -> Fuse: all of it is one text
///   Replace, Metaspace, Strip on that text
class CharacterDecoder final : public TokenDecoder {
 public:
  struct Steps {
    std::vector<DecodeStep> on_tokens;
    bool byte_fallback = false;
    std::vector<DecodeStep> on_items;  // without byte_fallback, none
    std::vector<DecodeStep> on_text;
  };

  explicit CharacterDecoder(Steps steps) : steps_(std::move(steps)) {}

  [[nodiscard]] DecodedToken decode(std::string_view token, bool is_first) const override {
    std::string text(token);
    for (const DecodeStep& step : steps_.on_tokens) {
      text = DecodeStepStream(step, is_first).push(std::move(text), true);
      detail::require_proportion("decoder", token.size(), text.size());
    }
    if (steps_.byte_fallback) {
      if (const auto byte = byte_of(text)) return {std::string(1, static_cast<char>(*byte)), true};
    }
    return {std::move(text), false};
  }
  [[nodiscard]] IllFormed ill_formed() const noexcept override { return IllFormed::each_byte; }
  [[nodiscard]] std::span<const DecodeStep> item_steps() const noexcept override { return steps_.on_items; }
  [[nodiscard]] std::span<const DecodeStep> text_steps() const noexcept override { return steps_.on_text; }

 private:
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
  TextAssembler(const TokenDecoder& decoder, bool at_once) : ill_formed_(decoder.ill_formed()), at_once_(at_once) {
    for (const DecodeStep& step : decoder.item_steps()) on_items_.emplace_back(step);
    for (const DecodeStep& step : decoder.text_steps()) on_text_.emplace_back(step);
  }

  /// Does the next token begin the text?
  [[nodiscard]] bool at_start() const noexcept { return at_start_; }

  /// Appends to `text` what can be shown now. The beginning of a character, at most 3 bytes, waits (`at_once`: a run of
  /// partial tokens), and so does what a step of the decoder needs to see the end of. Throws TokenizerError when a
  /// replacement is out of proportion.
  void push(const DecodedToken& token, std::string& text) {
    at_start_ = false;
    if (!token.is_partial) {
      end_run(text);
      return show(token.bytes, true, text);
    }
    in_run_ = true;
    waiting_ += token.bytes;
    if (ill_formed_ == IllFormed::each_byte && at_once_) return;
    std::string shown;
    ill_formed_ == IllFormed::each_byte ? move_each_byte(shown) : move_displayable_text(waiting_, shown);
    show(std::move(shown), false, text);
  }

  /// The end: U+FFFD for what is not complete.
  void flush(std::string& text) {
    end_run(text);
    std::string last;
    apply(on_text_, last, true);
    text += last;
  }

 private:
  void end_run(std::string& text) {
    if (!std::exchange(in_run_, false)) return;
    const std::string bytes = std::exchange(waiting_, {});
    if (ill_formed_ == IllFormed::maximal_subparts || is_valid_utf8(bytes))
      return show(to_valid_utf8(bytes), true, text);
    for (std::size_t i = 0; i < bytes.size(); ++i) show(std::string(kReplacementCharacter), true, text);
  }

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

  void show(std::string part, bool ends_item, std::string& text) {
    given_ += part.size();
    apply(on_items_, part, ends_item);
    apply(on_text_, part, false);
    if (!part.empty()) given_ = 0;
    text += part;
  }

  void apply(std::vector<DecodeStepStream>& steps, std::string& part, bool ends) const {
    for (DecodeStepStream& step : steps) {
      part = step.push(std::move(part), ends);
      detail::require_proportion("decoder", given_, part.size());
    }
  }

  IllFormed ill_formed_;
  bool at_once_;
  std::vector<DecodeStepStream> on_items_, on_text_;  // borrow the steps of the decoder
  bool at_start_ = true;
  bool in_run_ = false;    // the last token was partial
  std::string waiting_;    // of its run
  std::size_t given_ = 0;  // bytes that went into the steps since the last ones that came out
};

}  // namespace trine::inline TRINE_ABI
