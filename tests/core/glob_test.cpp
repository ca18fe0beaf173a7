// SPDX-License-Identifier: Apache-2.0
#include <trine/core/glob.hpp>

#include <string>

#include <gtest/gtest.h>

#include <trine/core/random.hpp>

namespace trine {
namespace {

TEST(Glob, MatchesTheWholeText) {
  EXPECT_TRUE(matches_glob("", ""));
  EXPECT_TRUE(matches_glob("abc", "abc"));
  EXPECT_FALSE(matches_glob("abc", "abcd"));
  EXPECT_FALSE(matches_glob("abc", "ab"));
  EXPECT_FALSE(matches_glob("", "a"));
  EXPECT_TRUE(matches_glob("*", ""));
  EXPECT_TRUE(matches_glob("a?c", "abc"));
  EXPECT_FALSE(matches_glob("a?c", "ac"));
  EXPECT_TRUE(matches_glob("*experts.*", "layers.0.moe.experts.3.up_proj.weight"));
  EXPECT_FALSE(matches_glob("*experts.*", "layers.0.moe.router.keys"));
  EXPECT_TRUE(matches_glob("*ab*ab", "aababab"));
  EXPECT_FALSE(matches_glob("*ab*ab*ab", "abab"));
  EXPECT_FALSE(matches_glob("[a-z].", "a."));  // only * and ? are special
}

// The definition, read aloud.
bool naive(const std::string& pattern, const std::string& text) {
  if (pattern.empty()) return text.empty();
  if (pattern[0] == '*') return naive(pattern.substr(1), text) || (!text.empty() && naive(pattern, text.substr(1)));
  return !text.empty() && (pattern[0] == '?' || pattern[0] == text[0]) && naive(pattern.substr(1), text.substr(1));
}

TEST(Glob, AgreesWithItsDefinition) {
  const CounterRandom random{7};
  std::uint64_t counter = 0;
  const auto text_of = [&](const std::string& letters, double longest) {
    std::string text(static_cast<std::size_t>(random.uniform(counter++) * longest), ' ');
    for (char& c : text)
      c = letters[static_cast<std::size_t>(random.uniform(counter++) * static_cast<double>(letters.size()))];
    return text;
  };
  std::size_t matches = 0;
  for (int i = 0; i < 20000; ++i) {
    const std::string pattern = text_of("ab*?", 7.0);
    const std::string text = text_of("ab", 9.0);
    ASSERT_EQ(matches_glob(pattern, text), naive(pattern, text)) << pattern << " on " << text;
    matches += naive(pattern, text) ? 1U : 0U;
  }
  EXPECT_GT(matches, 1000U);
}

TEST(Glob, IsQuickOnAPatternMadeToBeSlow) {
  std::string pattern;
  for (int i = 0; i < 100; ++i) pattern += "*a";
  EXPECT_FALSE(matches_glob(pattern + "b", std::string(2000, 'a')));
}

}  // namespace
}  // namespace trine
