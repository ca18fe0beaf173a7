// SPDX-License-Identifier: Apache-2.0
// Shapes of tensors: formatting, and checks at the entry of a layer.
#pragma once

#include <algorithm>
#include <cstddef>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>

#include <trine/core/error.hpp>

namespace trine::inline TRINE_ABI {

/// "[2, 3, 4]"
[[nodiscard]] inline std::string to_string(std::span<const std::size_t> shape) {
  std::string text = "[";
  for (std::size_t i = 0; i < shape.size(); ++i) text += (i == 0 ? "" : ", ") + std::to_string(shape[i]);
  return text + "]";
}

/// Throws ShapeError "`what`: expected shape [..], found [..]" unless both agree. The message is built only on failure.
inline void require_shape(std::string_view what, std::span<const std::size_t> expected,
                          std::span<const std::size_t> found) {
  if (std::ranges::equal(expected, found)) return;
  throw ShapeError(std::string(what) + ": expected shape " + to_string(expected) + ", found " + to_string(found),
                   {.field = std::string(what)});
}

/// The same for extents written out, as in `require_shape("input", {1, hidden}, x.shape())`.
inline void require_shape(std::string_view what, std::initializer_list<std::size_t> expected,
                          std::span<const std::size_t> found) {
  require_shape(what, std::span(expected.begin(), expected.size()), found);
}

}  // namespace trine::inline TRINE_ABI
