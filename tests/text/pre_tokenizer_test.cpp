// SPDX-License-Identifier: Apache-2.0
#include <trine/text/tokenizer/pre_tokenizer.hpp>

#include <algorithm>
#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <trine/core/random.hpp>

namespace trine {
namespace {

using testing::ElementsAre;
using Strings = std::vector<std::string>;

Strings strings(const Pieces& pieces) {
  Strings result;
  pieces.for_each([&](std::string_view piece) { result.emplace_back(piece); });
  return result;
}

Strings cut(const std::string& text) { return strings(ByteLevelPreTokenizer(false, true).apply(Pieces::whole(text))); }

TEST(PreTokenizer, CutsAsGpt2Does) {
  EXPECT_THAT(cut(""), ElementsAre());
  EXPECT_THAT(cut("Hello, world!"), ElementsAre("Hello", ",", " world", "!"));
  EXPECT_THAT(
      cut("I'm we'll they've you're it's can't I'd"),
      ElementsAre("I", "'m", " we", "'ll", " they", "'ve", " you", "'re", " it", "'s", " can", "'t", " I", "'d"));
  EXPECT_THAT(cut("'S 'sx ''s"), ElementsAre("'", "S", " '", "sx", " ''", "s"));
  EXPECT_THAT(cut("'sx"), ElementsAre("'s", "x"));
  EXPECT_THAT(cut("'"), ElementsAre("'"));
  EXPECT_THAT(cut("'l"), ElementsAre("'", "l"));
  EXPECT_THAT(cut("abc123 456"), ElementsAre("abc", "123", " 456"));
  EXPECT_THAT(cut("a  b"), ElementsAre("a", " ", " b"));
  EXPECT_THAT(cut("a   b"), ElementsAre("a", "  ", " b"));
  EXPECT_THAT(cut("a\nb"), ElementsAre("a", "\n", "b"));
  EXPECT_THAT(cut("a\n\nb"), ElementsAre("a", "\n", "\n", "b"));
  EXPECT_THAT(cut("a \nb"), ElementsAre("a", " ", "\n", "b"));
  EXPECT_THAT(cut("a\n b"), ElementsAre("a", "\n", " b"));
  EXPECT_THAT(cut("a  "), ElementsAre("a", "  "));
  EXPECT_THAT(cut(" "), ElementsAre(" "));
  EXPECT_THAT(cut("x \xC2\xA0y"), ElementsAre("x", " ", "\xC2\xA0", "y"));      // U+00A0 is no " ?"
  EXPECT_THAT(cut("\xD9\xA3\xC2\xBD!"), ElementsAre("\xD9\xA3\xC2\xBD", "!"));  // Arabic digit, one half
  EXPECT_THAT(cut("e\xCC\x81t"), ElementsAre("e", "\xCC\x81", "t"));            // a combining mark is no letter
}

TEST(PreTokenizer, InvalidBytesAreSymbols) {
  EXPECT_THAT(cut("a\xFF\x80 b"), ElementsAre("a", "\xFF\x80", " b"));
  EXPECT_THAT(cut(" \xC3"), ElementsAre(" \xC3"));
  EXPECT_THAT(cut("\xC3"
                  "a"),
              ElementsAre("\xC3", "a"));
  EXPECT_THAT(cut("\xED\xA0\x80!"), ElementsAre("\xED\xA0\x80!"));
}

// The pattern alternative by alternative, with the backtracking of a regular-expression engine spelled out.
std::size_t naive_match(const std::u32string& text, std::size_t at) {
  const auto is_class = [&](std::size_t i, int kind) {
    const bool letter = is_letter(text[i]);
    const bool number = is_number(text[i]);
    const bool space = is_space(text[i]);
    return kind == 0 ? letter : kind == 1 ? number : kind == 2 ? !letter && !number && !space : space;
  };
  const auto run = [&](std::size_t i, int kind) {
    std::size_t n = 0;
    while (i + n < text.size() && is_class(i + n, kind)) ++n;
    return n;
  };
  for (const std::u32string_view word : {U"'s", U"'t", U"'re", U"'ve", U"'m", U"'ll", U"'d"}) {
    if (std::u32string_view(text).substr(at).starts_with(word)) return word.size();
  }
  for (int kind = 0; kind < 3; ++kind) {
    if (text[at] == U' ' && run(at + 1, kind) > 0) return 1 + run(at + 1, kind);
    if (run(at, kind) > 0) return run(at, kind);
  }
  for (std::size_t n = run(at, 3); n > 0; --n) {  // \s+(?!\S)
    if (at + n == text.size() || is_class(at + n, 3)) return n;
  }
  return run(at, 3);
}

TEST(PreTokenizer, AgreesWithThePatternOnAllShortTexts) {
  const std::u32string alphabet = U" \n\u00a0as1!'\u0301l";
  std::vector<std::u32string> texts = {U""};
  for (std::size_t i = 0; i < texts.size() && texts[i].size() < 5; ++i) {
    for (const char32_t c : alphabet) texts.push_back(texts[i] + c);
  }
  const ByteLevelPreTokenizer step(false, true);
  for (const std::u32string& text : texts) {
    std::string bytes;
    for (const char32_t c : text) append_utf8(c, bytes);
    Strings expected;
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t length = naive_match(text, at);
      ASSERT_GT(length, 0U);
      expected.emplace_back();
      for (const char32_t c : text.substr(at, length)) append_utf8(c, expected.back());
      at += length;
    }
    ASSERT_EQ(strings(step.apply(Pieces::whole(bytes))), expected) << in_quotes(bytes);
  }
}

TEST(PreTokenizer, PiecesOfAnyBytesMakeTheText) {
  for (std::uint64_t seed = 0; seed < 2000; ++seed) {
    std::string text;
    const CounterRandom random{seed};
    for (std::uint64_t i = 0; i < seed % 40; ++i)
      text += static_cast<char>(static_cast<unsigned char>(random.uniform(i) * 256.0));
    std::string joined;
    for (const std::string& piece : cut(text)) {
      EXPECT_FALSE(piece.empty()) << "seed " << seed;
      joined += piece;
    }
    EXPECT_EQ(joined, text) << "seed " << seed;
  }
}

TEST(PreTokenizer, AddsASpaceBeforeEachPieceThatHasNone) {
  const ByteLevelPreTokenizer prefix(true, true);
  EXPECT_THAT(strings(prefix.apply(Pieces::whole("a b"))), ElementsAre(" a", " b"));
  EXPECT_THAT(strings(prefix.apply(Pieces::whole(" a"))), ElementsAre(" a"));
  EXPECT_THAT(strings(prefix.apply(Pieces::whole("\na"))), ElementsAre(" ", "\n", "a"));
  EXPECT_THAT(strings(prefix.apply(Pieces::whole(""))), ElementsAre());
  EXPECT_THAT(strings(ByteLevelPreTokenizer(true, false).apply(Pieces{"ab c", {1, 2, 4}})),
              ElementsAre(" a", " b", " c"));
}

TEST(PreTokenizer, KeepsPiecesApartWithoutThePattern) {
  EXPECT_THAT(strings(ByteLevelPreTokenizer(false, false).apply(Pieces{"a b c", {3, 5}})), ElementsAre("a b", " c"));
  EXPECT_THAT(strings(ByteLevelPreTokenizer(false, true).apply(Pieces{"aab", {1, 3}})), ElementsAre("a", "ab"));
}

TEST(PreTokenizer, TakesLinearTimeForLongRuns) {
  for (const std::string unit : {"a", " ", "'", "1", "\xC2\xA0", "\xFF", " a", "\n "}) {
    std::string text;
    while (text.size() < (std::size_t{4} << 20U)) text += unit;
    const auto start = std::chrono::steady_clock::now();
    EXPECT_FALSE(cut(text).empty());
    EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(20)) << in_quotes(unit);
  }
}

}  // namespace
}  // namespace trine
