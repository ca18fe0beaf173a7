// SPDX-License-Identifier: Apache-2.0
// When generation ends, and what of its text may be shown before that is known.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <trine/core/abi.hpp>
#include <trine/core/error.hpp>
#include <trine/core/token_id.hpp>
#include <trine/text/unicode/utf8.hpp>

namespace trine::inline TRINE_ABI {

/// Why a generation ended.
enum class FinishReason : std::uint8_t {
  length,        ///< as many tokens as were asked for
  eos,           ///< the model ended the text
  stop_string,   ///< a stop string occurred; it is not shown
  context_full,  ///< the context has no room for another token
  cancelled,     ///< the caller asked for the end; the session stays usable, unlike after a CancelledError
};

/// The name of the enumerator, such as "stop_string".
[[nodiscard]] constexpr std::string_view to_string(FinishReason reason) noexcept {
  switch (reason) {
    case FinishReason::length:
      return "length";
    case FinishReason::eos:
      return "eos";
    case FinishReason::stop_string:
      return "stop_string";
    case FinishReason::context_full:
      return "context_full";
    case FinishReason::cancelled:
      return "cancelled";
  }
  return "?";
}

/// A token that is not shown in the text, by whose name stop strings can match it.
struct HiddenToken {
  TokenId id = 0;    ///< of the token
  std::string name;  ///< as stop strings spell it: "<|im_end|>"
};

/// Finds the first of several strings in a text that comes in parts, and holds back what could be the beginning of one.
/// Knuth, Morris & Pratt, "Fast Pattern Matching in Strings", SIAM J. Comput. 6(2), 1977. Results do not depend on how
/// the text is cut. A string with names of hidden tokens in it matches these tokens, and the same text in letters;
/// strings without match as if hidden tokens were not there.
class StopStringMatcher {
 public:
  /// Throws InputError unless each string is valid UTF-8 and not empty.
  explicit StopStringMatcher(const std::vector<std::string>& strings, std::span<const HiddenToken> hidden = {}) {
    for (const std::string& text : strings) {
      if (text.empty() || !is_valid_utf8(text)) {
        throw InputError("stop string: expected valid UTF-8 that is not empty, found " + in_quotes(text),
                         {.field = "stop string"});
      }
      patterns_.emplace_back(symbols_of(text, {}));
      std::vector<Symbol> with_tokens = symbols_of(text, hidden);
      if (with_tokens.size() < text.size()) patterns_.emplace_back(std::move(with_tokens));
    }
  }

  /// What a part of the text leads to.
  struct Result {
    std::string text;      ///< to show now
    bool stopped = false;  ///< a stop string was completed; what follows it is dropped
  };

  /// The next part. The first string to be complete wins; among those complete at once, the longest.
  [[nodiscard]] Result push(std::string_view part) {
    Result result;
    result.text = std::exchange(held_, {});
    for (const char byte : part) {
      result.text += byte;
      if (advance(symbol(byte), result)) return result;
    }
    hold_back(result);
    return result;
  }

  /// The same for a token that is not shown.
  [[nodiscard]] Result push_hidden(TokenId id) {
    Result result;
    result.text = std::exchange(held_, {});
    if (!advance(symbol(id), result)) hold_back(result);
    return result;
  }

  /// What was held back, when nothing more comes. Ready for another text then.
  [[nodiscard]] std::string flush() {
    reset();
    return std::exchange(held_, {});
  }

 private:
  using Symbol = std::uint64_t;  // a byte, or 256 + the id of a hidden token
  static constexpr Symbol kBytes = 256;

  [[nodiscard]] static Symbol symbol(char byte) noexcept { return static_cast<unsigned char>(byte); }
  [[nodiscard]] static Symbol symbol(TokenId id) noexcept { return kBytes + id; }

  // `text` with the longest names of hidden tokens, from left to right, as these tokens.
  [[nodiscard]] static std::vector<Symbol> symbols_of(std::string_view text, std::span<const HiddenToken> hidden) {
    std::vector<Symbol> symbols;
    while (!text.empty()) {
      const HiddenToken* longest = nullptr;
      for (const HiddenToken& token : hidden)
        if (!token.name.empty() && text.starts_with(token.name) &&
            (longest == nullptr || token.name.size() > longest->name.size()))
          longest = &token;
      symbols.push_back(longest != nullptr ? symbol(longest->id) : symbol(text.front()));
      text.remove_prefix(longest != nullptr ? longest->name.size() : 1);
    }
    return symbols;
  }

  struct Pattern {
    explicit Pattern(std::vector<Symbol> from)
        : symbols(std::move(from)), fallback(symbols.size() + 1, 0), shown(symbols.size() + 1, 0) {
      for (std::size_t i = 0; i < symbols.size(); ++i) shown[i + 1] = shown[i] + (symbols[i] < kBytes ? 1U : 0U);
      for (std::size_t i = 1; i < symbols.size(); ++i) {
        std::size_t length = fallback[i];
        while (length > 0 && symbols[i] != symbols[length]) length = fallback[length];
        fallback[i + 1] = symbols[i] == symbols[length] ? length + 1 : 0;
      }
    }

