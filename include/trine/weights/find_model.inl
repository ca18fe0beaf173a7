// SPDX-License-Identifier: Apache-2.0
// The definitions of weights/find_model.hpp.
//
// A repository in the cache of the hub (https://huggingface.co/docs/huggingface_hub/guides/manage-cache):
//
//   models--ORG--NAME/refs/main                  the commit of the branch
//   models--ORG--NAME/snapshots/COMMIT/FILE      a link to ../../blobs/HASH
//   models--ORG--NAME/blobs/HASH.incomplete      a download that has not ended
#pragma once

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <optional>
#include <string>
#include <system_error>
#include <utility>

#include <trine/core/error.hpp>
#include <trine/core/printable.hpp>
#include <trine/json/parse.hpp>
#include <trine/platform/file_name.hpp>
#include <trine/platform/mapped_file.hpp>
#include <trine/weights/find_model.hpp>
#include <trine/weights/gguf.hpp>
#include <trine/weights/open_weights.hpp>

namespace trine::inline TRINE_ABI {

namespace detail {

namespace fs = std::filesystem;

[[nodiscard]] inline bool is_folder(const fs::path& path) {
  std::error_code failed;
  return fs::is_directory(path, failed);
}
[[nodiscard]] inline bool is_file(const fs::path& path) {
  std::error_code failed;
  return fs::is_regular_file(path, failed);
}

/// The entries of a folder in the order of their names; none of one that cannot be read.
[[nodiscard]] inline std::vector<fs::path> entries_of(const fs::path& folder) {
  std::vector<fs::path> entries;
  std::error_code failed;
  for (fs::directory_iterator entry(folder, failed), end; !failed && entry != end; entry.increment(failed))
    entries.push_back(entry->path());
  std::ranges::sort(entries);
  return entries;
}

[[nodiscard]] inline std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return result;
}

/// "a, b, c", at most 20 of them.
[[nodiscard]] inline std::string list_of(const std::vector<std::string>& names) {
  constexpr std::size_t kMost = 20;
  std::string list;
  for (std::size_t i = 0; i < std::min(names.size(), kMost); ++i)
    list += (list.empty() ? "" : ", ") + printable(names[i]);
  return names.size() > kMost ? list + " and " + std::to_string(names.size() - kMost) + " more" : list;
}

/// The file of a model, or the parts of a split one: "NAME-00002-of-00003.gguf".
struct PartName {
  std::string name;       // without number and ending
  std::size_t part = 1;   // from 1 on
  std::size_t parts = 1;  // in total
};
[[nodiscard]] inline PartName part_name(std::string_view file) {
  constexpr std::size_t kDigits = 5;
  constexpr std::string_view kOf = "-of-";
  const std::string_view stem = file.substr(0, file.rfind('.'));
  const auto number = [](std::string_view digits) -> std::size_t {
    std::size_t value = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    return error == std::errc() && end == digits.data() + digits.size() ? value : 0;
  };
  constexpr std::size_t kTail = 1 + kDigits + kOf.size() + kDigits;
  if (stem.size() <= kTail) return {std::string(stem)};
  const std::string_view tail = stem.substr(stem.size() - kTail);
  const std::size_t part = number(tail.substr(1, kDigits));
  const std::size_t parts = number(tail.substr(kTail - kDigits));
  if (tail[0] != '-' || tail.substr(1 + kDigits, kOf.size()) != kOf || part == 0 || part > parts)
    return {std::string(stem)};
  return {std::string(stem.substr(0, stem.size() - kTail)), part, parts};
}

/// A name of the hub: ORG/NAME, of letters, digits and "._-", neither of which begins with a dot or a hyphen.
[[nodiscard]] inline bool is_hub_name(std::string_view name) {
  const std::size_t slash = name.find('/');
  const auto is_part = [](std::string_view part) {
    return !part.empty() && part.size() < 128 && part.front() != '.' && part.front() != '-' &&
           std::ranges::all_of(part, [](char c) {
             return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
                    c == '_' || c == '-';
           });
  };
  return slash != std::string_view::npos && is_part(name.substr(0, slash)) && is_part(name.substr(slash + 1));
}

/// The folder of a model: where it is, what it is called on the hub, and which of its models is meant.
class ModelFolder {
 public:
  /// path: exists. hub_name: empty if unknown. selection: empty for none. deep: GGUF files in folders below count.
  ModelFolder(fs::path path, std::string hub_name, std::string selection, bool deep, Notes* notes)
      : path_(std::move(path)),
        hub_name_(std::move(hub_name)),
        selection_(std::move(selection)),
        deep_(deep),
        notes_(notes) {
    if (is_folder(path_ / "snapshots")) choose_snapshot();
  }

