// SPDX-License-Identifier: Apache-2.0
// Notes on unused content in the files of a model. Errors stop a load, notes do not.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <trine/core/abi.hpp>
#include <trine/core/glob.hpp>
#include <trine/core/printable.hpp>

namespace trine::inline TRINE_ABI {

/// An unused key or tensor, such as "rope_scaling.attn_factor" or "v_head.*", and why. Both printable.
struct Note {
  std::string subject;  ///< the key or tensor, or a pattern of names
  std::string text;     ///< why it is not used

  /// Returns whether both have the same subject and text.
  [[nodiscard]] bool operator==(const Note&) const = default;
};

/// Collects the notes of a load, and knows which unknown names the caller allows.
class Notes {
 public:
  Notes() = default;
  /// allowed: names of keys and tensors, `*` and `?` as in a shell.
  explicit Notes(std::vector<std::string> allowed) : allowed_(std::move(allowed)) {}

  /// Appends a note; its texts are made printable.
  void add(std::string_view subject, std::string_view text) { all_.push_back({printable(subject), printable(text)}); }

  /// Returns whether the caller allows `name` to stay unused. If so, the matching pattern is noted once.
  [[nodiscard]] bool allows(std::string_view name) {
    const auto allowed =
        std::ranges::find_if(allowed_, [&](const std::string& pattern) { return matches_glob(pattern, name); });
    if (allowed == allowed_.end()) return false;
    const Note note{printable(*allowed), "unknown, and ignored because the caller allows it"};
    if (std::ranges::find(all_, note) == all_.end()) all_.push_back(note);
    return true;
  }

  /// The same for a tensor, whose name is recorded.
  [[nodiscard]] bool allows_tensor(std::string_view name) {
    if (!allows(name)) return false;
    unknown_tensors_.emplace_back(name);
    return true;
  }

  /// Records a tensor that nothing uses.
  void add_unknown_tensor(std::string_view name) { unknown_tensors_.emplace_back(name); }

  /// Names of the tensors that allows_tensor() has allowed, and of those added, byte for byte.
  [[nodiscard]] const std::vector<std::string>& unknown_tensors() const noexcept { return unknown_tensors_; }
  /// The notes, in the order of their creation.
  [[nodiscard]] const std::vector<Note>& all() const noexcept { return all_; }

 private:
  std::vector<std::string> allowed_;
  std::vector<std::string> unknown_tensors_;
  std::vector<Note> all_;
};

/// Names that the reference ignores, and their purpose.
struct IgnoredNames {
  std::string_view pattern;  ///< as in core/glob.hpp
  std::string_view text;     ///< purpose of the key
};

}  // namespace trine::inline TRINE_ABI
