// SPDX-License-Identifier: Apache-2.0
// EXPECT_THAT(values(view.row(1)), ElementsAre(3, 4, 5)): matchers of GoogleTest before 1.12 do not take a std::span.
#pragma once

#include <ranges>
#include <vector>

namespace trine::test {

template <std::ranges::input_range Range>
[[nodiscard]] auto values(const Range& range) {
  return std::vector<std::ranges::range_value_t<Range>>(range.begin(), range.end());
}

}  // namespace trine::test
