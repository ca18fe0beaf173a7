// SPDX-License-Identifier: Apache-2.0
#include <trine/generate/stop_conditions.hpp>

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <trine/core/random.hpp>

#include "support/expect_error.hpp"

namespace trine {
namespace {

TEST(StopConditions, CountTokens) {
  StopConditions stop({.max_new_tokens = 2});
  EXPECT_EQ(stop.push(7, "a").reason, std::nullopt);
  const auto step = stop.push(8, "b");
  EXPECT_EQ(step.reason, FinishReason::length);
  EXPECT_EQ(step.text, "b");
  EXPECT_EQ(stop.tokens(), 2U);
}

TEST(StopConditions, AnEndTokenIsNotShownButWhatWasHeldBackIs) {
  StopConditions stop({.eos_token_ids = {9, 3}, .stop_strings = {"END"}});
  EXPECT_EQ(stop.push(1, "the EN").text, "the ");
  const auto step = stop.push(3, "</s>");
  EXPECT_EQ(step.reason, FinishReason::eos);
  EXPECT_EQ(step.text, "EN");
}

TEST(StopConditions, AStopStringIsFoundAcrossTokens) {
  StopConditions stop({.stop_strings = {"\nUser:"}});
  EXPECT_EQ(stop.push(1, "Hi\n").text, "Hi");
  EXPECT_EQ(stop.push(1, "\nUs").text, "\n");
  const auto step = stop.push(1, "er: hello");
  EXPECT_EQ(step.reason, FinishReason::stop_string);
  EXPECT_EQ(step.text, "");
}

TEST(StopConditions, WhatWasHeldBackIsShownWhenItWasNone) {
  StopConditions stop({.stop_strings = {"abc"}});
  EXPECT_EQ(stop.push(1, "xab").text, "x");
  EXPECT_EQ(stop.push(1, "ab").text, "ab");
  EXPECT_EQ(stop.push(1, "d").text, "abd");
  EXPECT_EQ(stop.push(1, "a").text, "");
  const auto rest = stop.flush("\xEF\xBF\xBD");
  EXPECT_EQ(rest.text, "a\xEF\xBF\xBD");
  EXPECT_EQ(rest.reason, std::nullopt);
}

TEST(StopConditions, TheEndMayCompleteAStopString) {
  StopConditions stop({.stop_strings = {"ab"}});
  EXPECT_EQ(stop.push(1, "xa").text, "x");
  const auto rest = stop.flush("b");
  EXPECT_EQ(rest.text, "");
  EXPECT_EQ(rest.reason, FinishReason::stop_string);
}

TEST(StopConditions, AStopStringCountsBeforeTheNumberOfTokens) {
  StopConditions stop({.max_new_tokens = 1, .stop_strings = {"a"}});
  EXPECT_EQ(stop.push(1, "a").reason, FinishReason::stop_string);
}

TEST(StopConditions, TheFirstToBeCompleteWinsThenTheLongest) {
  StopConditions first({.stop_strings = {"abcd", "bc"}});
  EXPECT_EQ(first.push(1, "xabcd").text, "xa");
  StopConditions longest({.stop_strings = {"c", "abc"}});
  EXPECT_EQ(longest.push(1, "xabc").text, "x");
}

TEST(StopConditions, RefuseStringsThatCannotBeShown) {
  EXPECT_ERROR(StopConditions({.stop_strings = {"ok", ""}}), InputError, "stop string: expected valid UTF-8");
  EXPECT_ERROR(StopConditions({.stop_strings = {"\xC3"}}), InputError, "found '\\xc3'");
}

// The names of tokens that are not shown match these tokens, alone and among text, and the same text in letters.
TEST(StopConditions, AStopStringMatchesHiddenTokensByTheirNames) {
  const std::vector<HiddenToken> hidden = {{7, "<|im|>"}, {8, "<|im|>x"}, {9, "<s>"}};
  StopConditions alone({.stop_strings = {"<|im|>"}, .hidden_tokens = hidden});
  EXPECT_EQ(alone.push(1, "text <|i").text, "text ");
  EXPECT_EQ(alone.push(9, "").reason, std::nullopt);
  auto step = alone.push(7, "");
  EXPECT_EQ(step.reason, FinishReason::stop_string);
  EXPECT_EQ(step.text, "<|i");

  StopConditions among({.stop_strings = {"end<s>\nB"}, .hidden_tokens = hidden});
  EXPECT_EQ(among.push(1, "the end").text, "the ");
  EXPECT_EQ(among.push(9, "").text, "");
  EXPECT_EQ(among.push(1, "\nA end").text, "end\nA ");
  EXPECT_EQ(among.push(9, "").text, "");
  step = among.push(1, "\nBC");
  EXPECT_EQ(step.reason, FinishReason::stop_string);
  EXPECT_EQ(step.text, "");

  StopConditions letters({.stop_strings = {"<s>"}, .hidden_tokens = hidden});
  EXPECT_EQ(letters.push(1, "a<s>b").reason, FinishReason::stop_string);
  StopConditions longest({.stop_strings = {"<|im|>x"}, .hidden_tokens = hidden});
  EXPECT_EQ(longest.push(7, "").reason, std::nullopt);
  EXPECT_EQ(longest.push(1, "x").reason, std::nullopt) << "the token of that name is another one";
  EXPECT_EQ(longest.push(8, "").reason, FinishReason::stop_string);
}

// Strings that name no hidden token match as if there were none: neither a part of a name, nor is anything between.
TEST(StopConditions, OtherStopStringsDoNotSeeHiddenTokens) {
  StopConditions stop({.stop_strings = {"ab", "s"}, .hidden_tokens = {{9, "<s>"}}});
  EXPECT_EQ(stop.push(1, "xa").text, "x");
  EXPECT_EQ(stop.push(9, "").reason, std::nullopt);
  EXPECT_EQ(stop.push(1, "b").reason, FinishReason::stop_string);
}

// The definition: after each byte, does the text end with a stop string?
std::string naive_text(const std::string& text, const std::vector<std::string>& strings) {
  for (std::size_t end = 1; end <= text.size(); ++end) {
    std::size_t longest = 0;
    for (const std::string& s : strings) {
      if (text.substr(0, end).ends_with(s)) longest = std::max(longest, s.size());
    }
    if (longest > 0) return text.substr(0, end - longest);
  }
  return text;
}

TEST(StopConditions, DoNotDependOnHowTheTextIsCut) {
  for (std::uint64_t seed = 0; seed < 5000; ++seed) {
    const CounterRandom random{seed};
    std::uint64_t counter = 0;
    const auto below = [&](std::size_t n) {
      return static_cast<std::size_t>(random.uniform(counter++) * static_cast<double>(n));
    };
    const auto word = [&](std::size_t size) {
      std::string text(size, 'a');
      for (char& c : text) c = static_cast<char>('a' + below(2));
      return text;
    };
    std::vector<std::string> strings;
    for (std::size_t i = below(3) + 1; i > 0; --i) strings.push_back(word(3 + below(5)));
    const std::string text = word(below(40));

    StopConditions stop({.stop_strings = strings});
    std::string shown;
    bool stopped = false;
    for (std::size_t at = 0; at < text.size() && !stopped;) {
      const std::size_t length = std::min(text.size() - at, below(6));
      const auto step = stop.push(0, text.substr(at, length));
      shown += step.text;
      stopped = step.reason == FinishReason::stop_string;
      at += length;
    }
    if (!stopped) shown += stop.flush().text;
    EXPECT_EQ(shown, naive_text(text, strings)) << "seed " << seed;
    EXPECT_EQ(stopped, naive_text(text, strings) != text) << "seed " << seed;
  }
}

TEST(StopConditions, HoldBackNoMoreThanCouldBeAStopString) {
  StopConditions stop({.stop_strings = {"aab", "xyz"}});
  EXPECT_EQ(stop.push(1, "aaaaa").text, "aaa");
  EXPECT_EQ(stop.push(1, "x").text, "aa");
  EXPECT_EQ(stop.push(1, "q").text, "xq");
}

}  // namespace
}  // namespace trine
