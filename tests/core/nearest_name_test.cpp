// SPDX-License-Identifier: Apache-2.0
#include <trine/core/nearest_name.hpp>

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

namespace trine {
namespace {

TEST(EditDistance, OfTextbookCases) {
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3U);
  EXPECT_EQ(edit_distance("saturday", "sunday"), 3U);
  EXPECT_EQ(edit_distance("flaw", "lawn"), 2U);
}

TEST(EditDistance, FromOrToNothingIsTheLength) {
  EXPECT_EQ(edit_distance("", ""), 0U);
  EXPECT_EQ(edit_distance("", "abc"), 3U);
  EXPECT_EQ(edit_distance("abc", ""), 3U);
}

TEST(EditDistance, IsAMetric) {
  const std::vector<std::string_view> words{"", "a", "b", "ab", "ba", "abc", "hidden_size", "hiden_size", "head_dim"};
  for (const auto a : words) {
    for (const auto b : words) {
      EXPECT_EQ(edit_distance(a, b), edit_distance(b, a)) << a << " " << b;
      EXPECT_EQ(edit_distance(a, b) == 0, a == b) << a << " " << b;
      for (const auto c : words)
        EXPECT_LE(edit_distance(a, c), edit_distance(a, b) + edit_distance(b, c)) << a << " " << b << " " << c;
    }
  }
}

TEST(NearestName, FindsTheTypingMistake) {
  constexpr std::array<std::string_view, 3> kKnown{"hidden_size", "head_dim", "vocab_size"};
  EXPECT_EQ(nearest_name("hiden_size", kKnown), "hidden_size");
  EXPECT_EQ(nearest_name("vocabsize", kKnown), "vocab_size");
}

TEST(NearestName, IsTheFirstOfEquals) { EXPECT_EQ(nearest_name("x", std::vector<std::string>{"a", "b"}), "a"); }

TEST(NearestName, IsEmptyWhenNothingIsKnown) { EXPECT_EQ(nearest_name("x", std::vector<std::string>{}), ""); }

TEST(NearestName, OfAMegabyteIsQuick) {
  const std::vector<std::string> known{std::string(64, 'b'), std::string(60, 'a')};
  EXPECT_EQ(nearest_name(std::string(1U << 20U, 'a'), known), known[1]);
}

TEST(NearestName, IsEmptyWhenMoreThanAThirdWouldHaveToChange) {
  const std::vector<std::string> known{"llama", "qwen3_moe", "model_type"};
  EXPECT_EQ(nearest_name("gemma4", known), "");
  EXPECT_EQ(nearest_name("index_topk", known), "");
  EXPECT_EQ(nearest_name("qwen3_nxt", known), "qwen3_moe");  // 3 of 9
  EXPECT_EQ(nearest_name("", known), "");
}

TEST(NearestName, IsTheEndOfAMessageWhereItIsNear) {
  const std::vector<std::string> known{"attention", "rules\n"};
  EXPECT_EQ(nearest_hint("attenton", known), "; the nearest one is 'attention'");
  EXPECT_EQ(nearest_hint("rules", known, ": did you mean ", "?"), ": did you mean rules\\x0a?");
  EXPECT_EQ(nearest_hint("switch", known), "");
}

}  // namespace
}  // namespace trine
