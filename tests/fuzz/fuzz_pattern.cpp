// SPDX-License-Identifier: Apache-2.0
// A regular expression and a text: matches in order and inside the text, or one of our errors. Input: the pattern, a
// line feed, the text.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include <trine/text/tokenizer/pcre2_regex.hpp>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const std::size_t middle = std::min(input.find('\n'), input.size());
  const std::string_view text = input.substr(std::min(middle + 1, input.size()));
  try {
    std::size_t end = 0;
    for (const trine::Regex::Match& match : trine::Pcre2Regex(input.substr(0, middle)).find_all(text)) {
      if (match.begin < end || match.end < match.begin || match.end > text.size()) std::abort();
      end = match.end;
    }
  } catch (const trine::Error&) {
  }
  return 0;
}
