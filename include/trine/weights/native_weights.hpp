// SPDX-License-Identifier: Apache-2.0
// The native weight format: weights.bin, tensors back to back, and weights.json, its manifest
// (docs/reference/file-formats.md):
//
//   {"format": "trine-weights", "version": 1, "alignment": 64, "nbytes": N,
//    "tensors": {name: {"dtype": "bf16", "shape": [out, in], "offset": O, "nbytes": B}, ...}}
//
// Little endian, row-major, each tensor at a multiple of the alignment. The blob is mapped; nothing is copied.
#pragma once

#include <algorithm>
#include <bit>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include <trine/core/check.hpp>
#include <trine/core/shape.hpp>
#include <trine/json/object_reader.hpp>
#include <trine/platform/mapped_file.hpp>
#include <trine/quant/weight_formats.hpp>
#include <trine/weights/weight_source.hpp>

namespace trine::inline TRINE_ABI {

static_assert(std::endian::native == std::endian::little, "weight files are little endian and used as they are");

/// A native weight file, mapped or read, with its manifest.
class NativeWeights : public TensorMap {
 public:
  static constexpr std::uint64_t kAlignment = 64;  ///< bytes; alignment of tensors in the file
  static constexpr std::size_t kMaxRank = 4;       ///< maximum rank of a tensor

  /// Returns whether the file may contain tensors of that type: values or scales of a format that it supports.
  [[nodiscard]] static constexpr bool holds(DType dtype) noexcept {
    for (const WeightFormat* format : kWeightFormats) {
      if (!format->in_native_file) continue;
      if (format->tensor_dtype() == dtype || (format->has_scale_tensor() && format->stored_scales == dtype))
        return true;
    }
    return false;
  }

  /// Extents of a tensor of that type: rows of blocks are those of a matrix.
  [[nodiscard]] static constexpr std::size_t least_rank(DType dtype) noexcept { return size_bytes(dtype) == 0 ? 2 : 1; }

  /// Opens `directory`/weights.json and `directory`/weights.bin and checks every range against the blob's size.
  /// Throws FileError, ConfigError (invalid JSON or settings) or WeightError (the manifest does not fit the blob), and
  /// what `on_read` throws.
  explicit NativeWeights(const std::filesystem::path& directory, FileAccess access = FileAccess::map,
                         const ReadCallback& on_read = {})
      : manifest_((directory / "weights.json").string()), blob_(directory / "weights.bin", access, on_read) {
    const Json document = read_json_file(manifest_);
    ObjectReader root(document, manifest_);
    static_cast<void>(root.choice<bool>("format", {{"trine-weights", true}}));
    static_cast<void>(root.integer("version", 1, 1));
    static_cast<void>(root.integer("alignment", kAlignment, kAlignment));
    const std::uint64_t nbytes = root.integer("nbytes", 0, std::numeric_limits<std::int64_t>::max());
    if (nbytes != blob_.size()) {
      throw WeightError(manifest_ + ": nbytes: expected " + std::to_string(blob_.size()) +
                            ", the size of weights.bin, found " + std::to_string(nbytes),
                        {.path = manifest_, .field = "nbytes"});
    }
    ObjectReader tensors = root.object("tensors");
    root.reject_unknown_keys();
    for (const auto& item : root.at("tensors").items()) read_tensor(item.key(), tensors.object(item.key()));
    require_no_overlap();
  }

  [[nodiscard]] std::string source_name() const override { return manifest_; }

 private:
  static std::string held_types() {
    std::string types;
    for (const WeightFormat* format : kWeightFormats)
      if (format->in_native_file && !is_ggml_block(*format))
        types += (types.empty() ? "\"" : ", \"") + std::string(to_string(format->tensor_dtype())) + "\"";
    return types + " or a block type of GGUF";
  }

  void read_tensor(const std::string& name, ObjectReader entry) {
    const auto dtype = parse_dtype(entry.string("dtype"));
    if (!dtype || !holds(*dtype))
      entry.fail("dtype", "one of " + held_types(), entry.at("dtype"), ErrorKind::unsupported);
    StoredTensor tensor;
    tensor.dtype = *dtype;
    const Json& shape = entry.at("shape");
    if (!shape.is_array() || shape.empty() || shape.size() > kMaxRank)
      entry.fail("shape", "a list of 1 to 4 integers", shape);
    for (const Json& extent : shape) {
      if (!extent.is_number_unsigned() || extent.get<std::uint64_t>() == 0)
        entry.fail("shape", "integers from 1 on", extent);
      tensor.shape.push_back(extent.get<std::size_t>());
    }
    if (tensor.shape.size() < least_rank(tensor.dtype))
      entry.fail("shape", "at least two extents for a packed type", shape);
    if (const WeightFormat* format = find_format(tensor.dtype);
        size_bytes(tensor.dtype) == 0 && tensor.shape.back() % format->column_multiple != 0)
      entry.fail("shape", "columns in groups of " + std::to_string(format->column_multiple), shape);
    const auto needed = stored_bytes(tensor.dtype, tensor.shape);
    const std::uint64_t largest = std::numeric_limits<std::int64_t>::max();
    const std::uint64_t offset = entry.integer("offset", 0, largest);
    const std::uint64_t nbytes = entry.integer("nbytes", 0, largest);
    entry.reject_unknown_keys();

    const std::string source_name = manifest_ + ": tensors." + in_quotes(name) + ": ";
    const ErrorDetails details{.path = manifest_, .field = name};
    if (!needed)
      throw WeightError(source_name + "shape " + to_string(tensor.shape) + " has more bytes than 64 bits count",
                        details);
    if (nbytes != *needed) {
      throw WeightError(source_name + "nbytes: expected " + std::to_string(*needed) + " for " +
                            std::string(to_string(*dtype)) + " " + to_string(tensor.shape) + ", found " +
                            std::to_string(nbytes),
                        details);
    }
    if (offset % kAlignment != 0)
      throw WeightError(source_name + "offset: expected a multiple of 64, found " + std::to_string(offset), details);
    if (!range_fits(offset, nbytes, blob_.size())) {
      throw WeightError(source_name + "expected to end within the " + std::to_string(blob_.size()) +
                            " bytes of weights.bin, found offset " + std::to_string(offset) + " and " +
                            std::to_string(nbytes) + " bytes",
                        details);
    }
    tensor.bytes = blob_.bytes().subspan(static_cast<std::size_t>(offset), static_cast<std::size_t>(nbytes));
    tensors_.emplace(name, std::move(tensor));
  }

  void require_no_overlap() const {
    std::vector<const std::pair<const std::string, StoredTensor>*> in_order;
    for (const auto& entry : tensors_) in_order.push_back(&entry);
    std::ranges::sort(in_order, {}, [](const auto* entry) { return entry->second.bytes.data(); });
    for (std::size_t i = 1; i < in_order.size(); ++i) {
      const auto& before = in_order[i - 1]->second.bytes;
      if (before.data() + before.size() > in_order[i]->second.bytes.data()) {
        throw WeightError(manifest_ + ": tensors " + in_quotes(in_order[i - 1]->first) + " and " +
                              in_quotes(in_order[i]->first) + " overlap in weights.bin",
                          {.path = manifest_, .field = in_order[i]->first});
      }
    }
  }

  std::string manifest_;
  MappedFile blob_;
};

}  // namespace trine::inline TRINE_ABI
