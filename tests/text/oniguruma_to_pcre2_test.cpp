// SPDX-License-Identifier: Apache-2.0
// What the translated patterns match is tested against Oniguruma in split_test.cpp.
#include <trine/text/tokenizer/oniguruma_to_pcre2.hpp>

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "support/expect_error.hpp"

namespace trine {
namespace {

TEST(OnigurumaToPcre2, SpellsOutWhatThePairReadsDifferently) {
  EXPECT_EQ(oniguruma_to_pcre2("a b1").text, "a b1");
  EXPECT_EQ(oniguruma_to_pcre2("#").text, "\\x{23}");
  EXPECT_EQ(oniguruma_to_pcre2("\xE4\xB8\xAD").text, "\\x{4e2d}");
  EXPECT_EQ(oniguruma_to_pcre2("a{1,3}+").text, "(?:a{1,3})+");
  EXPECT_EQ(oniguruma_to_pcre2("a{,3}").text, "a{0,3}");
  EXPECT_EQ(oniguruma_to_pcre2("^.$").text, "(?m:^)[^\\x{a}](?m:$)");
  EXPECT_EQ(oniguruma_to_pcre2("[a-c&&[b]]").text, "(?:(?=[\\x{61}-\\x{63}])(?:[\\x{62}]))");
  EXPECT_EQ(oniguruma_to_pcre2("(?i:'s)").text, "(?i:\\x{27}s)");
  EXPECT_EQ(oniguruma_to_pcre2("a++").text, "(?:(?C1)a++(?C2))");
}

struct Refusal {
  std::string pattern;
  std::string message;
};

TEST(OnigurumaToPcre2, RefusesByNameWhatItDoesNotKnow) {
  const std::vector<Refusal> refusals = {
      {"\\bx", "'\\b' is not supported at byte 2"},
      {"(a)\\1", "'\\1' is not supported"},
      {"\\Ga", "'\\G' is not supported"},
      {"\\X", "'\\X' is not supported"},
      {"\\R", "'\\R' is not supported"},
      {"\\k<a>", "'\\k' is not supported"},
      {"\\pL", "'\\p without {' is not supported"},
      {"\\p{Thai}", "'\\p{Thai}' is not supported"},
      {"\\p{C}", "'\\p{C}' is not supported"},
      {"\\p{L", "expected '}'"},
      {"\\p{}", "'\\p{}' is not supported"},
      {"\\xZZ", "expected \\x{HEX}"},
      {"\\x80", "expected \\x{HEX}, \\xHH below 80"},
      {"\\x{110000}", "expected \\x{HEX}"},
      {"\\x{d800}", "expected \\x{HEX}"},
      {"\\u12", "expected \\x{HEX}"},
      {"\\", "expected a character, found the end at byte 1"},
      {"(?<x>a)", "'(?<x' is not supported"},
      {"(?#x)a", "'(?#x' is not supported"},
      {"(?x:a)", "'(?x:' is not supported"},
      {"(?s:.)", "'(?s:' is not supported"},
      {"(?R)", "'(?R)' is not supported"},
      {"(?(1)a|b)", "'(?(1' is not supported"},
      {"(?C1)", "'(?C1' is not supported"},
      {"(*UTF)", "'(*UT' is not supported"},
      {"a(?i)b", "'(?i)' is not supported"},
      {"(?i)SS", "'(?i) of SS' is not supported"},
      {"(?i:fi)", "'(?i) of fi' is not supported"},
      {"(a", "expected ')', found the end"},
      {"a)", "expected a '(' before ')'"},
      {"*a", "expected something to repeat at byte 0"},
      {"a**", "'a repetition of a repetition' is not supported"},
      {"a{2}{3}", "'a repetition of a repetition' is not supported"},
      {"a{2}?", "'{n}?' is not supported"},
      {"a{3,1}", "'{3,1}' is not supported"},
      {"a{500}", "expected at most 256 repetitions by {n,m}, found more"},
      {"(?:a{20}){20}", "expected at most 256 repetitions by {n,m}, found more"},
      {"(?:a{200}){200}{0}", "expected at most 256 repetitions by {n,m}, found more"},
      {"a{4294967295}", "expected at most 256 repetitions by {n,m}, found more"},
      {"\\w", "'\\w' is not supported"},
      {"[a", "expected ']', found the end"},
      {"[]", "'] first in a class' is not supported"},
      {"[]a]", "'] first in a class' is not supported"},
      {"[a&&]", "'an empty class' is not supported"},
      {"[[:alpha:]]", "'[:' is not supported"},
      {"[z-a]", "expected the end of a range not before its beginning"},
      {"[\\s-z]", "'a range that begins with a set' is not supported"},
      {"[a-\\d]", "'a range that ends with a set' is not supported"},
      {"[a-[b]]", "'a range that ends with a class' is not supported"},
      {"\xFF", "expected UTF-8"},
      {std::string(1000, '(') + std::string(1000, ')'), "expected at most 64 nested groups, found more"},
      {std::string(100, '[') + "a" + std::string(100, ']'), "expected at most 64 nested classes, found more"}};
  for (const Refusal& refusal : refusals) {
    SCOPED_TRACE(refusal.pattern);
    EXPECT_ERROR(oniguruma_to_pcre2(refusal.pattern), TokenizerError, refusal.message);
  }
  EXPECT_EQ(oniguruma_to_pcre2("a{99999999999}").text, "a\\x{7b}99999999999\\x{7d}");  // no number, so a text
}

}  // namespace
}  // namespace trine
