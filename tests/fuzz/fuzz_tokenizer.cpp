// SPDX-License-Identifier: Apache-2.0
// tokenizer.json, and a text for what it describes: ids that exist and valid UTF-8, or one of our errors. Input: both,
// with "\n---\n" between.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include <trine/text/tokenizer/detokenizer.hpp>
#include <trine/text/tokenizer/hf_tokenizer_json.hpp>
#include <trine/text/tokenizer/pcre2_regex.hpp>
#include <trine/text/tokenizer/tokenizer.hpp>

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  constexpr std::string_view kSeparator = "\n---\n";
  const std::size_t middle = std::min(input.find(kSeparator), input.size());
  const std::string_view text = input.substr(std::min(middle + kSeparator.size(), input.size()));
  try {
    const trine::Tokenizer tokenizer(
        trine::parse_hf_tokenizer_json(input.substr(0, middle), "tokenizer.json", trine::pcre2_regex));
    for (const bool parse_special : {false, true}) {
      const std::vector<trine::TokenId> ids =
          tokenizer.encode(text, {.parse_special = parse_special, .replace_invalid_utf8 = parse_special});
      trine::Detokenizer stream(tokenizer);
      std::string streamed;
      for (const trine::TokenId id : ids) {
        require(tokenizer.has_token(id));
        streamed += stream.push(id);
      }
      streamed += stream.flush();
      require(trine::is_valid_utf8(streamed));
      require(trine::is_valid_utf8(tokenizer.decode(ids, false)));
    }
  } catch (const trine::Error&) {
  }
  return 0;
}
