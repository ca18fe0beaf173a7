// SPDX-License-Identifier: Apache-2.0
// Regular expressions by PCRE2 (https://www.pcre.org), 10.39 or newer. Link trine::pcre2, which brings the library:
//
//   const auto tokenizer = trine::Tokenizer::load(directory, {.regex = trine::pcre2_regex});
//
// Not part of trine/trine.hpp, so that only those who use it need PCRE2.
#pragma once

#ifndef PCRE2_CODE_UNIT_WIDTH
#define PCRE2_CODE_UNIT_WIDTH 8
#endif
#include <pcre2.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <trine/core/abi.hpp>
#include <trine/core/error.hpp>
#include <trine/text/tokenizer/oniguruma_to_pcre2.hpp>
#include <trine/text/tokenizer/regex.hpp>
#include <trine/text/unicode/utf8.hpp>

namespace trine::inline TRINE_ABI {

/// A pattern of Oniguruma's, compiled to machine code where PCRE2 can. Const and thread-safe.
class Pcre2Regex final : public Regex {
 public:
  /// Throws TokenizerError for what is no pattern, is not supported, or is larger than a pattern need be.
  explicit Pcre2Regex(std::string_view pattern) : pattern_(pattern) {
    if (pattern.size() > kMaxPatternBytes) {
      fail("expected at most " + std::to_string(kMaxPatternBytes) + " bytes, found " + std::to_string(pattern.size()),
           ErrorKind::does_not_fit);
    }
    require_unicode_14();
    const auto [translated, repetitions] = oniguruma_to_pcre2(pattern);
    few_steps_ = static_cast<std::uint32_t>(kFewSteps / (1 + repetitions / 4));
    steps_per_byte_ = kStepsPerByte / (1 + repetitions / 16);
    const CompileContext context(::pcre2_compile_context_create_8(nullptr));
    if (!context) throw std::bad_alloc();
    ::pcre2_set_newline_8(context.get(), PCRE2_NEWLINE_LF);
    ::pcre2_set_parens_nest_limit_8(context.get(), kMaxNesting);
    constexpr std::uint32_t kOptions =
        PCRE2_UTF | PCRE2_UCP | PCRE2_NO_AUTO_CAPTURE | PCRE2_NEVER_BACKSLASH_C | PCRE2_NO_AUTO_POSSESS;
    int error = 0;
    std::size_t where = 0;
    code_.reset(::pcre2_compile_8(bytes_of(translated), translated.size(), kOptions, &error, &where, context.get()));
    if (!code_) fail(message(error));
    // Without machine code, for lack of support or of permission, the interpreter does the same.
    static_cast<void>(::pcre2_jit_compile_8(code_.get(), PCRE2_JIT_COMPLETE));
  }

  [[nodiscard]] std::vector<Match> find_all(std::string_view text) const override {
    if (is_valid_utf8(text)) return Search(*this, text).run();
    return Search(*this, with_controls_for_invalid_bytes(text)).run();
  }

 private:
  static constexpr std::size_t kMaxPatternBytes = std::size_t{1} << 14U;
  static constexpr std::uint32_t kMaxNesting = 250;
  static constexpr std::uint32_t kMaxHeapKibibytes = std::uint32_t{1} << 16U;  // for the interpreter's backtracking
  static constexpr std::uint64_t kFewSteps = 1000;
  static constexpr std::uint64_t kStepsPerByte = 64;

  template <auto free>
  struct Free {
    template <class T>
    void operator()(T* object) const noexcept {
      free(object);
    }
  };
  using Code = std::unique_ptr<::pcre2_code_8, Free<::pcre2_code_free_8>>;
  using CompileContext = std::unique_ptr<::pcre2_compile_context_8, Free<::pcre2_compile_context_free_8>>;
  using MatchContext = std::unique_ptr<::pcre2_match_context_8, Free<::pcre2_match_context_free_8>>;
  using MatchData = std::unique_ptr<::pcre2_match_data_8, Free<::pcre2_match_data_free_8>>;

  [[nodiscard]] static PCRE2_SPTR8 bytes_of(std::string_view text) noexcept {
    return reinterpret_cast<PCRE2_SPTR8>(text.data());
  }
  [[nodiscard]] static std::string message(int error) {
    std::array<PCRE2_UCHAR8, 256> text{};
    if (::pcre2_get_error_message_8(error, text.data(), text.size()) < 0) return "error " + std::to_string(error);
    return reinterpret_cast<const char*>(text.data());
  }
  [[noreturn]] void fail(const std::string& problem, ErrorKind kind = ErrorKind::damaged) const {
    throw TokenizerError("pattern " + in_quotes(pattern_) + ": " + problem, {kind});
  }

  // Newer code points are in the translated pattern; older ones have to be in PCRE2.
  static void require_unicode_14() {
    std::array<char, 64> version{};
    ::pcre2_config_8(PCRE2_CONFIG_UNICODE_VERSION, version.data());
    const std::string_view text(version.data());
    const std::size_t point = text.find('.');
    if (point < 2 || (point == 2 && text < "14")) {
      throw TokenizerError("expected PCRE2 with Unicode 14 or newer, found " + std::string(text),
                           {ErrorKind::unsupported});
    }
  }

  // One character a byte that is neither letter, number nor space: a control.
  [[nodiscard]] static std::string with_controls_for_invalid_bytes(std::string_view text) {
    std::string result;
    result.reserve(text.size());
    while (!text.empty()) {
      const Utf8Step step = decode_utf8(text);
      if (step.status == Utf8Status::valid) {
        result += text.substr(0, step.bytes);
      } else {
        result.append(step.bytes, '\x1a');
      }
      text.remove_prefix(step.bytes);
    }
    return result;
  }

