// SPDX-License-Identifier: Apache-2.0
// A directory that is created atomically.
#pragma once

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>  // rename
#include <filesystem>
#include <initializer_list>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include <trine/core/error.hpp>
#include <trine/platform/file_error.hpp>
#include <trine/platform/output_file.hpp>

namespace trine::inline TRINE_ABI {

/// Files are written to `target`.partial; `commit` syncs all of it to disk and renames it to `target`. Without
/// `commit`, for example after an exception, it is removed.
///
/// A killed run leaves a `target`.partial that contains the file kMarker, on which a live run holds a lock. The next
/// run for the same target takes over such a directory, and clears it unless it asks to keep what is there. A directory
/// without a marker, or with a locked one, is an error.
class OutputDirectory {
 public:
  static constexpr const char* kMarker = ".trine-partial";

  /// The files of a killed run.
  enum class Leftover : bool {
    cleared,  ///< removed
    kept,     ///< stay, until clear()
  };

  /// Throws FileError if `target` exists: nothing is ever overwritten.
  explicit OutputDirectory(const std::filesystem::path& target, Leftover leftover = Leftover::cleared)
      : target_(without_trailing_slash(target)), partial_(target_.string() + ".partial") {
    require_no_target();
    const bool made = ::mkdir(partial_.c_str(), 0777) == 0;
    if (!made && errno != EEXIST) fail(partial_, "cannot be made", errno);
    if (!made && !std::filesystem::is_directory(std::filesystem::symlink_status(partial_))) fail_foreign();  // a link
    lock(made);
    if (!made && leftover == Leftover::cleared) clear();
  }
  OutputDirectory(const OutputDirectory&) = delete;
  OutputDirectory& operator=(const OutputDirectory&) = delete;
  ~OutputDirectory() {
    if (marker_.value >= 0) remove_partial();
  }

  /// The location of the files until `commit`.
  [[nodiscard]] const std::filesystem::path& path() const noexcept { return partial_; }

  /// A new file in it, which must be finished before `commit`. Throws FileError.
  [[nodiscard]] OutputFile create(std::string_view name) const { return OutputFile(partial_ / name); }

  /// Removes all files but these. Throws FileError if one cannot be removed: a folder that is not empty, which no run
  /// makes.
  void clear(std::initializer_list<std::string_view> except = {}) const {
    for (const auto& entry : std::filesystem::directory_iterator(partial_)) {
      const std::filesystem::path name = entry.path().filename();
      if (name == kMarker || std::ranges::any_of(except, [&](std::string_view one) { return name == one; })) continue;
      std::error_code error;
      std::filesystem::remove(entry.path(), error);
      if (error) fail(entry.path(), "cannot be removed", error.value());
    }
  }

  /// Throws FileError if it cannot be synced or renamed, or if `target` has been created meanwhile.
  void commit() {
    sync(partial_);
    require_no_target();
    if (::rename(partial_.c_str(), target_.c_str()) != 0) fail(partial_, "cannot be renamed", errno);
    marker_.close();
    ::unlink((target_ / kMarker).c_str());  // afterwards, so that a complete directory always has a name or a marker
    sync(target_.has_parent_path() ? target_.parent_path() : ".");
  }

 private:
  struct Descriptor {
    ~Descriptor() { close(); }
    void close() noexcept {
      if (value >= 0) ::close(std::exchange(value, -1));
    }
    int value = -1;
  };

  static std::filesystem::path without_trailing_slash(const std::filesystem::path& path) {
    return path.has_filename() ? path : path.parent_path();
  }
  [[noreturn]] static void fail(const std::filesystem::path& path, const char* what, int code) {
    throw_file_error(path, what, code);
  }

  void require_no_target() const {
    std::error_code ignored;  // a path that cannot be examined cannot be created either
    if (std::filesystem::exists(std::filesystem::symlink_status(target_, ignored)))
      throw FileError(target_.string() + ": expected a name that is free, found something there; it stays as it is",
                      {.kind = ErrorKind::wrong_state, .path = target_.string()});
  }

  void lock(bool made) {
    const int flags = O_RDWR | O_CLOEXEC | O_NOFOLLOW | (made ? O_CREAT | O_EXCL : 0);
    const std::filesystem::path marker = partial_ / kMarker;
    marker_.value = ::open(marker.c_str(), flags, 0666);
    const int code = marker_.value < 0 || ::flock(marker_.value, LOCK_EX | LOCK_NB) != 0 ? errno : 0;
    if (code == EWOULDBLOCK)
      throw FileError(partial_.string() + ": another run is writing it",
                      {.kind = ErrorKind::wrong_state, .path = partial_.string()});
    if (code == 0) return;
    if (made) {
      ::unlink(marker.c_str());
      ::rmdir(partial_.c_str());
      fail(marker, "cannot be made and locked", code);
    }
    if (marker_.value >= 0) fail(marker, "cannot be locked", code);
    fail_foreign();
  }
  [[noreturn]] void fail_foreign() const {
    throw FileError(partial_.string() + ": expected nothing, or what an interrupted run left; found neither: remove it",
                    {.kind = ErrorKind::wrong_state, .path = partial_.string()});
  }

  void remove_partial() const noexcept {
    try {
      clear();
      ::unlink((partial_ / kMarker).c_str());
      ::rmdir(partial_.c_str());
    } catch (...) {  // files that cannot be removed stay under the partial name
    }
  }

  static void sync(const std::filesystem::path& directory) {
    const Descriptor descriptor{::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    if (descriptor.value < 0) fail(directory, "cannot be opened", errno);
    if (::fsync(descriptor.value) != 0 && errno != EINVAL)  // EINVAL: the file system does not support syncing
      fail(directory, "cannot be synced", errno);
  }

  std::filesystem::path target_;
  std::filesystem::path partial_;
  Descriptor marker_;  // its lock ends with the process
};

}  // namespace trine::inline TRINE_ABI
