// SPDX-License-Identifier: Apache-2.0
// Normalizers: steps that change a text before it is cut. Unicode's own are in unicode_normalization.hpp.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <trine/core/abi.hpp>
#include <trine/core/error.hpp>
#include <trine/text/tokenizer/regex.hpp>
#include <trine/text/unicode/unicode_categories.hpp>
#include <trine/text/unicode/utf8.hpp>

namespace trine::inline TRINE_ABI {

/// Const and thread-safe. Any bytes in: bytes that are not UTF-8 stay as they are.
class Normalizer {
 public:
  Normalizer() = default;
  Normalizer(const Normalizer&) = delete;
  Normalizer& operator=(const Normalizer&) = delete;
  virtual ~Normalizer() = default;

  /// Throws TokenizerError when the result would be out of proportion to `text`.
  [[nodiscard]] virtual std::string apply(std::string text) const = 0;
};

using Normalizers = std::vector<std::unique_ptr<const Normalizer>>;

namespace detail {

/// Throws TokenizerError when `given` bytes became more than steps that are meant well make of them.
inline void require_proportion(const char* place, std::size_t given, std::size_t found) {
  const std::size_t most = 4096 + 64 * given;
  if (found <= most) return;
  throw TokenizerError(
      std::string(place) + ": expected at most " + std::to_string(most) + " bytes, found " + std::to_string(found),
      {ErrorKind::does_not_fit});
}

}  // namespace detail

/// One step after the other. Throws TokenizerError when the text grows out of proportion, as hostile files may ask for.
[[nodiscard]] inline std::string normalize(const Normalizers& steps, std::string text) {
  const std::size_t given = text.size();
  for (const auto& step : steps) {
    text = step->apply(std::move(text));
    detail::require_proportion("normalizer", given, text.size());
  }
  return text;
}

/// Puts a text in front of every text that is not empty.
class PrependNormalizer final : public Normalizer {
 public:
  explicit PrependNormalizer(std::string prefix) : prefix_(std::move(prefix)) {}
  [[nodiscard]] std::string apply(std::string text) const override {
    return text.empty() ? text : text.insert(0, prefix_);
  }

 private:
  std::string prefix_;
};

/// Replaces each match of a pattern. Also a step of decoders.
class ReplaceNormalizer final : public Normalizer {
 public:
  ReplaceNormalizer(std::unique_ptr<const Regex> pattern, std::string content)
      : pattern_(std::move(pattern)), content_(std::move(content)) {}

  [[nodiscard]] std::string apply(std::string text) const override {
    const std::vector<Regex::Match> matches = pattern_->find_all(text);
    if (matches.empty()) return text;
    if (matches.size() * content_.size() > 16 * text.size() + 256) {
      throw TokenizerError("replacement " + in_quotes(content_) + ": expected at most 16 bytes for each byte of a text",
                           {ErrorKind::does_not_fit});
    }
    std::string result;
    std::size_t done = 0;
    for (const Regex::Match& match : matches) {
      result.append(text, done, match.begin - done).append(content_);
      done = match.end;
    }
    return result.append(text, done);
  }

 private:
  std::unique_ptr<const Regex> pattern_;
  std::string content_;
};

/// Removes the white space at the ends of a text.
class StripNormalizer final : public Normalizer {
 public:
  StripNormalizer(bool left, bool right) : left_(left), right_(right) {}

  [[nodiscard]] std::string apply(std::string text) const override {
    std::string_view rest = text;
    const auto takes = [&](const Utf8Step& step) {
      return step.status == Utf8Status::valid && is_space(step.code_point);
    };
    while (left_ && !rest.empty() && takes(decode_utf8(rest))) rest.remove_prefix(decode_utf8(rest).bytes);
    while (right_ && !rest.empty() && takes(decode_last_utf8(rest))) rest.remove_suffix(decode_last_utf8(rest).bytes);
    return std::string(rest);
  }

 private:
  bool left_;
  bool right_;
};

}  // namespace trine::inline TRINE_ABI
