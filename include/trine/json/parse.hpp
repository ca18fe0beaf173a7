// SPDX-License-Identifier: Apache-2.0
// The one JSON parser: nlohmann/json with the limits that untrusted files need.
//   depth at most 128 (later copies and destructors recurse), strict UTF-8 and no NaN (by the library),
//   duplicate keys refused, position in every error.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include <trine/core/error.hpp>
#include <trine/core/source_name.hpp>
#include <trine/json/fwd.hpp>
#include <trine/platform/mapped_file.hpp>

namespace trine::inline TRINE_ABI {

/// Maximum nesting of arrays and objects.
inline constexpr std::size_t kMaxJsonDepth = 128;
inline constexpr std::uint64_t kMaxJsonBytes = std::uint64_t{256} << 20U;  ///< Maximum bytes of a JSON file.

/// Parses `text`; `source` names its origin in errors. Throws ConfigError.
[[nodiscard]] TRINE_DECL Json parse_json(std::string_view text, const SourceName& source);

/// The keys of object `field` of a valid document in the order of the text, which Json does not keep; empty if there is
/// none.
[[nodiscard]] TRINE_DECL std::vector<std::string> keys_in_order(std::string_view text, std::string_view field);

/// Reads and parses a file of at most 256 MiB. Throws FileError, ConfigError; messages name `path`.
[[nodiscard]] inline Json read_json_file(const std::filesystem::path& path) {
  return parse_json(read_text_file(path, kMaxJsonBytes), path.string());
}

}  // namespace trine::inline TRINE_ABI

#if TRINE_HEADER_ONLY
#include <trine/json/parse.inl>
#endif
