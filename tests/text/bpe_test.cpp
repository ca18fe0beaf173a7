// SPDX-License-Identifier: Apache-2.0
#include <trine/text/tokenizer/bpe.hpp>

#include <chrono>
#include <limits>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <trine/core/random.hpp>

#include "support/expect_error.hpp"
#include "text/tiny_tokenizer.hpp"

namespace trine {
namespace {

using testing::ElementsAre;
using Ids = std::vector<TokenId>;

Ids merged(const MergeTable& table, Ids symbols) {
  BytePairMerger(table).merge(symbols);
  return symbols;
}

TEST(MergeTable, FindsEachPairAndNoOther) {
  const MergeTable table({{5, 1, 10}, {5, 0, 11}, {2, 7, 12}, {5, 9, 13}});
  EXPECT_EQ(table.rank(5, 1), 0U);
  EXPECT_EQ(table.rank(5, 0), 1U);
  EXPECT_EQ(table.rank(2, 7), 2U);
  EXPECT_EQ(table.rank(5, 9), 3U);
  for (TokenId left = 0; left < 20; ++left) {
    for (TokenId right = 0; right < 20; ++right) {
      const bool is_pair = (left == 5 && (right == 0 || right == 1 || right == 9)) || (left == 2 && right == 7);
      EXPECT_EQ(table.rank(left, right).has_value(), is_pair) << left << " " << right;
    }
  }
  EXPECT_EQ(table.rank(std::numeric_limits<TokenId>::max(), 0), std::nullopt);
  EXPECT_EQ(MergeTable({}).rank(0, 0), std::nullopt);
}

TEST(BytePairMerger, TakesTheBestRankFirstAndTheLeftmostAmongEquals) {
  // 0 1 2 = a b c; ab = 10, bc = 11 is better.
  const MergeTable table({{1, 2, 11}, {0, 1, 10}, {0, 11, 12}});
  EXPECT_THAT(merged(table, {0, 1, 2}), ElementsAre(12));
  EXPECT_THAT(merged(table, {0, 1, 1, 2}), ElementsAre(10, 11));
  EXPECT_THAT(merged(table, {0, 1}), ElementsAre(10));
  EXPECT_THAT(merged(table, {2, 0}), ElementsAre(2, 0));
  EXPECT_THAT(merged(table, {0}), ElementsAre(0));
  EXPECT_THAT(merged(table, {}), ElementsAre());
  const MergeTable twins({{0, 0, 1}});
  EXPECT_THAT(merged(twins, {0, 0, 0}), ElementsAre(1, 0));
  EXPECT_THAT(merged(twins, {0, 0, 0, 0, 0}), ElementsAre(1, 1, 0));
}

TEST(BytePairMerger, TwoWaysToOneTokenDoNotConfuseIt) {
  // abc = 12 is made of ab + c or a + bc.
  const MergeTable table({{0, 1, 10}, {10, 2, 12}, {1, 2, 11}, {0, 11, 12}, {12, 12, 13}});
  EXPECT_THAT(merged(table, {0, 1, 2, 0, 1, 2}), ElementsAre(13));
  EXPECT_THAT(merged(table, {1, 2, 0, 1, 2}), ElementsAre(11, 12));
}

// All pairs looked at again after each merge.
Ids naive_merge(const std::vector<Merge>& merges, Ids symbols) {
  while (true) {
    std::size_t best = merges.size();
    std::size_t at = 0;
    for (std::size_t i = 0; i + 1 < symbols.size(); ++i) {
      for (std::size_t rank = 0; rank < best; ++rank) {
        if (merges[rank].left == symbols[i] && merges[rank].right == symbols[i + 1]) {
          best = rank;
          at = i;
        }
      }
    }
    if (best == merges.size()) return symbols;
    symbols[at] = merges[best].result;
    symbols.erase(symbols.begin() + static_cast<std::ptrdiff_t>(at) + 1);
  }
}

TEST(BytePairMerger, AgreesWithTheDefinitionOnRandomMerges) {
  for (std::uint64_t seed = 0; seed < 400; ++seed) {
    const CounterRandom random{seed};
    std::uint64_t counter = 0;
    const auto below = [&](std::size_t n) { return static_cast<TokenId>(random.uniform(counter++) * double(n)); };
    std::vector<std::string> texts = {"a", "b", "c"};
    std::map<std::string, TokenId> ids = {{"a", 0}, {"b", 1}, {"c", 2}};
    std::map<std::pair<TokenId, TokenId>, bool> seen;
    std::vector<Merge> merges;
    for (int i = 0; i < 25; ++i) {
      const TokenId left = below(texts.size());
      const TokenId right = below(texts.size());
      if (std::exchange(seen[{left, right}], true)) continue;
      const auto [entry, is_new] = ids.emplace(texts[left] + texts[right], static_cast<TokenId>(texts.size()));
      if (is_new) texts.push_back(entry->first);
      merges.push_back({left, right, entry->second});
    }
    const MergeTable table(merges);
    BytePairMerger merger(table);
    for (int word = 0; word < 20; ++word) {
      Ids symbols;
      for (TokenId i = below(30); i > 0; --i) symbols.push_back(below(3));
      Ids result = symbols;
      merger.merge(result);
      ASSERT_EQ(result, naive_merge(merges, symbols)) << "seed " << seed << ", word " << word;
    }
  }
}

TEST(BytePairMerger, OneMegabyteOfOneLetterIsNoTrouble) {
  std::vector<Merge> merges;
  for (TokenId i = 0; i < 6; ++i) merges.push_back({i, i, i + 1});  // a, aa, aaaa, ... 64 times a
  const MergeTable table(merges);
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(merged(table, Ids(1U << 20U, 0)), Ids(1U << 14U, 6));
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(20));
}

std::shared_ptr<const Vocabulary> vocabulary(unsigned bytes, const std::vector<std::string>& more) {
  auto result = std::make_shared<Vocabulary>();
  for (unsigned byte = 0; byte < bytes; ++byte) EXPECT_TRUE(result->insert(test::byte_token(byte), byte));
  for (const std::string& text : more) EXPECT_TRUE(result->insert(text, static_cast<TokenId>(result->id_limit())));
  return result;
}

Ids encode(const ByteLevelBpe& model, const Pieces& pieces) {
  Ids ids;
  model.encode(pieces, ids);
  return ids;
}

TEST(ByteLevelBpe, DoesNotMergeAcrossPieces) {
  const ByteLevelBpe model(vocabulary(256, {"ab"}), MergeTable({{'a', 'b', 256}}), {});
  EXPECT_THAT(encode(model, Pieces{"abab", {4}}), ElementsAre(256, 256));
  EXPECT_THAT(encode(model, Pieces{"abab", {1, 4}}), ElementsAre('a', 'b', 256));
}

TEST(ByteLevelBpe, TakesAWholePieceAtOnceIfMergesAreIgnored) {
  const auto words = vocabulary(256, {"ab",
                                      "\xC4\xA0"
                                      "abc"});  // "ab", " abc"
  const MergeTable merges({{'a', 'b', 256}});
  EXPECT_THAT(encode({words, merges, {}}, Pieces{" abc", {4}}), ElementsAre(' ', 256, 'c'));
  ByteLevelBpe::Options options;
  options.ignore_merges = true;
  EXPECT_THAT(encode({words, merges, options}, Pieces{" abc", {4}}), ElementsAre(257));
  EXPECT_THAT(encode({words, merges, options}, Pieces{" abcd", {5}}), ElementsAre(' ', 256, 'c', 'd'));
}

TEST(ByteLevelBpe, DropsBytesWithoutATokenOrTakesTheUnknownOne) {
  ByteLevelBpe::Options options;
  EXPECT_THAT(encode({vocabulary(255, {"ab"}), MergeTable({{'a', 'b', 255}}), options}, Pieces{"a\xFF\xFF"
                                                                                               "b",
                                                                                               {4}}),
              ElementsAre(255));  // what is left is merged
  options.unknown = 100;
  EXPECT_THAT(encode({vocabulary(255, {}), MergeTable({}), options}, Pieces{"a\xFF\xFF"
                                                                            "b",
                                                                            {4}}),
              ElementsAre('a', 100, 100, 'b'));
  options.fuse_unknown = true;
  EXPECT_THAT(encode({vocabulary(255, {}), MergeTable({}), options}, Pieces{"a\xFF\xFF"
                                                                            "b",
                                                                            {4}}),
              ElementsAre('a', 100, 'b'));
}

}  // namespace
}  // namespace trine
