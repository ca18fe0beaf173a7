// SPDX-License-Identifier: Apache-2.0
// The definition of open_weights.
#pragma once

#include <string>
#include <system_error>
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
  if (found[0] == kNativeWeights) return std::make_unique<NativeWeights>(directory, access, on_read);
  if (found[0] == kSafetensorsIndex) return std::make_unique<ShardedSafetensors>(directory / found[0], access, on_read);
  return std::make_unique<Safetensors>(directory / found[0], access, on_read);
}

}  // namespace trine::inline TRINE_ABI
