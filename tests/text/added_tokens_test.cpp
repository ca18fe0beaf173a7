// SPDX-License-Identifier: Apache-2.0
#include <trine/text/tokenizer/added_tokens.hpp>

#include <chrono>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <trine/core/random.hpp>

namespace trine {
namespace {

using testing::ElementsAre;

// "text", and "id:text" for a token.
std::vector<std::string> split(const AddedTokenSplitter& splitter, std::string_view text, bool parse_special = true,
                               std::span<const ByteRange> untrusted = {}) {
  std::vector<std::string> parts;
  splitter.split(text, parse_special, untrusted, [&](std::optional<TokenId> token, std::string_view part) {
    parts.push_back((token ? std::to_string(*token) + ":" : "") + std::string(part));
  });
  return parts;
}

AddedToken plain(TokenId id, std::string content) { return {.id = id, .content = std::move(content)}; }

TEST(AddedTokens, CutsLeftmostThenLongest) {
  const AddedTokenSplitter splitter({plain(1, "ab"), plain(2, "abcd"), plain(3, "bcde"), plain(4, "e")});
  EXPECT_THAT(split(splitter, ""), ElementsAre());
  EXPECT_THAT(split(splitter, "xyz"), ElementsAre("xyz"));
  EXPECT_THAT(split(splitter, "abcde"), ElementsAre("2:abcd", "4:e"));
  EXPECT_THAT(split(splitter, "xabcx"), ElementsAre("x", "1:ab", "cx"));
  EXPECT_THAT(split(splitter, "bcdee"), ElementsAre("3:bcde", "4:e"));
  EXPECT_THAT(split(splitter, "abab"), ElementsAre("1:ab", "1:ab"));
}

TEST(AddedTokens, SpecialTokensAreTextUnlessAskedFor) {
  const AddedTokenSplitter splitter({{.id = 1, .content = "<s>", .special = true}, plain(2, "<t>")});
  EXPECT_THAT(split(splitter, "a<s>b<t>", true), ElementsAre("a", "1:<s>", "b", "2:<t>"));
  EXPECT_THAT(split(splitter, "a<s>b<t>", false), ElementsAre("a<s>b", "2:<t>"));
}

TEST(AddedTokens, SpecialTokensAreTextWhereAStrangerWroteAByteOfThem) {
  const AddedTokenSplitter splitter(
      {{.id = 1, .content = "<s>", .special = true}, {.id = 2, .content = "x<s>", .special = true}, plain(3, "<t>")});
  const auto split_with = [&](std::string_view text, std::vector<ByteRange> untrusted) {
    return split(splitter, text, true, untrusted);
  };
  EXPECT_THAT(split_with("<s><s><s>", {{3, 6}}), ElementsAre("1:<s>", "<s>", "1:<s>"));
  EXPECT_THAT(split_with("<s><s><s>", {{0, 1}, {8, 9}}), ElementsAre("<s>", "1:<s>", "<s>"));
  EXPECT_THAT(split_with("<s><s>", {{2, 4}}), ElementsAre("<s><s>"));
  EXPECT_THAT(split_with("a<t><s>", {{0, 4}}), ElementsAre("a", "3:<t>", "1:<s>"));  // <t> is no control token
  EXPECT_THAT(split_with("x<s>", {}), ElementsAre("2:x<s>"));
  EXPECT_THAT(split_with("x<s>", {{0, 1}}), ElementsAre("x", "1:<s>"));  // the stranger's x takes no token away
}

TEST(AddedTokens, SingleWordsStandAlone) {
  const AddedTokenSplitter splitter({{.id = 1, .content = "word", .single_word = true}});
  EXPECT_THAT(split(splitter, "word"), ElementsAre("1:word"));
  EXPECT_THAT(split(splitter, "a word."), ElementsAre("a ", "1:word", "."));
  EXPECT_THAT(split(splitter, "words sword _word word1"), ElementsAre("words sword _word word1"));
  EXPECT_THAT(split(splitter, "\xC3\xA9word"), ElementsAre("\xC3\xA9word"));            // a letter before
  EXPECT_THAT(split(splitter, "word\xCC\x81"), ElementsAre("word\xCC\x81"));            // a mark behind
  EXPECT_THAT(split(splitter, "\xFFword\xFF"), ElementsAre("\xFF", "1:word", "\xFF"));  // not UTF-8: no word
  EXPECT_THAT(split(splitter, "wordword"), ElementsAre("wordword"));
}

TEST(AddedTokens, StripsSwallowSpaces) {
  const AddedTokenSplitter splitter({{.id = 1, .content = "<l>", .lstrip = true},
                                     {.id = 2, .content = "<r>", .rstrip = true},
                                     {.id = 3, .content = "<lr>", .lstrip = true, .rstrip = true}});
  EXPECT_THAT(split(splitter, "a \n<l> b"), ElementsAre("a", "1: \n<l>", " b"));
  EXPECT_THAT(split(splitter,
                    "a <r> \t\xE3\x80\x80"
                    "b"),
              ElementsAre("a ", "2:<r> \t\xE3\x80\x80", "b"));
  EXPECT_THAT(split(splitter, " <lr> "), ElementsAre("3: <lr> "));
  EXPECT_THAT(split(splitter, "<r>  <l>"), ElementsAre("2:<r>  ", "1:<l>"));
  EXPECT_THAT(split(splitter, "<l><l>"), ElementsAre("1:<l>", "1:<l>"));
  // Hugging Face tokenizers 0.23.3 panics here: a token that begins in swallowed spaces.
  const AddedTokenSplitter overlapping({{.id = 1, .content = "<r>", .rstrip = true}, plain(2, " x"), plain(3, " ")});
  EXPECT_THAT(split(overlapping, "<r>  x x"), ElementsAre("1:<r>  ", "x", "2: x"));
}

TEST(LongestMatcher, AgreesWithTryingEachPatternAtEachPosition) {
  for (std::uint64_t seed = 0; seed < 500; ++seed) {
    const CounterRandom random{seed};
    std::uint64_t counter = 0;
    const auto text_of = [&](std::size_t most) {
      std::string text(static_cast<std::size_t>(random.uniform(counter++) * double(most)) + 1, 'a');
      for (char& c : text) c = random.uniform(counter++) < 0.6 ? 'a' : 'b';
      return text;
    };
    std::vector<std::string> patterns;
    for (int i = 0; i < 6; ++i) {
      std::string pattern = text_of(5);
      if (std::find(patterns.begin(), patterns.end(), pattern) == patterns.end()) patterns.push_back(pattern);
    }
    const std::string text = text_of(40);
    const LongestMatcher matcher(std::vector<std::string_view>(patterns.begin(), patterns.end()));
    const auto matches = matcher.find(text);
    std::size_t index = matches.size();
    for (std::size_t begin = 0; begin < text.size(); ++begin) {
      std::optional<std::size_t> longest;
      for (std::size_t p = 0; p < patterns.size(); ++p) {
        const bool longer = !longest || patterns[p].size() > patterns[*longest].size();
        if (longer && std::string_view(text).substr(begin).starts_with(patterns[p])) longest = p;
      }
      if (!longest) continue;
      ASSERT_GT(index--, 0U) << "seed " << seed;
      EXPECT_EQ(matches[index].begin, begin) << "seed " << seed;
      EXPECT_EQ(matches[index].pattern, *longest) << "seed " << seed;
    }
    EXPECT_EQ(index, 0U) << "seed " << seed;
  }
}

TEST(AddedTokens, TakesLinearTimeForHostileTokens) {
  // Each beginning of a^n b is tried in vain at each position; tokens of spaces swallow spaces.
  const std::vector<AddedToken> tokens = {plain(1, "a"),
                                          plain(2, std::string(100000, 'a') + "b"),
                                          {.id = 3, .content = " ", .lstrip = true},
                                          {.id = 4, .content = "\t", .rstrip = true}};
  const AddedTokenSplitter splitter(tokens);
  std::string spaces;
  while (spaces.size() < 400000) spaces += " \t";
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(split(splitter, std::string(400000, 'a')).size(), 400000U);
  EXPECT_EQ(split(splitter, spaces).size(), 2U);
  EXPECT_EQ(split(splitter, std::string(400000, ' ')).size(), 400000U);
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(20));
}

}  // namespace
}  // namespace trine
