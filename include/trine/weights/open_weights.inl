// SPDX-License-Identifier: Apache-2.0
// The definition of open_weights.
#pragma once

#include <string>
#include <system_error>
#include <vector>

#include <trine/weights/open_weights.hpp>
#include <trine/weights/raw_blob.hpp>
#include <trine/weights/sharded_safetensors.hpp>

namespace trine::inline TRINE_ABI {

TRINE_DECL std::unique_ptr<const WeightSource> open_weights(const std::filesystem::path& directory, FileAccess access,
                                                            Notes* notes) {
  constexpr const char* kNative = "weights.json";
  constexpr const char* kIndex = "model.safetensors.index.json";
  constexpr const char* kSingle = "model.safetensors";
  std::vector<std::string> found;
  for (const char* file : {kNative, kIndex, kSingle}) {
    std::error_code ignored;  // what cannot be examined is not there; a link to nowhere is, and opening it says so
    if (std::filesystem::exists(std::filesystem::symlink_status(directory / file, ignored))) found.emplace_back(file);
  }
  if (found.empty()) {
    throw FileError(directory.string() + ": expected " + kNative + ", " + kIndex + " or " + kSingle + ", found none");
  }
  if (found == std::vector<std::string>{kIndex, kSingle}) {
    if (notes != nullptr) notes->add(kIndex, "not read: model.safetensors counts, as in transformers");
    found.erase(found.begin());
  }
  if (found.size() > 1)
    throw WeightError(directory.string() + ": expected one set of weights, found " + found[0] + " and " + found[1]);
  if (found[0] == kNative) return std::make_unique<RawBlob>(directory, access);
  if (found[0] == kIndex) return std::make_unique<ShardedSafetensors>(directory / kIndex, access);
  return std::make_unique<Safetensors>(directory / kSingle, access);
}

}  // namespace trine::inline TRINE_ABI