  /// The directory or GGUF file to load.
  [[nodiscard]] fs::path resolve() const {
    require_links();
    if (selection_.empty() && has_weights(path_)) {
      require_shards();
      return path_;
    }
    const std::map<fs::path, fs::path> models = gguf_models();
    if (!selection_.empty()) return selected(models);
    if (models.size() > 1) {
      fail("expected one GGUF model, found " + std::to_string(models.size()) + ": " + list_of(names_of(models)) +
           "; choose one by its file, or as " + path_.string() + ":FILE");
    }
    if (models.size() == 1) return complete(models.begin()->second);
    require_no_partial_files();
    return path_;
  }

 private:
  // The snapshot of refs/main, or else the newest; one with a model first.
  void choose_snapshot() {
    repository_ = path_;
    if (hub_name_.empty()) hub_name_ = name_in_hub(path_.filename().string());
    const auto age = [](const fs::path& path) {
      std::error_code failed;
      const fs::file_time_type time = fs::last_write_time(path, failed);
      return failed ? fs::file_time_type::min() : time;
    };
    std::vector<fs::path> snapshots;
    for (fs::path& entry : entries_of(path_ / "snapshots"))
      if (is_folder(entry)) snapshots.push_back(std::move(entry));
    if (snapshots.empty()) {
      require_no_partial_files();
      fail("expected a snapshot of the model, found none" + remedy("fetches"));
    }
    std::ranges::stable_sort(snapshots, [&](const fs::path& a, const fs::path& b) { return age(a) > age(b); });
    const std::string main = main_commit();
    std::stable_partition(snapshots.begin(), snapshots.end(),
                          [&](const fs::path& path) { return path.filename() == main; });
    path_ = snapshots.front();
    for (const fs::path& snapshot : snapshots) {
      const ModelFolder folder(snapshot, hub_name_, "", true, nullptr);
      if (!has_weights(snapshot) && folder.gguf_models().empty()) continue;
      path_ = snapshot;
      break;
    }
    deep_ = true;
    if (snapshots.size() > 1 && path_.filename() != main)
      note(path_,
           "the newest of " + std::to_string(snapshots.size()) + " snapshots: refs/main names none with a model");
  }

  // Empty if there is none.
  [[nodiscard]] std::string main_commit() const {
    constexpr std::uint64_t kMaxBytes = 256;
    const fs::path file = repository_ / "refs" / "main";
    std::error_code failed;
    if (!is_file(file) || fs::file_size(file, failed) > kMaxBytes) return {};
    std::string commit = read_text_file(file, kMaxBytes);
    while (!commit.empty() && (commit.back() == '\n' || commit.back() == '\r')) commit.pop_back();
    return commit;
  }

  // "models--ORG--NAME" as ORG/NAME; empty for another name.
  [[nodiscard]] static std::string name_in_hub(std::string_view folder) {
    constexpr std::string_view kBegin = "models--";
    if (!folder.starts_with(kBegin)) return {};
    std::string name(folder.substr(kBegin.size()));
    const std::size_t middle = name.find("--");
    if (middle == std::string::npos) return {};
    name.replace(middle, 2, "/");
    return name;
  }

  [[nodiscard]] std::vector<fs::path> files() const {
    std::vector<fs::path> result;
    for (const fs::path& entry : entries_of(path_)) {
      if (!is_folder(entry)) {
        result.push_back(entry);
      } else if (deep_) {
        for (fs::path& below : entries_of(entry))
          if (!is_folder(below)) result.push_back(std::move(below));
      }
    }
    return result;
  }

  // A file of Ollama has a hash for a name.
  [[nodiscard]] static bool is_model_file(const fs::path& file) {
    const std::string name = file.filename().string();
    return name.ends_with(".gguf") || (name.starts_with("sha256-") && !name.ends_with("-partial") && is_gguf(file));
  }

  // Names without numbers of parts, and first files.
  [[nodiscard]] std::map<fs::path, fs::path> gguf_models() const {
    std::map<fs::path, fs::path> models;
    for (const fs::path& file : files()) {
      if (!is_model_file(file)) continue;
      const std::string name = lower(file.filename().string());
      if (name.find("mmproj") != std::string::npos) {
        note(file, "a projector of pictures, which are not read");
      } else if (name.find("imatrix") != std::string::npos) {
        note(file, "statistics of a quantisation, not a model");
      } else {
        models.emplace(file.parent_path() / part_name(file.filename().string()).name, file);
      }
    }
    return models;
  }

  [[nodiscard]] std::vector<std::string> names_of(const std::map<fs::path, fs::path>& models) const {
    std::vector<std::string> names;
    for (const auto& [name, file] : models) names.push_back(file.lexically_relative(path_).string());
    return names;
  }