    /// Returns whether the string is complete with this symbol.
    [[nodiscard]] bool advance(Symbol next) {
      if (next >= kBytes && shown.back() == symbols.size()) return false;  // knows no hidden tokens
      while (matched > 0 && symbols[matched] != next) matched = fallback[matched];
      if (symbols[matched] == next) ++matched;
      return matched == symbols.size();
    }

    std::vector<Symbol> symbols;
    std::vector<std::size_t> fallback;  // [n]: the longest beginning, shorter than n, that the first n symbols end with
    std::vector<std::size_t> shown;     // [n]: how many of the first n symbols are bytes
    std::size_t matched = 0;            // how many symbols the text so far ends with
  };

  // Takes the longest string that is complete with `next` from the end of the text. Is there one?
  [[nodiscard]] bool advance(Symbol next, Result& result) {
    std::size_t shown = 0;
    for (Pattern& pattern : patterns_) {
      if (!pattern.advance(next)) continue;
      result.stopped = true;
      shown = std::max(shown, pattern.shown.back());
    }
    if (!result.stopped) return false;
    result.text.erase(result.text.size() - shown);
    reset();
    return true;
  }
  // Keeps what could be the beginning of a string.
  void hold_back(Result& result) {
    std::size_t shown = 0;
    for (const Pattern& pattern : patterns_) shown = std::max(shown, pattern.shown[pattern.matched]);
    held_ = result.text.substr(result.text.size() - shown);
    result.text.erase(result.text.size() - shown);
  }

  void reset() {
    for (Pattern& pattern : patterns_) pattern.matched = 0;
  }

  std::vector<Pattern> patterns_;
  std::string held_;
};

/// What ends a generation.
struct StopOptions {
  std::size_t max_new_tokens = std::numeric_limits<std::size_t>::max();  ///< tokens that are sampled, at most
  std::vector<TokenId> eos_token_ids = {};                               ///< any of them ends the text
  std::vector<std::string> stop_strings = {};                            ///< the text ends before the first of them
  std::vector<HiddenToken> hidden_tokens = {};  ///< that stop strings may name; push() gets them with an empty text
};

/// Watches one generation. For each token: push(id, detokenizer.push(id)) until a reason is given; the text is all to
/// show. At max_new_tokens, or when the caller ends earlier, flush(detokenizer.flush()) gives the rest.
class StopConditions {
 public:
  /// What one token leads to.
  struct Step {
    std::string text;                                   ///< to show now
    std::optional<FinishReason> reason = std::nullopt;  ///< length, eos or stop_string; none: not at the end
  };

  /// Throws InputError: see StopStringMatcher.
  explicit StopConditions(StopOptions options)
      : max_new_tokens_(options.max_new_tokens),
        eos_token_ids_(std::move(options.eos_token_ids)),
        strings_(options.stop_strings, options.hidden_tokens) {
    std::sort(eos_token_ids_.begin(), eos_token_ids_.end());
    for (const HiddenToken& token : options.hidden_tokens) hidden_.push_back(token.id);
    std::sort(hidden_.begin(), hidden_.end());
  }

  /// One generated token and its text. The text of an end token is not shown, but all that was held back is. An end
  /// token counts before a stop string, and that before the number of tokens.
  [[nodiscard]] Step push(TokenId id, std::string_view text) {
    ++tokens_;
    if (std::binary_search(eos_token_ids_.begin(), eos_token_ids_.end(), id))
      return {strings_.flush(), FinishReason::eos};
    const bool hidden = text.empty() && std::binary_search(hidden_.begin(), hidden_.end(), id);
    StopStringMatcher::Result result = hidden ? strings_.push_hidden(id) : strings_.push(text);
    if (result.stopped) return {std::move(result.text), FinishReason::stop_string};
    if (tokens_ >= max_new_tokens_) return {std::move(result.text), FinishReason::length};
    return {std::move(result.text)};
  }

  /// The end without a stop string: `tail`, and all that was held back. A stop string may still be completed by `tail`.
  [[nodiscard]] Step flush(std::string_view tail = {}) {
    StopStringMatcher::Result result = strings_.push(tail);
    if (result.stopped) return {std::move(result.text), FinishReason::stop_string};
    return {result.text + strings_.flush()};
  }

  /// How many tokens were pushed.
  [[nodiscard]] std::size_t tokens() const noexcept { return tokens_; }

 private:
  std::size_t max_new_tokens_;
  std::vector<TokenId> eos_token_ids_;
  StopStringMatcher strings_;
  std::vector<TokenId> hidden_;
  std::size_t tokens_ = 0;
};

}  // namespace trine::inline TRINE_ABI
