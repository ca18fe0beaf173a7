// SPDX-License-Identifier: Apache-2.0
#include <trine/text/unicode/utf8.hpp>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "support/expect_error.hpp"

namespace trine {
namespace {

using namespace std::string_literals;

TEST(Utf8, EveryScalarValueSurvivesTheRoundTrip) {
  for (char32_t c = 0; c <= 0x10FFFF; ++c) {
    if (c == 0xD800) c = 0xE000;
    std::string text;
    append_utf8(c, text);
    const Utf8Step step = decode_utf8(text);
    ASSERT_EQ(step.status, Utf8Status::valid) << std::hex << static_cast<unsigned>(c);
    ASSERT_EQ(step.code_point, c);
    ASSERT_EQ(step.bytes, text.size());
    ASSERT_EQ(decode_last_utf8("x" + text).code_point, c);
  }
}

TEST(Utf8, WritesNoSurrogatesAndNothingBeyondUnicode) {
  std::string text;
  EXPECT_ERROR((append_utf8(0xD800, text), 0), InputError, "not a Unicode scalar value");
  EXPECT_ERROR((append_utf8(0xDFFF, text), 0), InputError, "57343");
  EXPECT_ERROR((append_utf8(0x110000, text), 0), InputError, "not a Unicode scalar value");
  EXPECT_EQ(text, "");
}

TEST(Utf8, KnowsTheEdgesOfTheTableOfWellFormedSequences) {
  struct Case {
    std::string text;
    Utf8Status status;
    std::size_t bytes;
  };
  const std::vector<Case> cases = {
      {"\x7F", Utf8Status::valid, 1},
      {"\x80", Utf8Status::invalid, 1},
      {"\xC0\x80", Utf8Status::invalid, 1},
      {"\xC1\xBF", Utf8Status::invalid, 1},
      {"\xC2\x80", Utf8Status::valid, 2},
      {"\xC2", Utf8Status::incomplete, 1},
      {"\xC2\x7F", Utf8Status::invalid, 1},
      {"\xC2\xC0", Utf8Status::invalid, 1},
      {"\xE0\x9F\x80", Utf8Status::invalid, 1},  // overlong
      {"\xE0\xA0\x80", Utf8Status::valid, 3},
      {"\xE0\xA0", Utf8Status::incomplete, 2},
      {"\xE0\xA0\x20", Utf8Status::invalid, 2},  // a maximal subpart of two bytes
      {"\xED\x9F\xBF", Utf8Status::valid, 3},
      {"\xED\xA0\x80", Utf8Status::invalid, 1},  // a surrogate
      {"\xEF\xBF\xBF", Utf8Status::valid, 3},
      {"\xF0\x8F\xBF\xBF", Utf8Status::invalid, 1},
      {"\xF0\x90\x80\x80", Utf8Status::valid, 4},
      {"\xF0\x90\x80", Utf8Status::incomplete, 3},
      {"\xF0\x90\x80\x41", Utf8Status::invalid, 3},
      {"\xF4\x8F\xBF\xBF", Utf8Status::valid, 4},
      {"\xF4\x90\x80\x80", Utf8Status::invalid, 1},  // beyond U+10FFFF
      {"\xF5\x80\x80\x80", Utf8Status::invalid, 1},
      {"\xFF", Utf8Status::invalid, 1},
  };
  for (const Case& c : cases) {
    const Utf8Step step = decode_utf8(c.text);
    EXPECT_EQ(step.status, c.status) << in_quotes(c.text);
    EXPECT_EQ(step.bytes, c.bytes) << in_quotes(c.text);
    EXPECT_EQ(is_valid_utf8(c.text), c.status == Utf8Status::valid) << in_quotes(c.text);
  }
  EXPECT_TRUE(is_valid_utf8(""));
}

TEST(Utf8, ReadsTheLastCharacterOrNone) {
  EXPECT_EQ(decode_last_utf8("a\xC3\xA9").code_point, 0xE9U);
  EXPECT_EQ(decode_last_utf8("a").code_point, U'a');
  EXPECT_EQ(decode_last_utf8("a\xC3").status, Utf8Status::invalid);
  EXPECT_EQ(decode_last_utf8("a\xA9").status, Utf8Status::invalid);
  EXPECT_EQ(decode_last_utf8("\xC3\xA9\xA9").status, Utf8Status::invalid);
}

// Expected texts are bytes.decode("utf-8", "replace") of Python 3.11, with R for U+FFFD.
TEST(Utf8, ReplacesAsPythonAndRustDo) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"abc", "abc"},
      {"\xC3\xA9", "\xC3\xA9"},
      {"\x80", "R"},
      {"\xF0\x9F\x98", "R"},      // cut: one
      {"\xF0\x9F\x98 x", "R x"},  // one for a maximal subpart
      {"\xED\xA0\x80", "RRR"},    // surrogate: one a byte
      {"\xF4\x90\x80\x80", "RRRR"},
      {"\xE2\x82\xE2\x82\xAC", "R\xE2\x82\xAC"},
      {"a\xF1\x80\x80\xE1\x80\xC2"
       "b\x80"
       "c\x80\xBF"
       "d",
       "aRRRbRcRRd"},  // from the Unicode Standard, table 3-8
  };
  for (const auto& [bytes, pattern] : cases) {
    std::string expected;
    for (const char c : pattern) c == 'R' ? expected += kReplacementCharacter : expected += c;
    EXPECT_EQ(to_valid_utf8(bytes), expected) << in_quotes(bytes);
  }
}

TEST(Utf8, HoldsAnIncompleteTailBack) {
  std::string bytes = "a\xE2\x82";
  std::string text;
  move_displayable_text(bytes, text);
  EXPECT_EQ(text, "a");
  EXPECT_EQ(bytes, "\xE2\x82");
  bytes += "\xAC!";
  move_displayable_text(bytes, text);
  EXPECT_EQ(text, "a\xE2\x82\xAC!");
  EXPECT_EQ(bytes, "");
}

}  // namespace
}  // namespace trine
