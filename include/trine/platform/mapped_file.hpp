// SPDX-License-Identifier: Apache-2.0
// A file as read-only memory: mapped, or read into owned memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>

#include <trine/core/abi.hpp>
#include <trine/platform/anonymous_memory.hpp>

namespace trine::inline TRINE_ABI {

/// How a file is loaded into memory.
enum class FileAccess : std::uint8_t {
  map,   ///< pages are loaded when accessed; the file must not shrink while it is mapped (SIGBUS)
  read,  ///< one copy in memory, in huge pages; later changes of the file have no effect
};

/// Is told how far files are read into memory (FileAccess::read): in the calling thread, every few megabytes, and once
/// at the end. What it throws ends the reading.
using ReadCallback =
    std::function<void(const std::filesystem::path& file, std::uint64_t bytes_done, std::uint64_t bytes_total)>;

/// Owns the bytes of one regular file. Movable; the bytes keep their address.
class MappedFile {
 public:
  /// Throws FileError naming the file if it is missing, not a regular file, unreadable, or a Git LFS pointer; and what
  /// `on_read` throws.
  explicit MappedFile(const std::filesystem::path& path, FileAccess access = FileAccess::map,
                      const ReadCallback& on_read = {});

  /// Takes ownership of the bytes, which keep their address; `other` is then empty.
  MappedFile(MappedFile&& other) noexcept;
  /// Releases its own bytes and takes ownership of those of `other`, which is then empty.
  MappedFile& operator=(MappedFile&& other) noexcept;
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  ~MappedFile();

  /// The whole file, valid as long as this object or the one it was moved to.
  [[nodiscard]] std::span<const std::byte> bytes() const noexcept;
  /// Size of the file when it was opened.
  [[nodiscard]] std::uint64_t size() const noexcept { return size_; }
  /// The path, as given.
  [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }

 private:
  struct Descriptor;

  [[noreturn]] void fail(const char* what, int code) const;

  // What a clone without Git LFS has instead of a large file: a text of less than 1024 bytes that begins with this.
  // https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md
  void require_content(int file) const;

  void read_all(int file, const ReadCallback& on_read);

  std::filesystem::path path_;
  AnonymousMemory owned_;
  const std::byte* mapped_ = nullptr;
  std::size_t size_ = 0;
};

/// The text of a file of at most `limit` bytes. Throws FileError if it cannot be read or is larger.
[[nodiscard]] TRINE_DECL std::string read_text_file(const std::filesystem::path& path, std::uint64_t limit);

}  // namespace trine::inline TRINE_ABI

#if TRINE_HEADER_ONLY
#include <trine/platform/mapped_file.inl>
#endif
