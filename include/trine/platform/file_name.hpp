// SPDX-License-Identifier: Apache-2.0
// The check of file names that come from data, before anything is opened.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>

#include <trine/core/error.hpp>

namespace trine::inline TRINE_ABI {

/// Returns whether `name` can only name a file in the folder in which it is looked up: no path separator of any system,
/// no control character (NUL ends a path), no leading dot (".." is another folder), at most 255 bytes.
///
/// Links are not resolved: anyone who can create a link in the folder can also replace its config.json, and the cache
/// of Hugging Face consists of links to ../../blobs. The target of a link must still be a regular file (MappedFile).
[[nodiscard]] constexpr bool is_plain_file_name(std::string_view name) noexcept {
  if (name.empty() || name.size() > 255 || name.front() == '.') return false;
  return std::ranges::none_of(name, [](char c) {
    return c == '/' || c == '\\' || c == ':' || static_cast<unsigned char>(c) < 0x20 || c == '\x7f';
  });
}

}  // namespace trine::inline TRINE_ABI
