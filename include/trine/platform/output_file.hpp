// SPDX-License-Identifier: Apache-2.0
// A new file, written sequentially, with every write checked.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include <trine/platform/file_error.hpp>

namespace trine::inline TRINE_ABI {

/// Owns the descriptor, not the file: the destructor leaves the file (OutputDirectory and AtomicFile remove it).
class OutputFile {
 public:
  /// Creates a file. Throws FileError if the name exists, including symbolic links, or the file cannot be created.
  explicit OutputFile(std::filesystem::path path)
      : OutputFile(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666), path) {
    if (descriptor_ < 0) fail("cannot be made", errno);
  }
  /// Takes ownership of a descriptor that is open for writing; errors name `path`.
  OutputFile(int descriptor, std::filesystem::path path) : path_(std::move(path)), descriptor_(descriptor) {}
  OutputFile(OutputFile&& other) noexcept
      : path_(std::move(other.path_)), descriptor_(std::exchange(other.descriptor_, -1)), size_(other.size_) {}
  OutputFile& operator=(OutputFile&&) = delete;
  ~OutputFile() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }

  /// Opens an existing file, of which the first `size` bytes stay, and continues after them. Throws FileError; also if
  /// it is a symbolic link or shorter.
  OutputFile(std::filesystem::path path, std::uint64_t size)
      : path_(std::move(path)), descriptor_(::open(path_.c_str(), O_WRONLY | O_NOFOLLOW | O_CLOEXEC)), size_(size) {
    if (descriptor_ < 0) fail("cannot be opened", errno);
    const ::off_t end = ::lseek(descriptor_, 0, SEEK_END);
    if (end < 0 || static_cast<std::uint64_t>(end) < size)
      fail("is shorter than " + std::to_string(size) + " bytes", EINVAL);
    if (::ftruncate(descriptor_, static_cast<::off_t>(size)) != 0 ||
        ::lseek(descriptor_, static_cast<::off_t>(size), SEEK_SET) < 0)
      fail("cannot be cut to " + std::to_string(size) + " bytes", errno);
  }

  /// Reserves `bytes` if the file system supports it, so that a disk that is too small is detected before the work.
  /// Throws FileError if there is not enough space.
  void reserve(std::uint64_t bytes) const {
#if defined(__linux__)
    if (bytes == 0 || ::fallocate(descriptor_, FALLOC_FL_KEEP_SIZE, 0, static_cast<::off_t>(bytes)) == 0) return;
    if (errno == ENOSPC || errno == EFBIG || errno == EDQUOT)
      fail("cannot set " + std::to_string(bytes) + " bytes aside", errno);
#else
    static_cast<void>(bytes);
#endif
  }

  /// Throws FileError; the message has the number of bytes and the offset.
  void write(std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
      const ::ssize_t count = ::write(descriptor_, bytes.data(), bytes.size());
      if (count < 0 && errno == EINTR) continue;
      if (count < 0)
        fail("cannot write " + std::to_string(bytes.size()) + " bytes at offset " + std::to_string(size_), errno);
      bytes = bytes.subspan(static_cast<std::size_t>(count));
      size_ += static_cast<std::uint64_t>(count);
    }
  }
  void write(std::string_view text) { write(std::as_bytes(std::span(text))); }

  /// Syncs what was written to disk. Throws FileError.
  void sync() const {
    if (::fsync(descriptor_) != 0 && errno != EINVAL) fail("cannot be synced", errno);  // EINVAL: a device or a pipe
  }
  /// Syncs the file to disk and closes it: no writes may follow. Throws FileError.
  void finish() {
    sync();
    if (::close(std::exchange(descriptor_, -1)) != 0) fail("cannot be closed", errno);
  }

  [[nodiscard]] std::uint64_t size() const noexcept { return size_; }
  [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }

 private:
  [[noreturn]] void fail(const std::string& what, int code) const { throw_file_error(path_, what, code); }

  std::filesystem::path path_;
  int descriptor_;
  std::uint64_t size_ = 0;
};

}  // namespace trine::inline TRINE_ABI
