// SPDX-License-Identifier: Apache-2.0
// Layers as people write them: "0,5-7".
#pragma once

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <iterator>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include <trine/core/error.hpp>

#include "common/program.hpp"

namespace example {

/// Those of `routed`, the layers with a router, ascending, that `text` names; none for an empty text. Throws UsageError
/// for what is no list, and for a part of it that names none of them.
[[nodiscard]] inline std::vector<std::size_t> chosen_layers(std::string_view text,
                                                            const std::vector<std::size_t>& routed) {
  std::vector<std::size_t> chosen;
  const auto fail = [&](std::string_view part) {
    throw UsageError("--layers: expected layers with a router, from " + std::to_string(routed.front()) + " to " +
                     std::to_string(routed.back()) + ", such as 0,5-7, found " + trine::in_quotes(part));
  };
  const auto number = [&](std::string_view digits, std::string_view part) {
    std::size_t value = 0;
    const auto [rest, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (error != std::errc() || rest != digits.data() + digits.size()) fail(part);
    return value;
  };
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find(',', begin), text.size());
    const std::string_view part = text.substr(begin, end - begin);
    const std::size_t dash = part.find('-');
    const std::size_t first = number(part.substr(0, dash), part);
    const std::size_t last = dash == std::string_view::npos ? first : number(part.substr(dash + 1), part);
    const std::size_t before = chosen.size();
    std::ranges::copy_if(routed, std::back_inserter(chosen),
                         [&](std::size_t layer) { return layer >= first && layer <= last; });
    if (chosen.size() == before) fail(part);
    begin = end + 1;
  }
  if (text.ends_with(',')) fail("");
  std::ranges::sort(chosen);
  chosen.erase(std::unique(chosen.begin(), chosen.end()), chosen.end());
  return chosen;
}

}  // namespace example
