// SPDX-License-Identifier: Apache-2.0
// Token ids as people and programs write them: "1,2,3" or "1 2 3".
#pragma once

#include <charconv>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include <trine/core/error.hpp>
#include <trine/core/token_id.hpp>

namespace example {

/// Ids with spaces, line breaks or commas between them. Throws InputError for what is no id.
[[nodiscard]] inline std::vector<trine::TokenId> parse_token_ids(std::string_view text) {
  constexpr std::string_view kBetween = " \t\r\n,";
  std::vector<trine::TokenId> ids;
  for (std::size_t begin = text.find_first_not_of(kBetween); begin != std::string_view::npos;) {
    const std::size_t end = std::min(text.find_first_of(kBetween, begin), text.size());
    const std::string_view word = text.substr(begin, end - begin);
    trine::TokenId id = 0;
    const auto [rest, error] = std::from_chars(word.data(), word.data() + word.size(), id);
    if (error != std::errc() || rest != word.data() + word.size())
      throw trine::InputError("token ids: expected numbers such as 1,2,3, found " + trine::in_quotes(word));
    ids.push_back(id);
    begin = text.find_first_not_of(kBetween, end);
  }
  return ids;
}

}  // namespace example