  [[nodiscard]] fs::path selected(const std::map<fs::path, fs::path>& models) const {
    const std::string wanted = lower(selection_);
    std::map<fs::path, fs::path> found;
    for (const auto& [name, file] : models) {
      if (file.lexically_relative(path_) == selection_ || file.filename() == selection_) return complete(file);
      if (has_word(lower(name.filename().string()), wanted)) found.emplace(name, file);
    }
    if (found.size() == 1) return complete(found.begin()->second);
    const std::string others = models.empty() ? "" : " among " + list_of(names_of(models));
    const std::string what = found.empty() ? "none" + others + remedy("fetches") : list_of(names_of(found));
    fail("expected one GGUF model for " + in_quotes(selection_) + ", found " + what);
  }
  // Between other letters than those of words.
  [[nodiscard]] static bool has_word(std::string_view text, std::string_view word) {
    constexpr std::string_view kEnds = ".-_";
    for (std::size_t at = text.find(word); at != std::string_view::npos; at = text.find(word, at + 1)) {
      const std::size_t end = at + word.size();
      if ((at == 0 || kEnds.find(text[at - 1]) != std::string_view::npos) &&
          (end == text.size() || text[end] == '.' || text[end] == '-'))
        return true;
    }
    return false;
  }

  // The file, the first of all parts.
  [[nodiscard]] fs::path complete(const fs::path& first) const {
    const PartName name = part_name(first.filename().string());
    std::size_t found = 0;
    for (const fs::path& file : entries_of(first.parent_path())) {
      const PartName other = part_name(file.filename().string());
      if (file.extension() == first.extension() && other.name == name.name && other.parts == name.parts) ++found;
    }
    if (found < name.parts)
      fail_incomplete("expected " + std::to_string(name.parts) + " parts of " + printable(name.name) + ", found " +
                      std::to_string(found));
    return first;
  }

  // All of "model-00001-of-00004.safetensors" and so on, if any is there: the index names them so.
  void require_shards() const {
    std::map<std::pair<std::string, std::size_t>, std::size_t> found;  // by name and parts
    for (const fs::path& file : entries_of(path_)) {
      if (file.extension() != ".safetensors") continue;
      const PartName name = part_name(file.filename().string());
      if (name.name == "model" && name.parts > 1) ++found[{name.name, name.parts}];
    }
    if (found.size() != 1 || is_file(path_ / "model.safetensors")) return;
    const auto& [name, count] = *found.begin();
    if (count < name.second)
      fail_incomplete("expected " + std::to_string(name.second) + " files of weights, found " + std::to_string(count));
  }

  // A link whose target is absent is a file that the hub has announced and not delivered.
  void require_links() const {
    for (const fs::path& file : files()) {
      std::error_code failed;
      if (!fs::is_symlink(file, failed) || fs::exists(file, failed)) continue;
      const std::string ending = file.extension().string();
      if (ending != ".safetensors" && ending != ".json" && ending != ".gguf") continue;
      fail_incomplete(file.lexically_relative(path_).string() + " links to " +
                      printable(fs::read_symlink(file, failed).string()) + ", which does not exist");
    }
  }

  // What downloads leave behind until they end.
  [[nodiscard]] std::vector<std::string> partial_files() const {
    std::vector<std::string> found;
    for (const fs::path& folder : {repository_.empty() ? fs::path() : repository_ / "blobs", path_,
                                   path_ / ".cache" / "huggingface" / "download"}) {
      if (folder.empty()) continue;
      for (const fs::path& file : entries_of(folder))
        if (file.extension() == ".incomplete" || file.extension() == ".part") found.push_back(file.string());
    }
    return found;
  }
  void require_no_partial_files() const {
    const std::vector<std::string> partial = partial_files();
    if (!partial.empty()) fail_incomplete("found the partial " + list_of(partial));
  }

  [[nodiscard]] std::string remedy(const std::string& what) const {
    return hub_name_.empty() ? "" : "; hf download " + hub_name_ + " " + what + " it";
  }
  [[noreturn]] void fail_incomplete(const std::string& problem) const {
    fail("the download is not complete: " + problem + remedy("completes"));
  }
  [[noreturn]] void fail(const std::string& problem) const {
    throw FileError(path_.string() + ": " + problem, {.kind = ErrorKind::not_found, .path = path_.string()});
  }
  void note(const fs::path& file, std::string_view text) const {
    if (notes_ != nullptr) notes_->add(file.filename().string(), text);
  }

