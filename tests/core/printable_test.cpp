// SPDX-License-Identifier: Apache-2.0
#include <trine/core/printable.hpp>

#include <string>
#include <string_view>

#include <gtest/gtest.h>

namespace trine {
namespace {

TEST(Printable, KeepsPrintableUtf8AsItIs) {
  EXPECT_EQ(printable(""), "");
  EXPECT_EQ(printable("q_proj.weight ~"), "q_proj.weight ~");
  EXPECT_EQ(printable("Modèle/模型/\U0001F600"), "Modèle/模型/\U0001F600");
  EXPECT_EQ(printable(std::string(1000, 'a')), std::string(1000, 'a'));
}

TEST(Printable, EscapesControlCharacters) {
  EXPECT_EQ(printable(std::string_view("\0\n\r\t\x1b[31m\x7f", 10)), "\\x00\\x0a\\x0d\\x09\\x1b[31m\\x7f");
  EXPECT_EQ(printable("\u009b31m"), "\\xc2\\x9b31m");                                           // CSI of Latin-1
  EXPECT_EQ(printable("a\u2028b\u2029"), "a\\xe2\\x80\\xa8b\\xe2\\x80\\xa9");                   // lines
  EXPECT_EQ(printable("\u202e\u2066\u200f"), "\\xe2\\x80\\xae\\xe2\\x81\\xa6\\xe2\\x80\\x8f");  // directions
}

TEST(Printable, EscapesWhatIsNotUtf8) {
  EXPECT_EQ(printable("a\xff.b"), "a\\xff.b");
  EXPECT_EQ(printable("\xc3"), "\\xc3");                    // cut
  EXPECT_EQ(printable("\xe2\x82x"), "\\xe2\\x82x");         // cut, and text after it
  EXPECT_EQ(printable("\xc0\xaf"), "\\xc0\\xaf");           // overlong
  EXPECT_EQ(printable("\xed\xa0\x80"), "\\xed\\xa0\\x80");  // a surrogate
}

TEST(Printable, ChangesNothingTheSecondTime) {
  for (int first = 0; first < 256; ++first) {
    for (int second = 0; second < 256; ++second) {
      const std::string once = printable(std::string{static_cast<char>(first), static_cast<char>(second)});
      EXPECT_EQ(printable(once), once) << first << ' ' << second;
    }
  }
}

TEST(InQuotes, KeepsPrintableTextAsItIs) { EXPECT_EQ(in_quotes("q_proj.weight ~"), "'q_proj.weight ~'"); }

TEST(InQuotes, IsTwoQuotesForNothing) { EXPECT_EQ(in_quotes(""), "''"); }

TEST(InQuotes, EscapesControlAndNonAsciiBytes) {
  EXPECT_EQ(in_quotes(std::string_view("\0\n\x1b[31m\x7f\xff", 9)), "'\\x00\\x0a\\x1b[31m\\x7f\\xff'");
}

TEST(InQuotes, CutsAfterSixtyFourBytesAndSaysSo) {
  EXPECT_EQ(in_quotes(std::string(64, 'a')), "'" + std::string(64, 'a') + "'");
  EXPECT_EQ(in_quotes(std::string(65, 'a')), "'" + std::string(64, 'a') + "...'");
}

TEST(InQuotes, IsPrintableWhateverItIsGiven) {
  for (int first = 0; first < 256; ++first) {
    for (const char c : in_quotes(std::string(3, static_cast<char>(first)))) {
      EXPECT_GE(c, ' ') << "byte " << first;
      EXPECT_LT(c, 0x7f) << "byte " << first;
    }
  }
}

}  // namespace
}  // namespace trine
