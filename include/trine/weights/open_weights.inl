// SPDX-License-Identifier: Apache-2.0
// The definition of open_weights.
#pragma once

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <trine/weights/native_weights.hpp>
#include <trine/weights/open_weights.hpp>
#include <trine/weights/sharded_safetensors.hpp>

namespace trine::inline TRINE_ABI {

namespace detail {

inline constexpr const char* kNativeWeights = "weights.json";
inline constexpr const char* kSafetensorsIndex = "model.safetensors.index.json";
inline constexpr const char* kSafetensors = "model.safetensors";

/// Which of these files `directory` has.
[[nodiscard]] inline std::vector<std::string> weight_files(const std::filesystem::path& directory) {
  std::vector<std::string> found;
  for (const char* file : {kNativeWeights, kSafetensorsIndex, kSafetensors}) {
    std::error_code ignored;  // a dangling link exists, and opening it fails
    if (std::filesystem::exists(std::filesystem::symlink_status(directory / file, ignored))) found.emplace_back(file);
  }
  return found;
}

/// Notes the files and folders with weights that are not in `read`.
inline void note_other_weights(const std::filesystem::path& directory, const std::vector<std::string>& read,
                               Notes& notes) {
  constexpr std::array<std::string_view, 8> kEndings = {".safetensors", ".bin",  ".pt", ".pth",
                                                        ".ckpt",        ".gguf", ".h5", ".msgpack"};
  constexpr std::array<std::string_view, 3> kFolders = {"original", "metal", "onnx"};
  std::vector<std::string> others;
  std::error_code failed;
  for (std::filesystem::directory_iterator entry(directory, failed), end; !failed && entry != end;
       entry.increment(failed)) {
    const std::string name = entry->path().filename().string();
    std::error_code ignored;
    const bool is_other = entry->is_directory(ignored)
                              ? std::ranges::find(kFolders, name) != kFolders.end()
                              : std::ranges::any_of(kEndings, [&](auto ending) { return name.ends_with(ending); });
    if (is_other && std::ranges::find(read, name) == read.end()) others.push_back(name);
  }
  std::ranges::sort(others);
  for (const std::string& name : others) notes.add(name, "not read: other weights are");
}

}  // namespace detail

TRINE_DECL bool has_weights(const std::filesystem::path& directory) { return !detail::weight_files(directory).empty(); }

TRINE_DECL std::unique_ptr<const WeightSource> open_weights(const std::filesystem::path& directory, FileAccess access,
                                                            Notes* notes, const ReadCallback& on_read) {
  using detail::kNativeWeights, detail::kSafetensorsIndex, detail::kSafetensors;
  std::vector<std::string> found = detail::weight_files(directory);
  if (found.empty()) {
    throw FileError(directory.string() + ": expected " + kNativeWeights + ", " + kSafetensorsIndex + " or " +
                        kSafetensors + ", found none",
                    {.kind = ErrorKind::not_found, .path = directory.string()});
  }
  if (found == std::vector<std::string>{kSafetensorsIndex, kSafetensors}) {
    if (notes != nullptr) notes->add(kSafetensorsIndex, "not read: model.safetensors counts, as in transformers");
    found.erase(found.begin());
  }
  if (found.size() > 1)
    throw WeightError(directory.string() + ": expected one set of weights, found " + found[0] + " and " + found[1],
                      {.kind = ErrorKind::mismatch, .path = directory.string()});
  std::unique_ptr<const WeightSource> source;
  std::vector<std::string> read = {found[0], "weights.bin"};
  if (found[0] == kNativeWeights) {
    source = std::make_unique<NativeWeights>(directory, access, on_read);
  } else if (found[0] == kSafetensorsIndex) {
    auto shards = std::make_unique<ShardedSafetensors>(directory / found[0], access, on_read, notes);
    read = shards->files();
    source = std::move(shards);
  } else {
    source = std::make_unique<Safetensors>(directory / found[0], access, on_read);
  }
  if (notes != nullptr) detail::note_other_weights(directory, read, *notes);
  return source;
}

}  // namespace trine::inline TRINE_ABI
