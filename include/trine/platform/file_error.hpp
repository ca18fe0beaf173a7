// SPDX-License-Identifier: Apache-2.0
// Errors of system calls on files.
#pragma once

#include <cerrno>
#include <filesystem>
#include <string>
#include <system_error>

#include <trine/core/error.hpp>

namespace trine::inline TRINE_ABI {

/// Throws FileError "PATH: PROBLEM: system message of `code`", a value of errno. Its kind is not_found, does_not_fit
/// for a full disk or an exceeded limit, otherwise io.
[[noreturn]] inline void throw_file_error(const std::filesystem::path& path, const std::string& problem, int code) {
  const bool is_absent = code == ENOENT || code == ENOTDIR;
  const bool is_full = code == ENOSPC || code == EFBIG || code == EDQUOT;
  throw FileError(path.string() + ": " + problem + ": " + std::generic_category().message(code),
                  {.kind = is_absent ? ErrorKind::not_found
                           : is_full ? ErrorKind::does_not_fit
                                     : ErrorKind::io,
                   .path = path.string()});
}

}  // namespace trine::inline TRINE_ABI
