// SPDX-License-Identifier: Apache-2.0
#include <trine/text/tokenizer/pcre2_regex.hpp>

#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <trine/core/random.hpp>

#include "support/expect_error.hpp"

namespace trine {
namespace {

using testing::ElementsAre;
using Match = Regex::Match;

const std::string kLlama3 =
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]"
    "+|\\s+(?!\\S)|\\s+";

TEST(Pcre2Regex, FindsAllMatchesFromLeftToRight) {
  EXPECT_THAT(Pcre2Regex("a+").find_all("aabca"), ElementsAre(Match{0, 2}, Match{4, 5}));
  EXPECT_THAT(Pcre2Regex("a+").find_all(""), ElementsAre());
  EXPECT_THAT(Pcre2Regex("(?=b)").find_all("abb"), ElementsAre(Match{1, 1}, Match{2, 2}));
  EXPECT_THAT(Pcre2Regex("b*").find_all("abba"), ElementsAre(Match{0, 0}, Match{1, 3}, Match{4, 4}));
  EXPECT_THAT(Pcre2Regex("").find_all("\xC3\xA9"), ElementsAre(Match{0, 0}, Match{2, 2}));
}

TEST(Pcre2Regex, TakesAByteThatIsNotUtf8ForACharacterOfNoKind) {
  EXPECT_THAT(Pcre2Regex("\\p{L}+|\\s|\\p{N}")
                  .find_all("a\xFF\xE2\x82"
                            "b 1"),
              ElementsAre(Match{0, 1}, Match{4, 5}, Match{5, 6}, Match{6, 7}));
  EXPECT_THAT(Pcre2Regex("[^\\s\\p{L}\\p{N}]+")
                  .find_all("a\xFF\xE2\x82"
                            "b"),
              ElementsAre(Match{1, 4}));
  EXPECT_THAT(Pcre2Regex(".").find_all("\xF0\x9F\x98\x80\xFF"), ElementsAre(Match{0, 4}, Match{4, 5}));
}

TEST(Pcre2Regex, RefusesWhatIsNoPattern) {
  EXPECT_ERROR(Pcre2Regex("(a"), TokenizerError, "pattern '(a': expected ')', found the end at byte 2");
  EXPECT_ERROR(Pcre2Regex("(?<=a*)b"), TokenizerError, "pattern '(?<=a*)b': ");
  EXPECT_ERROR(Pcre2Regex(std::string(20000, 'a')), TokenizerError, "expected at most 16384 bytes, found 20000");
}

// Each of these takes exponential or quadratic time in an engine without limits. A hang is the failure.
TEST(Pcre2Regex, HostilePatternsAreErrorsAndNoHangs) {
  const std::string a(std::size_t{1} << 17U, 'a');
  for (const char* pattern : {"a*b|c", "a*[bc]", "a*+[bc]", "a++[bc]", "(?>a*)[bc]", "(?=(a*))x?.", "(?!a*)b|a",
                              "(a*)*[bc]", "(a|aa)+[bc]", "(?:a?){99}a{99}[bc]", "(?:a|a)*[bc]", "(?:(?:a+)+)+[bc]"}) {
    SCOPED_TRACE(pattern);
    EXPECT_ERROR(Pcre2Regex(pattern).find_all(a), TokenizerError, "pattern '" + std::string(pattern) + "': ");
  }
  EXPECT_ERROR(Pcre2Regex("a*[bc]").find_all(a), TokenizerError,
               "pattern 'a*[bc]': expected at most 64 steps per byte, found more in a text of 131072 bytes");
}

TEST(Pcre2Regex, RealPatternsNeedNoMoreStepsHoweverStrangeTheText) {
  const Pcre2Regex regex(kLlama3);
  for (const std::string part :
       {" ", "\n", " \n", "a", "A", "1", "!", "'", "\xE4\xB8\xAD", "\t \r", "a ", "\xFF", "' s", "\xCC\x81"}) {
    std::string text;
    while (text.size() < 1000000) text += part;
    std::size_t covered = 0;
    for (const Match& match : regex.find_all(text)) covered += match.end - match.begin;
    EXPECT_EQ(covered, text.size()) << in_quotes(part);
  }
}

TEST(Pcre2Regex, AnyBytesAreATextAndMostArePatterns) {
  std::size_t compiled = 0;
  for (std::uint64_t seed = 0; seed < 3000; ++seed) {
    constexpr std::string_view kAlphabet = "aab()[]{}|*+?\\^$.-,&12:=!<>ipLsS\xC3\xA9\xFF";
    const CounterRandom random{seed};
    std::string pattern;
    for (std::uint64_t i = 0; i < 1 + seed % 12; ++i)
      pattern += kAlphabet[static_cast<std::size_t>(random.uniform(i) * double(kAlphabet.size()))];
    std::string text;
    for (std::uint64_t i = 0; i < seed % 50; ++i)
      text += kAlphabet[static_cast<std::size_t>(random.uniform(100 + i) * double(kAlphabet.size()))];
    try {
      std::size_t end = 0;
      for (const Match& match : Pcre2Regex(pattern).find_all(text)) {
        ASSERT_LE(end, match.begin) << in_quotes(pattern) << in_quotes(text);
        ASSERT_LE(match.begin, match.end);
        end = match.end;
      }
      ASSERT_LE(end, text.size());
      ++compiled;
    } catch (const TokenizerError&) {
    }
  }
  EXPECT_GT(compiled, 500U);
}

TEST(Pcre2RegexConcurrency, OneRegexServesManyThreads) {
  const Pcre2Regex regex(kLlama3);
  const std::string text = "The quick brown fox, 123 d\xC3\xA9j\xC3\xA0 vu!\n\n  It's";
  const std::vector<Match> expected = regex.find_all(text);
  std::vector<int> wrong(4, 0);
  std::vector<std::thread> threads;
  for (std::size_t t = 0; t < wrong.size(); ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 500; ++i) wrong[t] += regex.find_all(text) == expected ? 0 : 1;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_THAT(wrong, testing::Each(0));
}

}  // namespace
}  // namespace trine
