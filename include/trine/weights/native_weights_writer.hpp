// SPDX-License-Identifier: Apache-2.0
// Writes the native weight format (native_weights.hpp) tensor by tensor, a part of a tensor at a time.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include <trine/core/shape.hpp>
#include <trine/json/parse.hpp>
#include <trine/platform/output_directory.hpp>
#include <trine/weights/native_weights.hpp>

namespace trine::inline TRINE_ABI {

/// `begin` and `write` for each tensor, then `finish`. The manifest, without which nothing loads, is written last.
/// Memory: the manifest, about 150 bytes per tensor.
class NativeWeightsWriter {
 public:
  /// The files go to `directory`, which must outlive the writer. Throws FileError; also if the disk cannot reserve
  /// `bytes` for weights.bin, where the system reports that.
  explicit NativeWeightsWriter(const OutputDirectory& directory, std::uint64_t bytes = 0)
      : directory_(directory), blob_(directory.create("weights.bin")) {
    blob_.reserve(bytes);
  }

  /// Continues a file of which the first `size` bytes, some whole tensors, are there: `skip` these, and go on as usual.
  /// Throws FileError.
  NativeWeightsWriter(const OutputDirectory& directory, std::uint64_t bytes, std::uint64_t size)
      : directory_(directory), blob_(directory.path() / "weights.bin", size) {
    blob_.reserve(bytes);
  }

  /// A tensor that is there already. Throws WeightError as `begin` does, or if it is not.
  void skip(const std::string& name, DType dtype, std::span<const std::size_t> shape) {
    add_entry(name, dtype, shape,
              (end_ + NativeWeights::kAlignment - 1) / NativeWeights::kAlignment * NativeWeights::kAlignment);
    if (end_ > blob_.size()) require_complete();
  }

  /// Begins the next tensor, after the last one is complete. Throws WeightError for a type that the format does not
  /// support or a duplicate name, FileError.
  void begin(const std::string& name, DType dtype, std::span<const std::size_t> shape) {
    require_complete();
    static constexpr std::array<std::byte, NativeWeights::kAlignment> kZeros{};
    const std::size_t past = static_cast<std::size_t>(blob_.size() % NativeWeights::kAlignment);
    add_entry(name, dtype, shape, blob_.size() + (past == 0 ? 0 : kZeros.size() - past));
    if (past != 0) blob_.write(std::span(kZeros).first(kZeros.size() - past));
  }

  /// Syncs the tensors to disk, as far as they are written. Throws FileError.
  void sync() const { blob_.sync(); }
  /// Bytes written so far.
  [[nodiscard]] std::uint64_t size() const noexcept { return blob_.size(); }

  /// The next bytes  of the tensor. Throws WeightError if they exceed its size, FileError.
  void write(std::span<const std::byte> bytes) {
    if (bytes.size() > end_ - blob_.size())
      throw WeightError(name_ + ": expected at most " + std::to_string(end_ - blob_.size()) + " more bytes, found " +
                            std::to_string(bytes.size()),
                        {.kind = ErrorKind::mismatch, .field = name_});
    blob_.write(bytes);
  }

  /// Syncs the blob to disk, then writes the manifest. Throws WeightError, FileError.
  void finish() {
    require_complete();
    const std::string nbytes = std::to_string(blob_.size());
    blob_.finish();
    OutputFile manifest = directory_.create("weights.json");
    manifest.write(R"({"format": "trine-weights", "version": 1, "alignment": 64, "nbytes": )" + nbytes +
                   R"(, "tensors": {)" + entries_ + "\n}}\n");
    manifest.finish();
  }

 private:
  void add_entry(const std::string& name, DType dtype, std::span<const std::size_t> shape, std::uint64_t offset) {
    const bool possible = NativeWeights::holds(dtype) && shape.size() >= NativeWeights::least_rank(dtype) &&
                          shape.size() <= NativeWeights::kMaxRank;
    const auto bytes = possible ? stored_bytes(dtype, shape) : std::nullopt;
    if (!bytes || *bytes == 0) {
      throw WeightError(
          name + ": weights.bin holds no tensor of " + std::string(to_string(dtype)) + " " + to_string(shape),
          {.kind = ErrorKind::unsupported, .field = name});
    }
    name_ = name;
    end_ = offset + *bytes;
    entries_ += (entries_.empty() ? "\n  " : ",\n  ") + quoted(name) + R"(: {"dtype": ")" +
                std::string(to_string(dtype)) + R"(", "shape": )" + to_string(shape) + R"(, "offset": )" +
                std::to_string(offset) + R"(, "nbytes": )" + std::to_string(*bytes) + "}";
  }

  void require_complete() const {
    if (blob_.size() != end_)
      throw WeightError(name_ + ": expected " + std::to_string(end_ - blob_.size()) + " more bytes, found none",
                        {.kind = ErrorKind::mismatch, .field = name_});
  }
  static std::string quoted(const std::string& text) {
    try {
      return Json(text).dump();
    } catch (const nlohmann::json::exception&) {
      throw WeightError("tensor name " + in_quotes(text) + ": expected valid UTF-8",
                        {.kind = ErrorKind::unsupported, .field = text});
    }
  }

  const OutputDirectory& directory_;
  OutputFile blob_;
  std::string entries_;    // of the manifest
  std::string name_;       // of the current tensor
  std::uint64_t end_ = 0;  // its end in the blob
};

}  // namespace trine::inline TRINE_ABI
