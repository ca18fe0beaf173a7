// SPDX-License-Identifier: Apache-2.0
#include <trine/text/tokenizer/split.hpp>

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <trine/json/parse.hpp>
#include <trine/text/tokenizer/pcre2_regex.hpp>

#include "support/expect_error.hpp"

namespace trine {
namespace {

using testing::ElementsAre;

std::vector<std::string> split(const std::string& pattern, SplitBehavior behavior, bool invert,
                               const std::string& text) {
  const SplitPreTokenizer splitter(std::make_unique<LiteralPattern>(pattern), behavior, invert);
  std::vector<std::string> result;
  splitter.apply(Pieces::whole(text)).for_each([&](std::string_view piece) { result.emplace_back(piece); });
  return result;
}

TEST(SplitPreTokenizer, TreatsMatchesAsToldTo) {
  EXPECT_THAT(split("-", SplitBehavior::removed, false, "a--b"), ElementsAre("a", "b"));
  EXPECT_THAT(split("-", SplitBehavior::isolated, false, "a--b"), ElementsAre("a", "-", "-", "b"));
  EXPECT_THAT(split("-", SplitBehavior::merged_with_previous, false, "a--b"), ElementsAre("a-", "-", "b"));
  EXPECT_THAT(split("-", SplitBehavior::merged_with_next, false, "a--b"), ElementsAre("a", "-", "-b"));
  EXPECT_THAT(split("-", SplitBehavior::contiguous, false, "a--b"), ElementsAre("a", "--", "b"));
  EXPECT_THAT(split("-", SplitBehavior::removed, true, "a--b"), ElementsAre("-", "-"));
  EXPECT_THAT(split("-", SplitBehavior::removed, false, ""), ElementsAre());
  EXPECT_THAT(split("-", SplitBehavior::removed, false, "--"), ElementsAre());
  EXPECT_THAT(split("ab", SplitBehavior::isolated, false, "aabab"), ElementsAre("a", "ab", "ab"));
}

TEST(SplitPreTokenizer, KnowsWhetherItsFirstPieceBeginsTheText) {
  const SplitPreTokenizer splitter(std::make_unique<LiteralPattern>(" "), SplitBehavior::removed, false);
  EXPECT_TRUE(splitter.apply(Pieces::whole("a b", true)).at_text_start);
  EXPECT_FALSE(splitter.apply(Pieces::whole(" a b", true)).at_text_start);
  EXPECT_FALSE(splitter.apply(Pieces::whole("a b", false)).at_text_start);
}

TEST(SplitPreTokenizer, NeedsALiteralThatIsNotEmpty) {
  EXPECT_ERROR(LiteralPattern(""), TokenizerError, "expected a pattern that is not empty");
}

// Oracle: Split of Hugging Face tokenizers, whose patterns are Oniguruma's; see made_by in splits.json.
class SplitGoldens : public testing::Test {
 protected:
  const Json goldens_ = read_json_file(std::filesystem::path(TRINE_TEST_DATA) / "tokenizer/splits.json");

  void expect_pieces(const Json& group) const {
    const std::map<std::string, SplitBehavior> behaviors = {
        {"removed", SplitBehavior::removed},
        {"isolated", SplitBehavior::isolated},
        {"merged_with_previous", SplitBehavior::merged_with_previous},
        {"merged_with_next", SplitBehavior::merged_with_next},
        {"contiguous", SplitBehavior::contiguous}};
    const auto texts = group.at("texts").get<std::vector<std::string>>();
    for (const Json& golden : group.at("cases")) {
      const std::string pattern = golden.at(0);
      const SplitPreTokenizer splitter(pcre2_regex(pattern), behaviors.at(golden.at(1)), golden.at(2));
      for (std::size_t i = 0; i < texts.size(); ++i) {
        std::vector<std::string> found;
        splitter.apply(Pieces::whole(texts[i])).for_each([&](std::string_view piece) { found.emplace_back(piece); });
        EXPECT_EQ(found, golden.at(3).at(i).get<std::vector<std::string>>())
            << pattern << ", " << golden.at(1) << ", " << in_quotes(texts[i]);
      }
    }
  }
};

TEST_F(SplitGoldens, RealPatternsCutAsOnigurumaDoes) { expect_pieces(goldens_.at("real")); }
TEST_F(SplitGoldens, OtherPatternsCutAsOnigurumaDoes) { expect_pieces(goldens_.at("other")); }

TEST_F(SplitGoldens, PropertiesHaveTheCodePointsOfOniguruma) {
  std::string all;  // of Unicode, in order
  for (char32_t c = 0; c < 0x110000; ++c) {
    if (c < 0xD800 || c > 0xDFFF) append_utf8(c, all);
  }
  for (const auto& [pattern, expected] : goldens_.at("properties").items()) {
    std::map<std::string, std::uint64_t> blocks;  // FNV-1a of the members of each block of 4096
    for (const Regex::Match& match : pcre2_regex(pattern)->find_all(all)) {
      const char32_t c = decode_utf8(std::string_view(all).substr(match.begin)).code_point;
      std::array<char, 16> name{};
      std::snprintf(name.data(), name.size(), "%x", static_cast<unsigned>(c >> 12U));
      std::uint64_t& hash = blocks.try_emplace(name.data(), 0xCBF29CE484222325U).first->second;
      hash = (hash ^ c) * 0x100000001B3U;
    }
    Json found = Json::object();
    for (const auto& [block, hash] : blocks) {
      std::array<char, 32> text{};
      std::snprintf(text.data(), text.size(), "%016llx", static_cast<unsigned long long>(hash));
      found[block] = text.data();
    }
    EXPECT_EQ(found, expected) << pattern;
  }
}

}  // namespace
}  // namespace trine
