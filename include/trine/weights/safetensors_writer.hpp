// SPDX-License-Identifier: Apache-2.0
// Writes tensors as safetensors, in several files with an index if they are large, as transformers shards them.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <trine/core/check.hpp>
#include <trine/core/dtype.hpp>
#include <trine/core/error.hpp>
#include <trine/core/shape.hpp>
#include <trine/json/parse.hpp>
#include <trine/platform/output_directory.hpp>
#include <trine/platform/output_file.hpp>

namespace trine::inline TRINE_ABI {

/// The name, type and extents of a tensor.
struct TensorHeader {
  std::string name;                ///< valid UTF-8
  DType dtype = DType::f32;        ///< an element type, no block format
  std::vector<std::size_t> shape;  ///< extents, the first axis first
};

/// All tensors are known at the beginning, because each file begins with the names of what it holds; their bytes follow
/// in the same order:
///   model.safetensors                                        if all of it is at most `max_shard_bytes`
///   model-00001-of-00002.safetensors, ..., and model.safetensors.index.json, which is written last
class SafetensorsWriter {
 public:
  /// A tensor larger than `max_shard_bytes` has a file of its own. `stem` stands in place of "model" in the names of
  /// the files. Throws WeightError for a block format or a name that two tensors have.
  SafetensorsWriter(const OutputDirectory& directory, std::vector<TensorHeader> tensors, std::uint64_t max_shard_bytes,
                    std::string stem = "model")
      : directory_(directory), stem_(std::move(stem)), tensors_(std::move(tensors)) {
    bytes_.reserve(tensors_.size());
    for (const TensorHeader& tensor : tensors_) bytes_.push_back(bytes_of(tensor));
    std::uint64_t filled = 0;
    for (std::size_t i = 0; i < tensors_.size(); ++i) {
      if (i == 0 || (filled != 0 && bytes_[i] > max_shard_bytes - std::min(filled, max_shard_bytes))) {
        shards_.push_back(i);
        filled = 0;
      }
      filled += bytes_[i];
      total_ += bytes_[i];
    }
    require_distinct_names();
    shards_.push_back(tensors_.size());
  }

  /// The tensors, in the order in which their bytes are written.
  [[nodiscard]] std::span<const TensorHeader> tensors() const noexcept { return tensors_; }
  /// Bytes of all tensors.
  [[nodiscard]] std::uint64_t total_bytes() const noexcept { return total_; }
  /// Number of files with tensors.
  [[nodiscard]] std::size_t num_shards() const noexcept { return shards_.size() - 1; }

  /// Bytes of the next tensor of the list, from the first to the last. Throws FileError; WeightError if those of
  /// the one before are missing, or for a name that JSON cannot hold.
  void begin() {
    require_complete();
    if (next_ == shards_[shard_]) {
      if (file_) file_->finish();
      file_.emplace(directory_.create(shard_name(shard_)));
      write_header(shards_[shard_], shards_[shard_ + 1]);
      ++shard_;
    }
    left_ = bytes_[next_++];
  }
  /// The next bytes of the tensor that begin() named. Throws FileError; WeightError if they exceed its size.
  void write(std::span<const std::byte> bytes) {
    if (next_ == 0) throw WeightError("tensors: expected begin() before their bytes", {.kind = ErrorKind::mismatch});
    if (bytes.size() > left_)
      throw WeightError(tensors_[next_ - 1].name + ": expected at most " + std::to_string(left_) +
                            " more bytes, found " + std::to_string(bytes.size()),
                        {.kind = ErrorKind::mismatch, .field = tensors_[next_ - 1].name});
    file_->write(bytes);
    left_ -= bytes.size();
  }
  /// Writes the index, if there is more than one file. Throws FileError; WeightError if tensors are missing.
  void finish() {
    require_complete();
    if (next_ != tensors_.size())
      throw WeightError(tensors_[next_].name + ": expected its bytes before the end, found none",
                        {.kind = ErrorKind::mismatch, .field = tensors_[next_].name});
    if (file_) file_->finish();
    if (num_shards() > 1) write_index();
  }

