// SPDX-License-Identifier: Apache-2.0
// The files that a command line names. trine::AtomicFile writes those of the output.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace example {

/// What an option names: {"--experts", "experts.json"}. An empty path is none.
struct NamedFile {
  std::string option;
  std::string path;
};

/// Before the work begins. Throws UsageError when an output is another output or an input, or lies in
/// `model_directory` (empty: none); trine::FileError when its directory is missing or may not be written to, or when it
/// is a directory. Devices and pipes may be named several times.
void check_outputs(const std::vector<NamedFile>& outputs, const std::vector<NamedFile>& inputs,
                   const std::filesystem::path& model_directory);

/// The same for a directory that is to be made. Throws trine::FileError when the one around it is missing.
void check_output_directory(const std::filesystem::path& path);

/// The whole of a file, or of standard input for "-". Throws trine::FileError.
[[nodiscard]] std::string read_text(const std::string& path_or_dash);

}  // namespace example