  fs::path path_;
  fs::path repository_;  // of the hub's cache; empty elsewhere
  std::string hub_name_;
  std::string selection_;
  bool deep_;
  Notes* notes_;
};

/// What a manifest of Ollama names, MODELS/manifests/HOST/NAMESPACE/NAME/TAG: a file of MODELS/blobs. Nullopt for any
/// other file.
[[nodiscard]] inline std::optional<fs::path> blob_of_manifest(const fs::path& file) {
  constexpr std::uint64_t kMaxBytes = 65536;
  fs::path root = fs::absolute(file);
  while (root.has_relative_path() && root.filename() != "manifests") root = root.parent_path();
  std::error_code failed;
  if (root.filename() != "manifests" || fs::file_size(file, failed) > kMaxBytes || failed) return std::nullopt;
  const Json manifest = parse_json(read_text_file(file, kMaxBytes), file.string());
  const auto layers = manifest.find("layers");
  if (layers == manifest.end() || !layers->is_array()) return std::nullopt;
  for (const Json& layer : *layers) {
    if (!layer.is_object() || layer.value("mediaType", Json()) != "application/vnd.ollama.image.model") continue;
    const Json digest = layer.value("digest", Json());
    if (!digest.is_string()) continue;
    std::string blob = digest.get<std::string>();
    std::ranges::replace(blob, ':', '-');
    if (is_plain_file_name(blob)) return root.parent_path() / "blobs" / blob;
  }
  return std::nullopt;
}

/// Name and selection of "NAME:SELECTION"; the whole, and none, if it has no colon.
[[nodiscard]] inline std::pair<std::string, std::string> split_selection(std::string_view name) {
  const std::size_t colon = name.rfind(':');
  if (colon == std::string_view::npos || colon == 0 || colon + 1 == name.size()) return {std::string(name), ""};
  return {std::string(name.substr(0, colon)), std::string(name.substr(colon + 1))};
}

}  // namespace detail

TRINE_DECL std::vector<std::filesystem::path> model_folders() {
  std::vector<std::filesystem::path> folders;
  const auto variable = [](const char* name) {
    const char* value = std::getenv(name);
    return std::string_view(value == nullptr ? "" : value);
  };
  std::string_view list = variable("TRINE_MODELS");
  while (!list.empty()) {
    const std::string_view folder = list.substr(0, list.find(':'));
    if (!folder.empty()) folders.emplace_back(folder);
    list.remove_prefix(std::min(folder.size() + 1, list.size()));
  }
  if (!variable("HF_HUB_CACHE").empty()) folders.emplace_back(variable("HF_HUB_CACHE"));
  if (!variable("HF_HOME").empty()) folders.push_back(std::filesystem::path(variable("HF_HOME")) / "hub");
  const std::filesystem::path caches(variable("XDG_CACHE_HOME"));
  if (!caches.empty()) folders.push_back(caches / "huggingface" / "hub");
  if (variable("HOME").empty()) return folders;
  const std::filesystem::path home(variable("HOME"));
  if (caches.empty()) folders.push_back(home / ".cache" / "huggingface" / "hub");
  folders.push_back(home / ".lmstudio" / "models");
  folders.push_back(home / ".cache" / "lm-studio" / "models");
  return folders;
}

TRINE_DECL std::filesystem::path find_model(std::string_view name, Notes* notes,
                                            const std::vector<std::filesystem::path>& folders) {
  const std::filesystem::path path(name);
  if (detail::is_folder(path)) return detail::ModelFolder(path, "", "", false, notes).resolve();
  if (detail::is_file(path) && !is_gguf(path)) return detail::blob_of_manifest(path).value_or(path);
  std::error_code failed;
  if (std::filesystem::is_symlink(path, failed) && !std::filesystem::exists(path, failed)) {
    throw FileError(path.string() + ": the download is not complete: links to " +
                        printable(std::filesystem::read_symlink(path, failed).string()) + ", which does not exist",
                    {.kind = ErrorKind::not_found, .path = path.string()});
  }
  if (std::filesystem::exists(path, failed)) return path;

  const auto [base, selection] = detail::split_selection(name);
  if (!selection.empty() && detail::is_folder(base))
    return detail::ModelFolder(base, "", selection, true, notes).resolve();
  if (!detail::is_hub_name(base)) return path;
  std::optional<FileError> first_error;
  std::string looked_in;
  for (const std::filesystem::path& folder : folders) {
    looked_in += ", " + folder.string();
    const std::size_t slash = base.find('/');
    for (const std::string& below : {base, "models--" + base.substr(0, slash) + "--" + base.substr(slash + 1)}) {
      if (!detail::is_folder(folder / below)) continue;
      try {
        return detail::ModelFolder(folder / below, base, selection, true, notes).resolve();
      } catch (const FileError& error) {  // another folder may have all of it
        if (!first_error) first_error = error;
      }
    }
  }
  if (first_error) throw *first_error;
  throw FileError(
      path.string() +
          ": expected a model directory, a GGUF file or the name of a model in a cache, found none; looked in ." +
          looked_in + "; hf download " + base + " fetches it",
      {.kind = ErrorKind::not_found, .path = path.string()});
}

}  // namespace trine::inline TRINE_ABI
