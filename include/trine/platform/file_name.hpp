// SPDX-License-Identifier: Apache-2.0
// Files whose names come from data: the one gate that such a name passes before anything is opened.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>

#include <trine/core/error.hpp>

namespace trine::inline TRINE_ABI {

/// Does `name` name a file of the folder that it is looked up in, and no other? No separator of any system, no control
/// character (NUL ends a path), nothing that begins with a dot (".." is another folder), at most 255 bytes.
///
/// Links are not resolved: who can put a link into the folder can as well replace its config.json by one, and the cache
/// of Hugging Face consists of links to ../../blobs. What a link leads to must still be a regular file (MappedFile).
[[nodiscard]] constexpr bool is_plain_file_name(std::string_view name) noexcept {
  if (name.empty() || name.size() > 255 || name.front() == '.') return false;
  return std::ranges::none_of(name, [](char c) {
    return c == '/' || c == '\\' || c == ':' || static_cast<unsigned char>(c) < 0x20 || c == '\x7f';
  });
}

}  // namespace trine::inline TRINE_ABI