 private:
  [[nodiscard]] static std::uint64_t bytes_of(const TensorHeader& tensor) {
    const auto elements = checked_product(tensor.shape);
    const auto bytes = elements ? checked_multiply(*elements, size_bytes(tensor.dtype)) : std::nullopt;
    if (size_bytes(tensor.dtype) == 0 || !bytes)
      throw WeightError(
          tensor.name + ": safetensors holds no tensor of that type and shape, " + to_string(tensor.shape),
          {.kind = ErrorKind::unsupported, .field = tensor.name});
    return *bytes;
  }
  void require_distinct_names() const {
    std::vector<std::string> names;
    names.reserve(tensors_.size());
    for (const TensorHeader& tensor : tensors_) names.push_back(tensor.name);
    std::ranges::sort(names);
    const auto twice = std::ranges::adjacent_find(names);
    if (twice != names.end())
      throw WeightError(*twice + ": expected one tensor of that name, found two",
                        {.kind = ErrorKind::mismatch, .field = *twice});
  }
  void require_complete() const {
    if (left_ != 0)
      throw WeightError(tensors_[next_ - 1].name + ": expected " + std::to_string(left_) + " more bytes, found none",
                        {.kind = ErrorKind::mismatch, .field = tensors_[next_ - 1].name});
  }

  [[nodiscard]] std::string shard_name(std::size_t shard) const {
    if (num_shards() == 1) return stem_ + ".safetensors";
    const auto five_digits = [](std::size_t number) {
      const std::string digits = std::to_string(number);
      return std::string(5 - std::min<std::size_t>(digits.size(), 5), '0') + digits;
    };
    return stem_ + "-" + five_digits(shard + 1) + "-of-" + five_digits(num_shards()) + ".safetensors";
  }

  [[nodiscard]] static std::string element_name_of(DType dtype) {
    std::string name(element_name(dtype));
    for (char& c : name)
      if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
    return name;
  }

  [[nodiscard]] static std::string dump(const Json& document, int indent, const std::string& what) {
    try {
      return document.dump(indent);
    } catch (const nlohmann::json::exception&) {
      throw WeightError(what + ": expected tensor names in valid UTF-8, found another",
                        {.kind = ErrorKind::unsupported, .field = what});
    }
  }

  void write_header(std::size_t first, std::size_t end) {
    Json header;
    header["__metadata__"] = {{"format", "pt"}};
    std::uint64_t offset = 0;
    for (std::size_t i = first; i < end; ++i) {
      header[tensors_[i].name] = {{"dtype", element_name_of(tensors_[i].dtype)},
                                  {"shape", tensors_[i].shape},
                                  {"data_offsets", {offset, offset + bytes_[i]}}};
      offset += bytes_[i];
    }
    std::string text = dump(header, -1, shard_name(shard_));
    while (text.size() % 8 != 0) text += ' ';  // so that the data is aligned
    const auto length = std::bit_cast<std::array<std::byte, 8>>(static_cast<std::uint64_t>(text.size()));
    file_->reserve(length.size() + text.size() + offset);
    file_->write(length);
    file_->write(text);
  }

  void write_index() {
    Json index;
    index["metadata"] = {{"total_size", total_}};
    Json& map = index["weight_map"];
    for (std::size_t shard = 0; shard < num_shards(); ++shard)
      for (std::size_t i = shards_[shard]; i < shards_[shard + 1]; ++i) map[tensors_[i].name] = shard_name(shard);
    OutputFile file = directory_.create(stem_ + ".safetensors.index.json");
    file.write(dump(index, 2, stem_) + "\n");
    file.finish();
  }

  const OutputDirectory& directory_;
  std::string stem_;  // of the names of files
  std::vector<TensorHeader> tensors_;
  std::vector<std::uint64_t> bytes_;  // of each
  std::vector<std::size_t> shards_;   // the first tensor of each file, and the end
  std::uint64_t total_ = 0;
  std::optional<OutputFile> file_;
  std::size_t shard_ = 0;   // the next file
  std::size_t next_ = 0;    // the next tensor
  std::uint64_t left_ = 0;  // bytes of the current tensor
};

}  // namespace trine::inline TRINE_ABI
