// SPDX-License-Identifier: Apache-2.0
// The definitions of platform/mapped_file.hpp.
#pragma once

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include <trine/core/error.hpp>
#include <trine/platform/anonymous_memory.hpp>
#include <trine/platform/file_error.hpp>
#include <trine/platform/mapped_file.hpp>

namespace trine::inline TRINE_ABI {

struct MappedFile::Descriptor {
  explicit Descriptor(const std::filesystem::path& path)
      : value(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)) {
    if (value < 0) throw_file_error(path, "cannot be opened", errno);
  }
  ~Descriptor() { ::close(value); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int value;
};

TRINE_DECL MappedFile::MappedFile(const std::filesystem::path& path, FileAccess access, const ReadCallback& on_read)
    : path_(path) {
  const Descriptor file(path);
  struct stat status {};
  if (::fstat(file.value, &status) != 0) fail("cannot be examined", errno);
  if (!S_ISREG(status.st_mode)) throw FileError(path.string() + ": expected a regular file", {.path = path.string()});
  size_ = static_cast<std::size_t>(status.st_size);
  if (size_ == 0) return;
  require_content(file.value);
  if (access == FileAccess::read) {
    read_all(file.value, on_read);
    return;
  }
  void* address = ::mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, file.value, 0);
  if (address == MAP_FAILED) fail("cannot be mapped", errno);
  mapped_ = static_cast<const std::byte*>(address);
}

TRINE_DECL MappedFile::MappedFile(MappedFile&& other) noexcept
    : path_(std::move(other.path_)),
      owned_(std::move(other.owned_)),
      mapped_(std::exchange(other.mapped_, nullptr)),
      size_(std::exchange(other.size_, 0)) {}

TRINE_DECL MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(owned_, other.owned_);
  std::swap(mapped_, other.mapped_);
  std::swap(size_, other.size_);
  return *this;
}

TRINE_DECL MappedFile::~MappedFile() {
  if (mapped_ != nullptr) ::munmap(const_cast<std::byte*>(mapped_), size_);
}

TRINE_DECL std::span<const std::byte> MappedFile::bytes() const noexcept {
  return {mapped_ != nullptr ? mapped_ : owned_.data(), size_};
}

TRINE_DECL void MappedFile::fail(const char* what, int code) const { throw_file_error(path_, what, code); }

TRINE_DECL void MappedFile::require_content(int file) const {
  constexpr std::string_view kPointer = "version https://git-lfs.github.com/spec/v1\n";
  if (size_ >= 1024 || size_ < kPointer.size()) return;
  char begin[kPointer.size()];
  const ::ssize_t count = ::pread(file, begin, sizeof begin, 0);
  if (count == static_cast<::ssize_t>(sizeof begin) && std::string_view(begin, sizeof begin) == kPointer)
    throw FileError(
        path_.string() +
            ": expected the file itself, found a Git LFS pointer to it: run 'git lfs pull' in its directory",
        {.kind = ErrorKind::damaged, .path = path_.string()});
}

TRINE_DECL void MappedFile::read_all(int file, const ReadCallback& on_read) {
  constexpr std::size_t kPart = std::size_t{16} << 20U;  // bytes: some milliseconds, within which a load is cancelled
  owned_ = AnonymousMemory(size_);
  for (std::size_t done = 0; done < size_;) {
    const ::ssize_t count = ::read(file, owned_.data() + done, std::min(kPart, size_ - done));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail("cannot be read", errno);
    if (count == 0)
      throw FileError(
          path_.string() + ": ended after " + std::to_string(done) + " bytes, expected " + std::to_string(size_),
          {.kind = ErrorKind::damaged, .path = path_.string()});
    done += static_cast<std::size_t>(count);
    if (on_read) on_read(path_, done, size_);
  }
}

TRINE_DECL std::string read_text_file(const std::filesystem::path& path, std::uint64_t limit) {
  std::error_code ignored;  // a file that cannot be examined is one that cannot be opened
  const std::uintmax_t size = std::filesystem::file_size(path, ignored);
  if (!ignored && size > limit) {
    throw FileError(
        path.string() + ": expected at most " + std::to_string(limit) + " bytes, found " + std::to_string(size),
        {.kind = ErrorKind::does_not_fit, .path = path.string()});
  }
  const MappedFile file(path, FileAccess::read);
  return {reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size()};
}

}  // namespace trine::inline TRINE_ABI
