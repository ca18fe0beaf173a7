// SPDX-License-Identifier: Apache-2.0
// Regular expressions, as tokenizer files hold them, behind an interface: the library itself has no engine for them.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string_view>
#include <vector>

#include <trine/core/abi.hpp>

namespace trine::inline TRINE_ABI {

/// A compiled pattern, with the meaning that Oniguruma (syntax "Oniguruma", UTF-8) gives it. Const and thread-safe.
class Regex {
 public:
  /// Bytes [begin, end) of a text; may be empty.
  struct Match {
    std::size_t begin;                                            ///< first byte
    std::size_t end;                                              ///< behind the last byte
    [[nodiscard]] bool operator==(const Match&) const = default;  ///< Returns whether both are the same bytes.
  };

  Regex() = default;
  Regex(const Regex&) = delete;
  Regex& operator=(const Regex&) = delete;
  virtual ~Regex() = default;

  /// All matches in `text` from left to right: each begins where the one before it ends, or later; an empty one not
  /// right behind another match. `text` is any bytes: what is not UTF-8 is one character a byte, neither letter, nor
  /// number, nor space. Time and memory are linear in the text whatever the pattern: throws TokenizerError when that
  /// does not do.
  [[nodiscard]] virtual std::vector<Match> find_all(std::string_view text) const = 0;
};

/// Makes a pattern ready. Throws TokenizerError for what is no pattern, or is not supported.
/// trine::pcre2_regex, in trine/text/tokenizer/pcre2_regex.hpp, is one.
using RegexCompiler = std::function<std::unique_ptr<const Regex>(std::string_view pattern)>;

}  // namespace trine::inline TRINE_ABI
