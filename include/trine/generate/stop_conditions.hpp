// SPDX-License-Identifier: Apache-2.0
// When generation ends, and what of its text may be shown before that is known.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <trine/core/abi.hpp>
#include <trine/core/error.hpp>
#include <trine/core/token_id.hpp>
#include <trine/text/utf8.hpp>

namespace trine::inline TRINE_ABI {

enum class StopReason : std::uint8_t {
  none,         // go on
  max_tokens,   // as many tokens as were asked for
  end_token,    // the model ended the text
  stop_string,  // a stop string occurred; it is not shown
};

/// Finds the first of several strings in a text that comes in parts, and holds back what could be the beginning of one.
/// Knuth, Morris & Pratt, "Fast Pattern Matching in Strings", SIAM J. Comput. 6(2), 1977. Results do not depend on how
/// the text is cut.
class StopStringMatcher {
 public:
  /// Throws InputError unless each string is valid UTF-8 and not empty.
  explicit StopStringMatcher(std::vector<std::string> strings) {
    for (std::string& text : strings) {
      if (text.empty() || !is_valid_utf8(text)) {
        throw InputError("stop string: expected valid UTF-8 that is not empty, found " + in_quotes(text));
      }
      patterns_.emplace_back(std::move(text));
    }
  }

  struct Result {
    std::string text;  // to show now
    bool stopped =
        false;  // a stop string was completed; what came before it was shown, what comes behind it is dropped
  };

  /// The next part. The first string to be complete wins; among those complete at once, the longest.
  [[nodiscard]] Result push(std::string_view part) {
    Result result;
    result.text = std::exchange(held_, {});
    for (const char byte : part) {
      result.text += byte;
      std::size_t found = 0;
      for (Pattern& pattern : patterns_) {
        if (pattern.advance(byte)) found = std::max(found, pattern.text.size());
      }
      if (found == 0) continue;
      result.text.erase(result.text.size() - found);
      result.stopped = true;
      reset();
      return result;
    }
    std::size_t matched = 0;
    for (const Pattern& pattern : patterns_) matched = std::max(matched, pattern.matched);
    held_ = result.text.substr(result.text.size() - matched);
    result.text.erase(result.text.size() - matched);
    return result;
  }

  /// What was held back, when nothing more comes. Ready for another text then.
  [[nodiscard]] std::string flush() {
    reset();
    return std::exchange(held_, {});
  }

 private:
  struct Pattern {
    explicit Pattern(std::string from) : text(std::move(from)), fallback(text.size() + 1, 0) {
      for (std::size_t i = 1; i < text.size(); ++i) {
        std::size_t length = fallback[i];
        while (length > 0 && text[i] != text[length]) length = fallback[length];
        fallback[i + 1] = text[i] == text[length] ? length + 1 : 0;
      }
    }

    /// Is the string complete with this byte?
    [[nodiscard]] bool advance(char byte) {
      while (matched > 0 && text[matched] != byte) matched = fallback[matched];
      if (text[matched] == byte) ++matched;
      return matched == text.size();
    }

    std::string text;
    std::vector<std::size_t> fallback;  // [n]: the longest beginning, shorter than n, that the first n bytes end with
    std::size_t matched = 0;            // how many bytes the text so far ends with
  };

  void reset() {
    for (Pattern& pattern : patterns_) pattern.matched = 0;
  }

  std::vector<Pattern> patterns_;
  std::string held_;
};

struct StopOptions {
  std::size_t max_tokens = std::numeric_limits<std::size_t>::max();
  std::vector<TokenId> end_tokens = {};
  std::vector<std::string> stop_strings = {};
};

/// Watches one generation. For each token: push(id, detokenizer.push(id)) until a reason is given; the text is all to
/// show. At max_tokens, or when the caller ends earlier, flush(detokenizer.flush()) gives the rest.
class StopConditions {
 public:
  struct Step {
    std::string text;
    StopReason reason = StopReason::none;
  };

  /// Throws InputError: see StopStringMatcher.
  explicit StopConditions(StopOptions options)
      : max_tokens_(options.max_tokens),
        end_tokens_(std::move(options.end_tokens)),
        strings_(std::move(options.stop_strings)) {
    std::sort(end_tokens_.begin(), end_tokens_.end());
  }

  /// One generated token and its text. The text of an end token is not shown, but all that was held back is. An end
  /// token counts before a stop string, and that before the number of tokens.
  [[nodiscard]] Step push(TokenId id, std::string_view text) {
    ++tokens_;
    if (std::binary_search(end_tokens_.begin(), end_tokens_.end(), id))
      return {strings_.flush(), StopReason::end_token};
    StopStringMatcher::Result result = strings_.push(text);
    if (result.stopped) return {std::move(result.text), StopReason::stop_string};
    return {std::move(result.text), tokens_ >= max_tokens_ ? StopReason::max_tokens : StopReason::none};
  }

  /// The end without a stop string: `tail`, and all that was held back. A stop string may still be completed by `tail`.
  [[nodiscard]] Step flush(std::string_view tail = {}) {
    StopStringMatcher::Result result = strings_.push(tail);
    if (result.stopped) return {std::move(result.text), StopReason::stop_string};
    return {result.text + strings_.flush(), StopReason::none};
  }

  /// How many tokens were pushed.
  [[nodiscard]] std::size_t tokens() const noexcept { return tokens_; }

 private:
  std::size_t max_tokens_;
  std::vector<TokenId> end_tokens_;
  StopStringMatcher strings_;
  std::size_t tokens_ = 0;
};

}  // namespace trine::inline TRINE_ABI
