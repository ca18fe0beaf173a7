// SPDX-License-Identifier: Apache-2.0
// The normalization forms of Unicode. Unicode Standard Annex 15, https://www.unicode.org/reports/tr15/; Hangul:
// The Unicode Standard, section 3.12.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include <trine/core/abi.hpp>
#include <trine/text/tokenizer/normalizer.hpp>
#include <trine/text/unicode/normalization_table.hpp>
#include <trine/text/unicode/utf8.hpp>

namespace trine::inline TRINE_ABI {

enum class NormalizationForm : std::uint8_t { nfc, nfd, nfkc, nfkd };

namespace detail {

// Hangul syllables are L, V and perhaps T, numbered: s = (l * kVowels + v) * kTrails + t.
struct Hangul {
  static constexpr char32_t kSyllable = 0xAC00, kLead = 0x1100, kVowel = 0x1161, kTrail = 0x11A7;
  static constexpr std::uint32_t kLeads = 19, kVowels = 21, kTrails = 28, kSyllables = kLeads * kVowels * kTrails;

  // The index of `c` among `count` characters from `first` on; `count` or more if it is none of them.
  [[nodiscard]] static constexpr std::uint32_t index(char32_t c, char32_t first) noexcept {
    return static_cast<std::uint32_t>(c - first);  // wraps below `first`
  }
};

[[nodiscard]] inline std::uint8_t combining_class(char32_t c) noexcept {
  if (c < 0x300) return 0;
  const auto run = std::upper_bound(kCombiningClasses.begin(), kCombiningClasses.end(), c,
                                    [](char32_t value, const CombiningClassRun& r) { return value < r.first; });
  return run != kCombiningClasses.begin() && c <= (run - 1)->last ? (run - 1)->combining_class : std::uint8_t{0};
}

inline void append_decomposed(char32_t c, bool compatibility, std::u32string& text) {
  const std::uint32_t syllable = Hangul::index(c, Hangul::kSyllable);
  if (c < 0xA0) {
    text += c;
  } else if (syllable < Hangul::kSyllables) {
    text += Hangul::kLead + syllable / (Hangul::kVowels * Hangul::kTrails);
    text += Hangul::kVowel + syllable / Hangul::kTrails % Hangul::kVowels;
    if (syllable % Hangul::kTrails != 0) text += Hangul::kTrail + syllable % Hangul::kTrails;
  } else {
    const auto [first, last] =
        std::equal_range(kDecompositions.begin(), kDecompositions.end(), Decomposition{c, 0, 0, 0},
                         [](const Decomposition& a, const Decomposition& b) { return a.character < b.character; });
    const auto* found = first == last ? nullptr : compatibility ? last - 1 : first;
    if (found == nullptr || (found->is_compatibility != 0 && !compatibility)) {
      text += c;
    } else {
      text.append(kDecomposed.begin() + found->begin, kDecomposed.begin() + found->begin + found->length);
    }
  }
}

/// Marks between two starters by their class; those of one class keep their order.
inline void order_marks(std::u32string& text) {
  for (std::size_t begin = 0; begin < text.size();) {
    std::size_t end = begin;
    while (end < text.size() && combining_class(text[end]) != 0) ++end;
    std::stable_sort(text.begin() + static_cast<std::ptrdiff_t>(begin), text.begin() + static_cast<std::ptrdiff_t>(end),
                     [](char32_t a, char32_t b) { return combining_class(a) < combining_class(b); });
    begin = std::max(end, begin + 1);
  }
}

/// The character that stands for two; 0 if there is none.
[[nodiscard]] inline char32_t composed(char32_t a, char32_t b) noexcept {
  const std::uint32_t lead = Hangul::index(a, Hangul::kLead);
  const std::uint32_t vowel = Hangul::index(b, Hangul::kVowel);
  if (lead < Hangul::kLeads && vowel < Hangul::kVowels) {
    return Hangul::kSyllable + (lead * Hangul::kVowels + vowel) * Hangul::kTrails;
  }
  const std::uint32_t syllable = Hangul::index(a, Hangul::kSyllable);
  const std::uint32_t trail = Hangul::index(b, Hangul::kTrail);
  if (syllable < Hangul::kSyllables && syllable % Hangul::kTrails == 0 && trail > 0 && trail < Hangul::kTrails) {
    return a + trail;
  }
  const auto found = std::lower_bound(kCompositions.begin(), kCompositions.end(), Composition{a, b, 0},
                                      [](const Composition& x, const Composition& y) {
                                        return std::tie(x.first, x.second) < std::tie(y.first, y.second);
                                      });
  return found != kCompositions.end() && found->first == a && found->second == b ? found->result : char32_t{0};
}

/// Joins each starter with what follows and is not blocked by a mark of the same or a higher class in between.
inline void compose(std::u32string& text) {
  constexpr std::size_t kNone = static_cast<std::size_t>(-1);
  std::size_t starter = kNone;
  std::size_t kept = 0;
  std::uint8_t last_class = 0;  // of what is kept behind the starter
  for (const char32_t c : text) {
    const std::uint8_t c_class = combining_class(c);
    const bool is_next = starter != kNone && starter + 1 == kept;
    if (starter != kNone && (is_next || last_class < c_class)) {
      if (const char32_t both = composed(text[starter], c)) {
        text[starter] = both;
        continue;
      }
    }
    if (c_class == 0) starter = kept;
    last_class = c_class;
    text[kept++] = c;
  }
  text.resize(kept);
}

}  // namespace detail

/// A step that brings texts into one form. Bytes that are not UTF-8 stay where they are.
class UnicodeNormalizer final : public Normalizer {
 public:
  explicit UnicodeNormalizer(NormalizationForm form) : form_(form) {}

  [[nodiscard]] std::string apply(std::string text) const override {
    const auto is_ascii = [](char c) { return static_cast<unsigned char>(c) < 0x80; };
    if (std::all_of(text.begin(), text.end(), is_ascii)) return text;
    const bool compatibility = form_ == NormalizationForm::nfkc || form_ == NormalizationForm::nfkd;
    std::u32string characters;
    characters.reserve(text.size());
    for (std::string_view rest = text; !rest.empty();) {
      const Utf8Step step = decode_utf8(rest);
      const std::size_t bytes = step.status == Utf8Status::valid ? step.bytes : 1;
      if (step.status == Utf8Status::valid) {
        detail::append_decomposed(step.code_point, compatibility, characters);
      } else {
        characters += kInvalidByte + static_cast<std::uint8_t>(rest.front());
      }
      rest.remove_prefix(bytes);
    }
    detail::order_marks(characters);
    if (form_ == NormalizationForm::nfc || form_ == NormalizationForm::nfkc) detail::compose(characters);
    return to_bytes(characters);
  }

 private:
  static constexpr char32_t kInvalidByte = 0x110000;  // + the byte: beyond Unicode, so it joins with nothing

  [[nodiscard]] static std::string to_bytes(const std::u32string& characters) {
    std::string text;
    text.reserve(characters.size());
    for (const char32_t c : characters) {
      if (c < kInvalidByte) {
        append_utf8(c, text);
      } else {
        text += static_cast<char>(static_cast<unsigned char>(c - kInvalidByte));
      }
    }
    return text;
  }

  NormalizationForm form_;
};

}  // namespace trine::inline TRINE_ABI
