// SPDX-License-Identifier: Apache-2.0
// The files of a model, for programs that write the model again elsewhere.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <filesystem>
#include <map>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include <trine/core/error.hpp>
#include <trine/platform/execution_context.hpp>
#include <trine/platform/file_name.hpp>
#include <trine/platform/file_snapshot.hpp>
#include <trine/platform/mapped_file.hpp>
#include <trine/platform/output_directory.hpp>
#include <trine/weights/gguf.hpp>

namespace trine::inline TRINE_ABI {

/// What a model directory held when this was made, or the files of a GGUF model.
class ModelFiles {
 public:
  /// Looks at the files, before anything is read. A folder that cannot be read is one that Model::load refuses. Throws
  /// what gguf_parts throws.   path: as Model::load takes it
  explicit ModelFiles(const std::filesystem::path& path) : directory_(path), is_gguf_(is_gguf(path)) {
    std::error_code ignored;
    if (is_gguf_) {
      directory_.remove_filename();
      for (const std::filesystem::path& part : gguf_parts(path))
        if (const auto stamp = FileSnapshot::of(part)) snapshots_.emplace(part.filename().string(), *stamp);
      return;
    }
    for (const auto& entry : std::filesystem::directory_iterator(directory_, ignored)) {
      if (!entry.is_regular_file(ignored)) continue;
      if (const auto stamp = FileSnapshot::of(entry.path()))
        snapshots_.emplace(entry.path().filename().string(), *stamp);
    }
  }

  /// The directory; of a GGUF model, the one that its files lie in.
  [[nodiscard]] const std::filesystem::path& directory() const noexcept { return directory_; }

  /// Returns whether a file of that name goes with a model whose weights and configuration are written anew.
  [[nodiscard]] static bool is_auxiliary_file(std::string_view file) {
    constexpr std::array<std::string_view, 12> kWeights = {".safetensors", ".safetensors.index.json",
                                                           ".bin",         ".bin.index.json",
                                                           ".pt",          ".pth",
                                                           ".ckpt",        ".gguf",
                                                           ".h5",          ".msgpack",
                                                           ".onnx",        ".npz"};
    return is_plain_file_name(file) && file != "config.json" && file != "weights.json" &&
           std::ranges::none_of(kWeights, [file](std::string_view ending) { return file.ends_with(ending); });
  }

  /// Returns whether the model is a GGUF file.
  [[nodiscard]] bool is_gguf_model() const noexcept { return is_gguf_; }

  /// Throws InputError if `target`, or what it is called until it is complete, is the directory of the model or lies in
  /// it.
  void require_outside(const std::filesystem::path& target) const {
    namespace fs = std::filesystem;
    if (target.empty()) throw InputError("the directory to write: expected a name, found none", {.field = "target"});
    if (is_gguf_) return;     // a file that exists is refused anyway
    std::error_code ignored;  // if the path is invalid, creating the directory fails
    const fs::path source = fs::weakly_canonical(directory_, ignored);
    for (const char* ending : {"", ".partial"}) {
      fs::path made = fs::absolute(target, ignored);
      if (!made.has_filename()) made = made.parent_path();
      made = fs::weakly_canonical(made += ending, ignored);
      if (std::ranges::mismatch(source, made).in1 == source.end())
        throw InputError(
            target.string() + ": lies in the model that is read, " + directory_.string() + "; choose another place",
            {.path = target.string()});
    }
  }

  /// Copies all auxiliary files but one of the name `without`. Throws FileError, CancelledError.
  void copy_auxiliary(const OutputDirectory& output, const std::stop_token& cancel,
                      std::string_view without = {}) const {
    for (const auto& [file, snapshot] : snapshots_)
      if (is_auxiliary_file(file) && file != without) copy(file, output, cancel);
  }

  /// Copies one file. Throws FileError, CancelledError.
  void copy(const std::string& file, const OutputDirectory& output, const std::stop_token& cancel) const {
    const MappedFile from(directory_ / file);
    OutputFile to = output.create(file);
    constexpr std::size_t kPart = std::size_t{16} << 20U;
    for (std::size_t begin = 0; begin < from.size(); begin += kPart) {
      ExecutionContext{.stop = cancel}.check_stop();
      to.write(from.bytes().subspan(begin, std::min<std::size_t>(kPart, from.size() - begin)));
    }
    to.finish();
  }

  /// Throws FileError if a file is not what it was.
  void require_unchanged() const {
    for (const auto& [file, snapshot] : snapshots_)
      if (FileSnapshot::of(directory_ / file) != snapshot)
        throw FileError((directory_ / file).string() + ": changed while it was read",
                        {.kind = ErrorKind::wrong_state, .path = (directory_ / file).string()});
  }

 private:
  std::filesystem::path directory_;
  bool is_gguf_ = false;
  std::map<std::string, FileSnapshot> snapshots_;  // by file name
};

}  // namespace trine::inline TRINE_ABI
