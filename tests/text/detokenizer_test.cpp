// SPDX-License-Identifier: Apache-2.0
#include <trine/text/detokenizer.hpp>

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <trine/core/random.hpp>

#include "text/tiny_tokenizer.hpp"

namespace trine {
namespace {

using test::added_token;
using test::make_tokenizer;
using test::tiny_tokenizer;

TEST(Detokenizer, HoldsACharacterBackUntilItIsComplete) {
  Detokenizer detokenizer(make_tokenizer(tiny_tokenizer()));  // byte b has id b
  EXPECT_EQ(detokenizer.push('a'), "a");
  EXPECT_EQ(detokenizer.push(0xF0), "");
  EXPECT_EQ(detokenizer.push(0x9F), "");
  EXPECT_EQ(detokenizer.push(0x98), "");
  EXPECT_EQ(detokenizer.push(0x80), "\xF0\x9F\x98\x80");
  EXPECT_EQ(detokenizer.push(257), "abc");
  EXPECT_EQ(detokenizer.flush(), "");
}

TEST(Detokenizer, ReplacesWhatNeverBecomesACharacter) {
  Detokenizer detokenizer(make_tokenizer(tiny_tokenizer()));
  EXPECT_EQ(detokenizer.push(0x80), "\xEF\xBF\xBD");
  EXPECT_EQ(detokenizer.push(0xE2), "");
  EXPECT_EQ(detokenizer.push(0x82), "");
  EXPECT_EQ(detokenizer.push('x'), "\xEF\xBF\xBDx");
  EXPECT_EQ(detokenizer.push(0xE2), "");
  EXPECT_EQ(detokenizer.push(0x82), "");
  EXPECT_EQ(detokenizer.flush(), "\xEF\xBF\xBD");
  EXPECT_EQ(detokenizer.flush(), "");
  EXPECT_EQ(detokenizer.push(0xAC), "\xEF\xBF\xBD");  // a new text: nothing of the old one is left
}

TEST(Detokenizer, SkipsSpecialTokensUnlessToldOtherwise) {
  Json document = tiny_tokenizer();
  document["added_tokens"] = Json::array({added_token(300, "<s>", true)});
  Detokenizer silent(make_tokenizer(document));
  EXPECT_EQ(silent.push(300), "");
  EXPECT_EQ(silent.push(299), "");  // no token
  EXPECT_EQ(silent.push(4294967295U), "");
  Detokenizer loud(make_tokenizer(document), false);
  EXPECT_EQ(loud.push(300), "<s>");
}

TEST(Detokenizer, SaysInPartsWhatDecodeSaysAtOnce) {
  const Tokenizer tokenizer = make_tokenizer(tiny_tokenizer());
  for (std::uint64_t seed = 0; seed < 3000; ++seed) {
    const CounterRandom random{seed};
    std::vector<TokenId> ids;
    for (std::uint64_t i = 0; i < seed % 30; ++i) {  // mostly bytes that begin or continue characters
      const double u = random.uniform(2 * i);
      const double least = u < 0.3 ? 0x20 : u < 0.7 ? 0x80 : 0xC0;
      const double most = u < 0.3 ? 0x7F : u < 0.7 ? 0xC0 : 0x103;
      ids.push_back(static_cast<TokenId>(least + random.uniform(2 * i + 1) * (most - least)));
    }
    Detokenizer detokenizer(tokenizer);
    std::string text;
    for (const TokenId id : ids) {
      const std::string part = detokenizer.push(id);
      EXPECT_TRUE(is_valid_utf8(part)) << "seed " << seed;
      text += part;
    }
    text += detokenizer.flush();
    EXPECT_EQ(text, tokenizer.decode(ids)) << "seed " << seed;
  }
}

}  // namespace
}  // namespace trine
