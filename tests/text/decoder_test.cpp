// SPDX-License-Identifier: Apache-2.0
#include <trine/text/decoder.hpp>

#include <gtest/gtest.h>

namespace trine {
namespace {

TEST(ByteLevelDecoder, TranslatesTheAlphabetAndLeavesTheRest) {
  const ByteLevelDecoder decoder;
  EXPECT_EQ(decoder.bytes("\xC4\xA0the"), " the");
  EXPECT_EQ(decoder.bytes("\xC3\x83\xC2\xA9"), "\xC3\xA9");
  EXPECT_EQ(decoder.bytes("\xC3\xA9"), "\xE9");        // U+00E9 is in the alphabet: one byte
  EXPECT_EQ(decoder.bytes("two words"), "two words");  // a space is not
  EXPECT_EQ(decoder.bytes("\xE6\x97\xA5\xC4\xA0"), "\xE6\x97\xA5\xC4\xA0");
  EXPECT_EQ(decoder.bytes("<|endoftext|>"), "<|endoftext|>");
}

}  // namespace
}  // namespace trine
