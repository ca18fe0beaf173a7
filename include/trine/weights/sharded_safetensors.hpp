// SPDX-License-Identifier: Apache-2.0
// Tensors in several safetensors files of one folder, with an index from tensors to files:
//
//   {"metadata": {"total_size": bytes}, "weight_map": {tensor name: file name, ...}}
//
// Each tensor of the index is in the file it names. A tensor of these files that the index does not name is one of the
// checkpoint, as in transformers, but may stay unused; of one that two files hold, the index names the right one.
// `metadata` is free form and not used.
#pragma once

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include <trine/core/notes.hpp>
#include <trine/json/object_reader.hpp>
#include <trine/platform/file_name.hpp>
#include <trine/weights/safetensors.hpp>

namespace trine::inline TRINE_ABI {

/// All safetensors files of an index, as one source.
class ShardedSafetensors : public WeightSource {
 public:
  /// Opens the index and each file that it names in the same folder. `notes` receives tensors that two files hold.
  /// Throws FileError, ConfigError (invalid JSON) or WeightError (the files do not agree), and what `on_read` throws,
  /// which gets the bytes of all files together.
  explicit ShardedSafetensors(const std::filesystem::path& index, FileAccess access = FileAccess::map,
                              const ReadCallback& on_read = {}, Notes* notes = nullptr)
      : index_(index.string()) {
    const Json document = read_json_file(index);
    ObjectReader root(document, index_);
    if (root.has("metadata")) static_cast<void>(root.object("metadata"));
    const ObjectReader weight_map = root.object("weight_map");
    root.reject_unknown_keys();
    std::set<std::string> files;
    for (const auto& [name, file] : root.at("weight_map").items()) {
      if (!file.is_string() || !is_shard_name(file.get_ref<const std::string&>()))
        weight_map.fail(name, "the plain name of a .safetensors file of the same folder", file);
      files.insert(file.get<std::string>());
    }
    const std::uint64_t total = on_read ? total_size(index.parent_path(), files) : 0;
    std::uint64_t before = 0;  // bytes of files that were read
    const auto on_read_shard = [&](const std::filesystem::path& file, std::uint64_t done, std::uint64_t size) {
      on_read(file, std::min(before + done, total), total);
      if (done == size) before += size;
    };
    for (const auto& [name, file] : root.at("weight_map").items())
      shard_of_.emplace(name, &open_shard(index.parent_path(), file.get<std::string>(), name, access,
                                          on_read ? on_read_shard : ReadCallback()));
    require_listed_tensors();
    add_unlisted_tensors(notes);
  }

  [[nodiscard]] const StoredTensor* find(std::string_view name) const override {
    const auto found = shard_of_.find(name);
    return found == shard_of_.end() ? nullptr : found->second->find(name);
  }
  [[nodiscard]] std::vector<std::string_view> names() const override {
    std::vector<std::string_view> result;
    result.reserve(shard_of_.size());
    for (const auto& [name, shard] : shard_of_) result.emplace_back(name);
    return result;
  }
  [[nodiscard]] bool is_listed(std::string_view name) const override { return !unlisted_.contains(name); }
  /// The names of the files.
  [[nodiscard]] std::vector<std::string> files() const {
    std::vector<std::string> names;
    for (const auto& [file, shard] : shards_) names.push_back(file);
    return names;
  }
  [[nodiscard]] std::string source_name() const override { return index_; }
  [[nodiscard]] std::string source_name_of(std::string_view name) const override {
    const auto found = shard_of_.find(name);
    return found == shard_of_.end() ? index_ : found->second->source_name();
  }

 private:
  [[nodiscard]] static bool is_shard_name(std::string_view name) noexcept {
    return is_plain_file_name(name) && name.ends_with(".safetensors");
  }

  // Bytes. A file that cannot be examined is one that cannot be opened.
  [[nodiscard]] static std::uint64_t total_size(const std::filesystem::path& folder,
                                                const std::set<std::string>& files) {
    std::uint64_t total = 0;
    for (const std::string& file : files) {
      std::error_code failed;
      const std::uintmax_t size = std::filesystem::file_size(folder / file, failed);
      if (!failed) total += size;
    }
    return total;
  }

  const Safetensors& open_shard(const std::filesystem::path& folder, const std::string& file, const std::string& tensor,
                                FileAccess access, const ReadCallback& on_read) {
    const auto opened = shards_.find(file);
    if (opened != shards_.end()) return opened->second;
    try {
      return shards_.try_emplace(file, folder / file, access, on_read).first->second;
    } catch (const FileError& error) {
      throw FileError(index_ + ": weight_map." + escaped(tensor) + ": " + error.what(),
                      {error.kind(), error.path(), tensor});
    }
  }

  void require_listed_tensors() const {
    for (const auto& [name, shard] : shard_of_) {
      if (shard->find(name) == nullptr) {
        throw WeightError(index_ + ": weight_map." + escaped(name) + ": expected the tensor in " +
                              shard->source_name() + ", found none of that name there",
                          {.kind = ErrorKind::mismatch, .path = index_, .field = name});
      }
    }
  }
  void add_unlisted_tensors(Notes* notes) {
    for (const auto& [file, shard] : shards_) {
      for (const std::string_view name : shard.names()) {
        const auto [known, added] = shard_of_.try_emplace(std::string(name), &shard);
        if (added) unlisted_.insert(known->first);
        if (known->second != &shard && unlisted_.contains(name)) {
          throw WeightError(shard.source_name() + ": tensor " + in_quotes(name) +
                                ": expected one file to hold it, or " + index_ + " to name one, found it in " +
                                known->second->source_name() + ", too",
                            {.kind = ErrorKind::mismatch, .path = shard.source_name(), .field = std::string(name)});
        }
        if (known->second != &shard && notes != nullptr)
          notes->add(name, "not read from " + file + ": the index names another file");
      }
    }
  }

  std::string index_;
  std::map<std::string, Safetensors> shards_;                        // by file name
  std::map<std::string, const Safetensors*, std::less<>> shard_of_;  // by tensor name
  std::set<std::string_view> unlisted_;                              // names of tensors that the index does not list
};

}  // namespace trine::inline TRINE_ABI
