// SPDX-License-Identifier: Apache-2.0
// A downstream program with trine::pcre2.
#include <trine/text/tokenizer/pcre2_regex.hpp>
#include <trine/trine.hpp>

int main() { return trine::pcre2_regex(R"(\p{L}+)")->find_all("two words").size() == 2 ? 0 : 1; }
