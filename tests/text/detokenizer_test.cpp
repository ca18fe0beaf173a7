// SPDX-License-Identifier: Apache-2.0
#include <trine/text/tokenizer/detokenizer.hpp>

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <trine/core/random.hpp>
#include <trine/text/tokenizer/character_bpe.hpp>

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

// Characters as SentencePiece has them: "<0x..>" for bytes, U+2581 for spaces.
Tokenizer sentence_piece() {
  Json document = tiny_tokenizer({});
  Json vocab = {{"<unk>", 0},
                {"\xE2\x96\x81", 1},
                {"a", 2},
                {"\xE2\x96\x81"
                 "b",
                 3}};
  for (unsigned byte = 0; byte < 256; ++byte) vocab[byte_fallback_token(static_cast<std::uint8_t>(byte))] = 256 + byte;
  document["model"].update({{"vocab", vocab}, {"merges", Json::array()}, {"byte_fallback", true}});
  document["pre_tokenizer"] = nullptr;
  document["decoder"] = Json::parse(R"({"type": "Sequence", "decoders": [
      {"type": "Replace", "pattern": {"String": "\u2581"}, "content": " "}, {"type": "ByteFallback"}, {"type": "Fuse"},
      {"type": "Strip", "content": " ", "start": 1, "stop": 0}]})");
  return make_tokenizer(document);
}

TEST(Detokenizer, HoldsBytesOfACharacterBackAndTheFirstSpace) {
  Detokenizer detokenizer(sentence_piece());
  EXPECT_EQ(detokenizer.push(1), "");  // the one space that is stripped
  EXPECT_EQ(detokenizer.push(3), " b");
  EXPECT_EQ(detokenizer.push(256 + 0xC3), "");
  EXPECT_EQ(detokenizer.push(256 + 0xA9), "\xC3\xA9");
  EXPECT_EQ(detokenizer.push(256 + 0xC3), "");
  EXPECT_EQ(detokenizer.push(2),
            "\xEF\xBF\xBD"
            "a");
  EXPECT_EQ(detokenizer.push(256 + 0xE2), "");
  EXPECT_EQ(detokenizer.push(256 + 0x82), "");
  EXPECT_EQ(detokenizer.flush(), "\xEF\xBF\xBD\xEF\xBF\xBD");  // one for each byte
  EXPECT_EQ(detokenizer.push(3), "b");                         // a new text
}

// Hugging Face tokenizers takes a run of byte tokens for one text; what a stream has shown, it has shown.
TEST(Detokenizer, DiffersFromDecodeWhereARunOfBytesIsNotUtf8) {
  const std::vector<TokenId> ids = {256 + 0xC3, 256 + 0xA9, 256 + 0xFF};
  const Tokenizer tokenizer = sentence_piece();
  EXPECT_EQ(tokenizer.decode(ids), "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD");
  Detokenizer detokenizer(tokenizer);
  std::string text;
  for (const TokenId id : ids) text += detokenizer.push(id);
  EXPECT_EQ(text, "\xC3\xA9\xEF\xBF\xBD");
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
