// SPDX-License-Identifier: Apache-2.0
// The name of an input in messages, and the details of errors about it.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <trine/core/error.hpp>

namespace trine::inline TRINE_ABI {

/// The name of an input: a file, or a part of one. Converts from a file name.
struct SourceName {
  /// A whole file, which is the path of its errors.
  SourceName(std::string file) : text(file), path(std::move(file)) {}
  /// The same for a literal.
  SourceName(const char* file) : SourceName(std::string(file)) {}
  /// "FILE: PART", such as "model.safetensors: tensor 'norm.weight'", whose field is norm.weight.
  SourceName(std::string file, std::string_view part, std::string part_field = {})
      : text(file + ": " + std::string(part)), path(std::move(file)), field(std::move(part_field)) {}

  /// The details of an error about `key`; "" is the source itself.
  [[nodiscard]] ErrorDetails details(std::string_view key, std::optional<ErrorKind> kind = {}) const {
    const char* dot = field.empty() || key.empty() ? "" : ".";
    return {kind, path, field + dot + std::string(key)};
  }

  std::string text;        ///< how messages begin: "FILE" or "FILE: PART"
  std::string path;        ///< ErrorDetails::path of errors about it
  std::string field = {};  ///< ErrorDetails::field of errors about it, before the key
};

}  // namespace trine::inline TRINE_ABI
