// SPDX-License-Identifier: Apache-2.0
#include <trine/text/unicode/unicode_categories.hpp>

#include <cstddef>

#include <gtest/gtest.h>

namespace trine {
namespace {

TEST(UnicodeCategories, CountsAreThoseOfUnicode16) {
  std::size_t letters = 0;
  std::size_t numbers = 0;
  std::size_t spaces = 0;
  std::size_t words = 0;
  for (char32_t c = 0; c <= 0x10FFFF; ++c) {
    letters += is_letter(c);
    numbers += is_number(c);
    spaces += is_space(c);
    words += is_word_character(c);
    ASSERT_LE(is_letter(c) + is_number(c) + is_space(c), 1) << static_cast<unsigned>(c);
  }
  EXPECT_EQ(letters, 141028U);  // general categories Lu, Ll, Lt, Lm, Lo in UnicodeData-16.0.0
  EXPECT_EQ(numbers, 1911U);    // Nd, Nl, No
  EXPECT_EQ(spaces, 25U);       // White_Space in PropList-16.0.0
  EXPECT_EQ(words, 144667U);    // what the Rust crate regex takes for \w
}

TEST(UnicodeCategories, KnowsCharactersOfEachClass) {
  for (const char32_t c : {U'a', U'Z', U'\u00e9', U'\u00aa', U'\u4e00', U'\u0434', U'\u0627', U'\U00020000'}) {
    EXPECT_TRUE(is_letter(c)) << static_cast<unsigned>(c);
  }
  for (const char32_t c : {U'0', U'9', U'\u00b2', U'\u00bd', U'\u0663', U'\u2167', U'\U0001d7ce'}) {
    EXPECT_TRUE(is_number(c)) << static_cast<unsigned>(c);
  }
  for (const char32_t c : {U' ', U'\t', U'\n', U'\v', U'\f', U'\r', char32_t{0x85}, U'\u00a0', U'\u2028', U'\u3000'}) {
    EXPECT_TRUE(is_space(c)) << static_cast<unsigned>(c);
  }
  // A combining mark, a joiner, an emoji, a zero-width space, a separator that Python's isspace has but \s has not.
  for (const char32_t c : {U'\u0301', U'\u200d', U'\U0001f600', U'\u200b', char32_t{0x1c}, U'_', U'\'', char32_t{0}}) {
    EXPECT_FALSE(is_letter(c) || is_number(c) || is_space(c)) << static_cast<unsigned>(c);
  }
  for (const char32_t c : {U'_', U'\u0301', U'\u200d', U'a', U'7'}) EXPECT_TRUE(is_word_character(c));
  for (const char32_t c : {U'-', U'.', U'\u00b2', U' '}) EXPECT_FALSE(is_word_character(c));
}

TEST(UnicodeCategories, NothingIsBeyondUnicode) {
  for (const char32_t c : {char32_t{0x110000}, char32_t{0xFFFFFFFF}, char32_t{0xD800}}) {
    EXPECT_FALSE(is_letter(c) || is_number(c) || is_space(c) || is_word_character(c));
  }
}

}  // namespace
}  // namespace trine
