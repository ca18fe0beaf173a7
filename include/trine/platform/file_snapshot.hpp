// SPDX-License-Identifier: Apache-2.0
// Detects whether a file has changed.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <filesystem>
#include <optional>

#include <trine/core/abi.hpp>

namespace trine::inline TRINE_ABI {

/// The identity, size and modification time of a file. A change within one tick of the file system's clock that keeps
/// the size is not detected.
struct FileSnapshot {
  std::uint64_t device = 0;
  std::uint64_t node = 0;
  std::uint64_t size = 0;
  std::int64_t seconds = 0;
  std::int64_t nanoseconds = 0;

  bool operator==(const FileSnapshot&) const = default;

  /// nullopt if there is no such file; follows links.
  [[nodiscard]] static std::optional<FileSnapshot> of(const std::filesystem::path& path) noexcept {
    struct stat status {};
    if (::stat(path.c_str(), &status) != 0) return std::nullopt;
    return FileSnapshot{static_cast<std::uint64_t>(status.st_dev), static_cast<std::uint64_t>(status.st_ino),
                        static_cast<std::uint64_t>(status.st_size), static_cast<std::int64_t>(status.st_mtim.tv_sec),
                        static_cast<std::int64_t>(status.st_mtim.tv_nsec)};
  }
};

}  // namespace trine::inline TRINE_ABI
