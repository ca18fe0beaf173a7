// SPDX-License-Identifier: Apache-2.0
// A file that is replaced atomically.
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

/// Returns whether `path` names an open descriptor, such as /dev/fd/1, which must be written to directly and cannot be
/// replaced.
[[nodiscard]] inline bool is_open_descriptor(const std::filesystem::path& path) {
  std::error_code ignored;  // a directory that cannot be examined is not /proc
  return std::filesystem::canonical(path.parent_path(), ignored).native().starts_with("/proc/");
}

/// The location of the file `path`, which need not exist: symbolic links are followed, of which the last may be
/// dangling. Names of open descriptors (/dev/stdout, /proc/self/fd/1) are unchanged. Throws FileError for circular
/// links.
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

/// Writes to a new file in the directory of the target, under a unique name; `commit` syncs it and renames it to the
/// target. At any time a reader finds the complete old or new file, and of several writers the last one wins. Without
/// `commit`, for example after an exception, the target is unchanged.
///
/// If the target is a symbolic link, the file to which it points is replaced and the link stays. The new file has the
/// permissions of the old one. Devices, pipes and open descriptors (/dev/null, /dev/stdout) are written to directly.
class AtomicFile {
 public:
  /// Throws FileError if no file of that name can be written.
  explicit AtomicFile(std::filesystem::path path)
      : path_(std::move(path)), target_(follow_links(path_)), file_(open(), path_) {}
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;
  ~AtomicFile() {
    if (!temporary_.empty()) ::unlink(temporary_.c_str());
  }

  /// Throws FileError; the message names the target, the number of bytes and the offset.
  void write(std::span<const std::byte> bytes) { file_.write(bytes); }
  /// The same for text.
  void write(std::string_view text) { file_.write(text); }

  /// No writes may follow. Throws FileError.
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
    if (exists) static_cast<void>(::fchmod(descriptor, status.st_mode & 0777U));  // if the file system supports them
    return descriptor;
  }

  // A unique name: the process id and the first free number. Files of killed processes stay.
  [[nodiscard]] int open_temporary() {
    constexpr int kMaxAttempts = 10000;
    const std::string name = target_.filename().string().substr(0, 200);  // names have at most 255 bytes
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
  std::filesystem::path temporary_;  // until commit; empty if written directly
  OutputFile file_;
};

}  // namespace trine::inline TRINE_ABI
