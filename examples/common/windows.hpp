// SPDX-License-Identifier: Apache-2.0
// A text of any length in windows that do not overlap: how trine-perplexity and trine-routing-report read it.
#pragma once

#include <algorithm>
#include <cstddef>

#include "common/model.hpp"

namespace example {

/// Tokens of a window. `wanted` 0: 512, or as many as the model can. Throws CapacityError when the model cannot.
[[nodiscard]] inline std::size_t window_size(const trine::Model& model, std::size_t wanted) {
  require_fit(model, wanted);
  return wanted != 0 ? wanted : std::min<std::size_t>(512, model.info().max_position_embeddings);
}

/// Calls visit(begin, count) for each window of `tokens` tokens; the last one may be shorter.
template <class Visit>
void for_each_window(std::size_t tokens, std::size_t window, const Visit& visit) {
  for (std::size_t begin = 0; begin < tokens; begin += window) visit(begin, std::min(window, tokens - begin));
}

}  // namespace example
