// SPDX-License-Identifier: Apache-2.0
#include <trine/text/tokenizer/byte_level.hpp>

#include <set>
#include <string>

#include <gtest/gtest.h>

namespace trine {
namespace {

TEST(ByteLevel, KnowsTheCharactersOfGpt2) {
  EXPECT_EQ(byte_character('a'), U'a');
  EXPECT_EQ(byte_character(' '), U'\u0120');
  EXPECT_EQ(byte_character('\n'), U'\u010A');
  EXPECT_EQ(byte_character(0), U'\u0100');
  EXPECT_EQ(byte_character(0x7F), U'\u0121');
  EXPECT_EQ(byte_character(0xAD), U'\u0143');
  EXPECT_EQ(byte_character(0xFF), U'\u00FF');
}

TEST(ByteLevel, EveryByteHasACharacterOfItsOwn) {
  std::set<char32_t> seen;
  for (unsigned byte = 0; byte < 256; ++byte) {
    const char32_t character = byte_character(static_cast<std::uint8_t>(byte));
    EXPECT_TRUE(seen.insert(character).second);
    EXPECT_EQ(byte_of_character(character), byte);
  }
  for (char32_t c = 0; c < 0x400; ++c) EXPECT_EQ(byte_of_character(c).has_value(), seen.count(c) == 1);
}

TEST(ByteLevel, TextsSurviveTheRoundTrip) {
  std::string all;
  for (int byte = 255; byte >= 0; --byte) all += static_cast<char>(byte);
  EXPECT_TRUE(is_valid_utf8(to_byte_characters(all)));
  EXPECT_EQ(from_byte_characters(to_byte_characters(all)), all);
  EXPECT_EQ(to_byte_characters(" \xC3\xA9"), "\xC4\xA0\xC3\x83\xC2\xA9");
}

TEST(ByteLevel, RefusesWhatIsOutsideTheAlphabet) {
  EXPECT_EQ(from_byte_characters("a b"), std::nullopt);
  EXPECT_EQ(from_byte_characters("\xE6\x97\xA5"), std::nullopt);
  EXPECT_EQ(from_byte_characters("a\xC3"), std::nullopt);
  EXPECT_EQ(from_byte_characters(""), "");
}

}  // namespace
}  // namespace trine