  // One run over one text. PCRE2 counts how often an attempt to match at one position tries something else. Real
  // patterns need few of these steps; an attempt that needs more is made again with a higher limit, as long as all
  // those together are in proportion to the text. What PCRE2 does not count, because it does not backtrack into it, the
  // callouts of the translated pattern charge to the same budget. So the time of any pattern is linear, and a run of a
  // million spaces still matches.
  class Search {
   public:
    Search(const Pcre2Regex& regex, std::string text) : regex_(regex), owned_(std::move(text)), text_(owned_) {
      init();
    }
    Search(const Pcre2Regex& regex, std::string_view text) : regex_(regex), text_(text) { init(); }
    Search(const Search&) = delete;
    Search& operator=(const Search&) = delete;
    ~Search() = default;

    [[nodiscard]] std::vector<Match> run() {
      std::vector<Match> matches;
      std::size_t from = 0;
      while (from <= text_.size()) {
        const std::optional<Match> match = next(from);
        if (!match) break;
        if (match->begin == match->end && !matches.empty() && matches.back().end == match->end) {
          from = behind_character(match->end);
          continue;
        }
        matches.push_back(*match);
        from = match->end;
      }
      return matches;
    }

   private:
    static constexpr std::uint64_t kSomeBytes = std::uint64_t{1} << 14U;

    void init() {
      context_.reset(::pcre2_match_context_create_8(nullptr));
      data_.reset(::pcre2_match_data_create_8(1, nullptr));
      if (!context_ || !data_) throw std::bad_alloc();
      ::pcre2_set_heap_limit_8(context_.get(), kMaxHeapKibibytes);
      ::pcre2_set_callout_8(context_.get(), &Search::on_callout, this);
      budget_ = regex_.steps_per_byte_ * (text_.size() + kSomeBytes);
    }

    // (?C1) before what is not backtracked into, (?C2) behind it.
    static int on_callout(::pcre2_callout_block_8* block, void* data) noexcept {
      auto& search = *static_cast<Search*>(data);
      if (block->callout_number == 1) {
        search.watched_from_ = block->current_position;
        return 0;
      }
      const std::uint64_t steps = block->current_position - std::min(search.watched_from_, block->current_position);
      return search.spend(steps) ? 0 : PCRE2_ERROR_CALLOUT;
    }
    [[nodiscard]] bool spend(std::uint64_t steps) noexcept {
      if (budget_ < steps) return false;
      budget_ -= steps;
      return true;
    }
    [[noreturn]] void fail_slow() const {
      regex_.fail("expected at most " + std::to_string(regex_.steps_per_byte_) +
                      " steps per byte, found more in a text of " + std::to_string(text_.size()) + " bytes",
                  ErrorKind::does_not_fit);
    }

    [[nodiscard]] std::optional<Match> next(std::size_t from) {
      const int found = match(from, 0, regex_.few_steps_);
      if (found > 0) return result();
      if (found == PCRE2_ERROR_NOMATCH) return std::nullopt;
      for (std::size_t at = from; at <= text_.size(); at = behind_character(at)) {
        for (std::uint32_t limit = regex_.few_steps_;; limit *= 2) {
          const int found_here = match(at, PCRE2_ANCHORED, limit);
          if (found_here > 0) return result();
          if (found_here == PCRE2_ERROR_NOMATCH) break;
          if (limit > UINT32_MAX / 2 || !spend(limit)) fail_slow();
        }
      }
      return std::nullopt;
    }

    // > 0, PCRE2_ERROR_NOMATCH or PCRE2_ERROR_MATCHLIMIT.
    [[nodiscard]] int match(std::size_t from, std::uint32_t options, std::uint32_t limit) {
      ::pcre2_set_match_limit_8(context_.get(), limit);
      options |= PCRE2_NO_UTF_CHECK;  // checked once; PCRE2 would check all of the rest at each match
      int found = call(from, options);
      if (found == PCRE2_ERROR_JIT_STACKLIMIT) found = call(from, options | PCRE2_NO_JIT);
      if (found > 0 || found == PCRE2_ERROR_NOMATCH || found == PCRE2_ERROR_MATCHLIMIT) return found;
      if (found == PCRE2_ERROR_CALLOUT) fail_slow();
      regex_.fail(message(found));
    }
    [[nodiscard]] int call(std::size_t from, std::uint32_t options) {
      return ::pcre2_match_8(regex_.code_.get(), bytes_of(text_), text_.size(), from, options, data_.get(),
                             context_.get());
    }
    [[nodiscard]] Match result() const {
      const std::size_t* ends = ::pcre2_get_ovector_pointer_8(data_.get());
      return {ends[0], ends[1]};
    }
    [[nodiscard]] std::size_t behind_character(std::size_t at) const noexcept {
      return at < text_.size() ? at + decode_utf8(text_.substr(at)).bytes : at + 1;
    }

    const Pcre2Regex& regex_;
    std::string owned_;
    std::string_view text_;  // valid UTF-8
    MatchContext context_;
    MatchData data_;
    std::uint64_t budget_ = 0;  // steps that attempts beyond few_steps_ may still take
    std::size_t watched_from_ = 0;
  };

  std::string pattern_;
  Code code_;
  std::uint32_t few_steps_ = 0;       // of one attempt to match, allowed without further ado
  std::uint64_t steps_per_byte_ = 0;  // of all others together; fewer where one step can look at more characters
};

/// A RegexCompiler.
[[nodiscard]] inline std::unique_ptr<const Regex> pcre2_regex(std::string_view pattern) {
  return std::make_unique<Pcre2Regex>(pattern);
}

}  // namespace trine::inline TRINE_ABI
