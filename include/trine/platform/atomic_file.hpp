// SPDX-License-Identifier: Apache-2.0
// A file that is replaced whole or not at all.
#pragma once

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdio>  // rename
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include <trine/platform/file_error.hpp>
#include <trine/platform/output_file.hpp>

namespace trine::inline TRINE_ABI {

/// Returns whether `path` is the name of a descriptor that is open, such as /dev/fd/1: what is behind it must be
/// written to and cannot be replaced.
[[nodiscard]] inline bool is_open_descriptor(const std::filesystem::path& path) {
  std::error_code ignored;  // a folder that cannot be examined is not /proc
  return std::filesystem::canonical(path.parent_path(), ignored).native().starts_with("/proc/");
}

/// Where a file of the name `path` is, or would be: symbolic links are followed, the last of which may lead nowhere.
/// Names of open descriptors (/dev/stdout, /proc/self/fd/1) are left as they are. Throws FileError for links in a
/// circle.
[[nodiscard]] inline std::filesystem::path follow_links(const std::filesystem::path& path) {
  constexpr int kMaxLinks = 40;  // as Linux
  std::filesystem::path result = path;
  for (int i = 0; i < kMaxLinks; ++i) {
    std::error_code no_link;
    const std::filesystem::path next = std::filesystem::read_symlink(result, no_link);
    if (no_link || is_open_descriptor(result)) return result;
    result = next.is_absolute() ? next : result.parent_path() / next;
  }
  throw_file_error(path, "cannot be written", ELOOP);
}

/// Writes to a new file beside the target, under a name that nobody else has; `commit` syncs it and renames it to the
/// target. Whoever reads the target at any time finds the old file or the new one, whole, and of several writers the
/// last one wins. Without `commit`, an exception among the reasons, the target stays as it was.
///
/// Where the target is a symbolic link, the file that it leads to is replaced and the link stays. The new file has the
/// permissions of the old one. Devices, pipes and open descriptors (/dev/null, /dev/stdout) are written to directly.
class AtomicFile {
 public:
  /// Throws FileError when no file of that name can be written.
  explicit AtomicFile(std::filesystem::path path)
      : path_(std::move(path)), target_(follow_links(path_)), file_(open(), path_) {}
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;
  ~AtomicFile() {
    if (!temporary_.empty()) ::unlink(temporary_.c_str());
  }

  /// Throws FileError; the message names the target and says how many bytes were wanted where.
  void write(std::span<const std::byte> bytes) { file_.write(bytes); }
  /// The same for text.
  void write(std::string_view text) { file_.write(text); }

  /// Nothing is written after this. Throws FileError.
  void commit() {
    file_.finish();
    if (temporary_.empty()) return;
    if (::rename(temporary_.c_str(), target_.c_str()) != 0) fail(errno);
    temporary_.clear();
  }

 private:
  [[noreturn]] void fail(int code) const { throw_file_error(path_, "cannot be written", code); }

  [[nodiscard]] int open() {
    struct stat status {};
    const bool exists = ::stat(target_.c_str(), &status) == 0;
    if (exists && S_ISDIR(status.st_mode)) fail(EISDIR);
    if (is_open_descriptor(target_) || (exists && !S_ISREG(status.st_mode))) {
      const int descriptor = ::open(target_.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC);
      if (descriptor < 0) fail(errno);
      return descriptor;
    }
    const int descriptor = open_temporary();
    if (exists) static_cast<void>(::fchmod(descriptor, status.st_mode & 0777U));  // as far as the file system has them
    return descriptor;
  }

  // A name of our own: the process and a number, the first that is free. What a killed process left stays.
  [[nodiscard]] int open_temporary() {
    constexpr int kMaxAttempts = 10000;
    const std::string name = target_.filename().string().substr(0, 200);  // of at most 255 bytes
    for (int i = 0; i < kMaxAttempts; ++i) {
      temporary_ = target_;
      temporary_.replace_filename(name + "." + std::to_string(::getpid()) + "-" + std::to_string(i) + ".partial");
      const int descriptor = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
      if (descriptor >= 0) return descriptor;
      if (errno == EEXIST) continue;
      const int code = errno;
      temporary_.clear();
      fail(code);
    }
    temporary_.clear();
    fail(EEXIST);
  }

  std::filesystem::path path_;       // as errors name it
  std::filesystem::path target_;     // links followed
  std::filesystem::path temporary_;  // until commit; empty for what is written to directly
  OutputFile file_;
};

}  // namespace trine::inline TRINE_ABI
