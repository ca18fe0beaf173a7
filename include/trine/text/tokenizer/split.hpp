// SPDX-License-Identifier: Apache-2.0
// The pre-tokenizer "Split" of Hugging Face tokenizers: cuts a text at the matches of a pattern.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <trine/core/abi.hpp>
#include <trine/core/error.hpp>
#include <trine/text/tokenizer/pre_tokenizer.hpp>
#include <trine/text/tokenizer/regex.hpp>

namespace trine::inline TRINE_ABI {

/// A pattern that is a text, which means itself.
class LiteralPattern final : public Regex {
 public:
  /// Throws TokenizerError when `text` is empty.
  explicit LiteralPattern(std::string text) : text_(std::move(text)) {
    if (text_.empty()) throw TokenizerError("expected a pattern that is not empty");
  }

  [[nodiscard]] std::vector<Match> find_all(std::string_view text) const override {
    std::vector<Match> matches;
    for (std::size_t at = 0; (at = text.find(text_, at)) != std::string_view::npos; at += text_.size()) {
      matches.push_back({at, at + text_.size()});
    }
    return matches;
  }

 private:
  std::string text_;
};

/// What becomes of matches. Of "a--b" cut at "-":
enum class SplitBehavior : std::uint8_t {
  removed,               // a b
  isolated,              // a - - b
  merged_with_previous,  // a- - b
  merged_with_next,      // a - -b
  contiguous,            // a -- b
};

/// A part of a text that the pattern matched, or one between two of those.
struct SplitPart {
  std::size_t begin;
  std::size_t end;
  bool is_match;
};

/// All of a text of `size` bytes, in order, cut at `matches` (see Regex::find_all). Parts may be empty.
[[nodiscard]] inline std::vector<SplitPart> parts_around(const std::vector<Regex::Match>& matches, std::size_t size) {
  std::vector<SplitPart> parts;
  std::size_t done = 0;
  for (const Regex::Match& match : matches) {
    if (done < match.begin) parts.push_back({done, match.begin, false});
    parts.push_back({match.begin, match.end, true});
    done = match.end;
  }
  if (done < size) parts.push_back({done, size, false});
  return parts;
}

/// Joins or removes parts as `behavior` says. Parts may stay empty.
[[nodiscard]] inline std::vector<SplitPart> apply_behavior(std::vector<SplitPart> parts, SplitBehavior behavior) {
  std::vector<SplitPart> result;
  bool previous = false;  // was the part before this one, or in merged_with_next behind it, a match?
  const auto join = [&](const SplitPart& part, bool joins) {
    if (joins && !result.empty()) {
      result.back().begin = std::min(result.back().begin, part.begin);
      result.back().end = std::max(result.back().end, part.end);
    } else {
      result.push_back(part);
    }
    previous = part.is_match;
  };
  switch (behavior) {
    case SplitBehavior::isolated:
      return parts;
    case SplitBehavior::removed:
      parts.erase(std::remove_if(parts.begin(), parts.end(), [](const SplitPart& part) { return part.is_match; }),
                  parts.end());
      return parts;
    case SplitBehavior::contiguous:
      for (const SplitPart& part : parts) join(part, part.is_match == previous);
      return result;
    case SplitBehavior::merged_with_previous:
      for (const SplitPart& part : parts) join(part, part.is_match && !previous);
      return result;
    case SplitBehavior::merged_with_next:
      for (auto part = parts.rbegin(); part != parts.rend(); ++part) join(*part, part->is_match && !previous);
      std::reverse(result.begin(), result.end());
      return result;
  }
  return parts;
}

class SplitPreTokenizer final : public PreTokenizer {
 public:
  /// `invert`: what lies between matches counts as the matches.
  SplitPreTokenizer(std::unique_ptr<const Regex> pattern, SplitBehavior behavior, bool invert)
      : pattern_(std::move(pattern)), behavior_(behavior), invert_(invert) {}

  /// Throws TokenizerError when the pattern takes too long: see Regex.
  [[nodiscard]] Pieces apply(Pieces pieces) const override {
    return cut_pieces(pieces, [&](std::string_view piece) {
      std::vector<SplitPart> parts = parts_around(pattern_->find_all(piece), piece.size());
      if (invert_) {
        for (SplitPart& part : parts) part.is_match = !part.is_match;
      }
      return apply_behavior(std::move(parts), behavior_);
    });
  }

  /// Replaces each piece by what `cut(piece)` gives: a list of {begin, end}, ascending, of which empty ones are
  /// dropped.
  template <class Cut>
  [[nodiscard]] static Pieces cut_pieces(const Pieces& pieces, const Cut& cut) {
    Pieces result;
    result.text.reserve(pieces.text.size());
    result.at_text_start = pieces.at_text_start;
    std::size_t at = 0;
    pieces.for_each([&](std::string_view piece) {
      for (const auto& part : cut(piece)) {
        if (part.begin == part.end) continue;
        if (result.ends.empty() && at + part.begin > 0) result.at_text_start = false;
        result.text += piece.substr(part.begin, part.end - part.begin);
        result.ends.push_back(result.text.size());
      }
      at += piece.size();
    });
    return result;
  }

 private:
  std::unique_ptr<const Regex> pattern_;
  SplitBehavior behavior_;
  bool invert_;
};

}  // namespace trine::inline TRINE_ABI
