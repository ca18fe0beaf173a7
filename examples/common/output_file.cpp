// SPDX-License-Identifier: Apache-2.0
#include "common/output_file.hpp"

#include <cerrno>
#include <cstdio>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <unistd.h>

#include <trine/core/error.hpp>

namespace example {

OutputFile::OutputFile(std::filesystem::path path, const std::filesystem::path& not_within)
    : path_(std::move(path)), written_(path_) {
  std::error_code ignored;
  const std::filesystem::path parent = path_.has_parent_path() ? path_.parent_path() : ".";
  if (std::filesystem::equivalent(parent, not_within, ignored))
    throw trine::InputError(path_.string() + ": lies in the model directory, choose another place");
  if (std::filesystem::is_directory(path_, ignored)) fail("is a directory", EISDIR);
  const bool special = std::filesystem::exists(path_, ignored) && !std::filesystem::is_regular_file(path_, ignored);
  if (!special) written_ += ".partial";
  descriptor_ = ::open(written_.c_str(), O_WRONLY | O_CLOEXEC | (special ? 0 : O_CREAT | O_TRUNC), 0666);
  if (descriptor_ < 0) fail("cannot be written", errno);
}

OutputFile::~OutputFile() {
  if (descriptor_ < 0) return;
  ::close(descriptor_);
  if (written_ != path_) ::unlink(written_.c_str());
}

void OutputFile::write(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ::ssize_t count = ::write(descriptor_, bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail("cannot be written", errno);
    bytes = bytes.subspan(static_cast<std::size_t>(count));
  }
}

void OutputFile::commit() {
  if (written_ != path_ && ::fsync(descriptor_) != 0) fail("cannot be written", errno);
  if (::close(std::exchange(descriptor_, -1)) != 0) fail("cannot be written", errno);
  if (written_ != path_ && ::rename(written_.c_str(), path_.c_str()) != 0) fail("cannot be renamed", errno);
}

void OutputFile::fail(const std::string& what, int code) const {
  throw trine::FileError(path_.string() + ": " + what + ": " + std::generic_category().message(code));
}

std::string read_text(const std::string& path_or_dash) {
  const bool standard = path_or_dash == "-";
  std::FILE* file = standard ? stdin : std::fopen(path_or_dash.c_str(), "rb");
  const std::string name = standard ? "standard input" : path_or_dash;
  if (file == nullptr) throw trine::FileError(name + ": cannot be opened: " + std::generic_category().message(errno));
  std::string text;
  char buffer[65536];
  for (std::size_t count = 0; (count = std::fread(buffer, 1, sizeof buffer, file)) > 0;) text.append(buffer, count);
  const bool failed = std::ferror(file) != 0;
  const int code = errno;
  if (!standard) std::fclose(file);
  if (failed) throw trine::FileError(name + ": cannot be read: " + std::generic_category().message(code));
  return text;
}

}  // namespace example
