// SPDX-License-Identifier: Apache-2.0
// A file that is there whole or not at all.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

namespace example {

/// Writes to `path`.partial; `commit` syncs it and renames it to `path`. Without `commit`, `path` stays as it was.
/// Devices and pipes (/dev/stdout) are written to directly.
class OutputFile {
 public:
  /// Throws trine::FileError; InputError when `path` lies in `not_within`, the directory of the input.
  OutputFile(std::filesystem::path path, const std::filesystem::path& not_within);
  ~OutputFile();
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;

  void write(std::span<const std::byte> bytes);
  void write(std::string_view text) { write(std::as_bytes(std::span(text))); }
  void commit();

 private:
  [[noreturn]] void fail(const std::string& what, int code) const;

  std::filesystem::path path_;
  std::filesystem::path written_;
  int descriptor_ = -1;
};

/// The whole of a file, or of standard input for "-". Throws trine::FileError.
[[nodiscard]] std::string read_text(const std::string& path_or_dash);

}  // namespace example
