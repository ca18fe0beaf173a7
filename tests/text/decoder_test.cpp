// SPDX-License-Identifier: Apache-2.0
#include <trine/text/tokenizer/decoder.hpp>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>

#include <trine/text/tokenizer/split.hpp>

#include "support/expect_error.hpp"

namespace trine {
namespace {

TEST(ByteLevelDecoder, TranslatesTheAlphabetAndLeavesTheRest) {
  const ByteLevelDecoder decoder;
  EXPECT_EQ(decoder.decode("\xC4\xA0the", false).bytes, " the");
  EXPECT_EQ(decoder.decode("\xC3\x83\xC2\xA9", false).bytes, "\xC3\xA9");
  EXPECT_EQ(decoder.decode("\xC3\xA9", false).bytes, "\xE9");        // U+00E9 is in the alphabet: one byte
  EXPECT_EQ(decoder.decode("two words", false).bytes, "two words");  // a space is not
  EXPECT_EQ(decoder.decode("\xE6\x97\xA5\xC4\xA0", false).bytes, "\xE6\x97\xA5\xC4\xA0");
  EXPECT_EQ(decoder.decode("<|endoftext|>", false).bytes, "<|endoftext|>");
}

// Each step may make 16 bytes of one, but not all of them together.
TEST(CharacterDecoder, RefusesStepsThatMakeTooMuchOfAText) {
  const auto steps = [] {
    std::vector<DecodeStep> result;
    for (int i = 0; i < 8; ++i) {
      auto with = std::make_unique<ReplaceNormalizer>(std::make_unique<LiteralPattern>("a"), std::string(16, 'a'));
      result.push_back({DecodeStep::Replace{std::move(with), true}});
    }
    return result;
  };
  CharacterDecoder::Steps on_tokens;
  on_tokens.on_tokens = steps();
  EXPECT_ERROR(CharacterDecoder(std::move(on_tokens)).decode("a", false), TokenizerError,
               "decoder: expected at most 4160 bytes, found 65536");
  for (const bool at_once : {false, true}) {
    CharacterDecoder::Steps on_text;
    on_text.on_text = steps();
    const CharacterDecoder decoder(std::move(on_text));
    TextAssembler assembler(decoder, at_once);
    std::string text;
    EXPECT_ERROR(assembler.push(decoder.decode("a", true), text), TokenizerError,
                 "decoder: expected at most 4160 bytes");
  }
}

// "Fuse", then a pattern of two characters: the stream waits for the end. Of one character: it does not.
TEST(TextAssembler, WaitsOnlyWhereAStepHasToSeeMore) {
  CharacterDecoder::Steps steps;
  steps.on_text.push_back(
      {DecodeStep::Replace{std::make_unique<ReplaceNormalizer>(std::make_unique<LiteralPattern>("_"), " "), true}});
  steps.on_text.push_back({DecodeStep::Strip{" ", 1, 1}});
  const CharacterDecoder decoder(std::move(steps));
  TextAssembler assembler(decoder, false);
  std::string text;
  assembler.push({"_", false}, text);
  EXPECT_EQ(text, "");
  assembler.push({"_a_", false}, text);
  EXPECT_EQ(text, " a");  // the last space may be the one at the end
  assembler.push({"b", false}, text);
  EXPECT_EQ(text, " a b");
  assembler.push({"__", false}, text);
  assembler.flush(text);
  EXPECT_EQ(text, " a b ");

  CharacterDecoder::Steps pairs;
  pairs.on_text.push_back(
      {DecodeStep::Replace{std::make_unique<ReplaceNormalizer>(std::make_unique<LiteralPattern>("ab"), "x"), false}});
  const CharacterDecoder waiting(std::move(pairs));
  TextAssembler waits(waiting, false);
  std::string all;
  waits.push({"ca", false}, all);
  waits.push({"bd", false}, all);
  EXPECT_EQ(all, "");
  waits.flush(all);
  EXPECT_EQ(all, "cxd");
}

}  // namespace
}  // namespace trine
