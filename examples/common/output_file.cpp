// SPDX-License-Identifier: Apache-2.0
#include "common/output_file.hpp"

#include <cerrno>
#include <cstdio>
#include <system_error>

#include <unistd.h>

#include <trine/core/error.hpp>
#include <trine/platform/atomic_file.hpp>
#include <trine/platform/file_error.hpp>

#include "common/program.hpp"

namespace example {
namespace {

namespace fs = std::filesystem;

// Links followed, also where there is no such file yet.
fs::path place_of(const fs::path& path) {
  const fs::path place = trine::follow_links(fs::absolute(path));
  std::error_code error;
  const fs::path canonical = fs::weakly_canonical(place, error);
  return error ? place : canonical;
}

bool is_special(const fs::path& path) {
  std::error_code ignored;
  return trine::is_open_descriptor(trine::follow_links(path)) ||
         (fs::exists(path, ignored) && !fs::is_regular_file(path, ignored));
}

bool is_same_file(const fs::path& one, const fs::path& other) {
  std::error_code ignored;
  return place_of(one) == place_of(other) || fs::equivalent(one, other, ignored);
}

void require_writable(const NamedFile& output) {
  const auto fail = [&](int code) { trine::throw_file_error(output.path, "cannot be written", code); };
  std::error_code ignored;
  if (fs::is_directory(output.path, ignored)) fail(EISDIR);
  if (is_special(output.path)) return;
  const fs::path folder = place_of(output.path).parent_path();
  if (!fs::is_directory(folder, ignored)) fail(fs::exists(folder, ignored) ? ENOTDIR : ENOENT);
  if (::access(folder.c_str(), W_OK | X_OK) != 0) fail(errno);
}

}  // namespace

void check_outputs(const std::vector<NamedFile>& outputs, const std::vector<NamedFile>& inputs,
                   const fs::path& model_directory) {
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const NamedFile& output = outputs[i];
    if (output.path.empty()) continue;
    require_writable(output);
    if (is_special(output.path)) continue;
    const auto require_another = [&](const NamedFile& other) {
      if (!other.path.empty() && is_same_file(output.path, other.path))
        throw UsageError(output.option + ": expected another file than that of " + other.option + ", found " +
                         output.path + " for both");
    };
    for (std::size_t j = 0; j < i; ++j) require_another(outputs[j]);
    for (const NamedFile& input : inputs) require_another(input);
    std::error_code ignored;
    if (fs::equivalent(place_of(output.path).parent_path(), model_directory, ignored))
      throw UsageError(output.path + ": lies in the model directory, choose another place");
  }
}

void check_output_directory(const fs::path& path) {
  std::error_code ignored;
  const fs::path absolute = fs::absolute(path);
  const fs::path around = (absolute.has_filename() ? absolute : absolute.parent_path()).parent_path();
  if (!fs::is_directory(around, ignored)) trine::throw_file_error(path, "cannot be made", ENOENT);
}

std::string read_text(const std::string& path_or_dash) {
  const bool standard = path_or_dash == "-";
  std::FILE* file = standard ? stdin : std::fopen(path_or_dash.c_str(), "rb");
  const std::string name = standard ? "standard input" : path_or_dash;
  if (file == nullptr) trine::throw_file_error(name, "cannot be opened", errno);
  std::string text;
  char buffer[65536];
  for (std::size_t count = 0; (count = std::fread(buffer, 1, sizeof buffer, file)) > 0;) text.append(buffer, count);
  const bool failed = std::ferror(file) != 0;
  const int code = errno;
  if (!standard) std::fclose(file);
  if (failed) trine::throw_file_error(name, "cannot be read", code);
  return text;
}

}  // namespace example
