// SPDX-License-Identifier: Apache-2.0
#include <trine/text/decoder.hpp>

#include <gtest/gtest.h>

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

}  // namespace
}  // namespace trine
