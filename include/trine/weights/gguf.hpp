// SPDX-License-Identifier: Apache-2.0
// The GGUF format, versions 2 and 3 (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md), little endian:
//
//   | "GGUF" | version: u32 | tensors: u64 | values: u64 |
//   | key: string | type: u32 | value |  ...                                               metadata
//   | name: string | rank: u32 | extents: u64 ... | type: u32 | offset: u64 |  ...         tensors
//   | padding to a multiple of general.alignment (32) | data |
//
// A string is its length as u64 and its bytes. Extents begin with the innermost one. Offsets count from the first byte
// of the data and are multiples of the alignment.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <trine/core/tensor.hpp>
#include <trine/platform/mapped_file.hpp>
#include <trine/quant/ggml_types.hpp>
#include <trine/weights/gguf_metadata.hpp>
#include <trine/weights/weight_source.hpp>

namespace trine::inline TRINE_ABI {

/// Returns whether the file begins as a GGUF file does, whatever its name. False for a directory and for no file.
/// Throws FileError if it cannot be read.
[[nodiscard]] TRINE_DECL bool is_gguf(const std::filesystem::path& path);

/// All parts, in order, if `file` is the first of a split file; otherwise `file`. Throws FileError if one is missing,
/// WeightError if `file` is damaged or another part than the first.
[[nodiscard]] TRINE_DECL std::vector<std::filesystem::path> gguf_parts(const std::filesystem::path& file);

/// A GGUF file, or all parts of a split one, mapped or read. Tensors have the names and, in row-major order (the
/// innermost extent last), the shapes of the file. Writers drop outer extents of 1: a [1, n] matrix may be stored as
/// [n].
class GgufFile : public WeightSource {
 public:
  static constexpr std::uint64_t kDefaultAlignment = 32;  ///< bytes
  static constexpr std::uint32_t kMaxRank = 4;            ///< as in ggml

  /// Opens a file, and with the first part of a split one ("NAME-00001-of-00003.gguf") all others, in the same folder.
  /// Checks every count, range and size against the bytes that are there. Throws FileError, ConfigError (a value of the
  /// metadata) or WeightError (the file is damaged, incomplete or not supported), and what `on_read` throws, which gets
  /// the bytes of all parts together.
  explicit GgufFile(const std::filesystem::path& file, FileAccess access = FileAccess::map,
                    const ReadCallback& on_read = {});

  /// Of the first part.
  [[nodiscard]] const GgufMetadata& metadata() const noexcept { return parts_.front().metadata; }
  /// Of the first part: 2 or 3.
  [[nodiscard]] std::uint32_t version() const noexcept { return parts_.front().version; }
  /// The files of all parts, in order.
  [[nodiscard]] std::vector<std::string> files() const;

  /// Null if there is no such tensor. Throws WeightError (unsupported) for a tensor whose type trine does not read.
  [[nodiscard]] TRINE_DECL const StoredTensor* find(std::string_view name) const override;
  [[nodiscard]] TRINE_DECL std::vector<std::string_view> names() const override;
  [[nodiscard]] std::string source_name() const override { return metadata().source_name(); }
  [[nodiscard]] TRINE_DECL std::string source_name_of(std::string_view name) const override;

  /// A tensor as the file describes it, whether or not trine reads its type.
  struct Tensor {
    const GgmlType* type = nullptr;  ///< in kGgmlTypes
    StoredTensor stored;             ///< `dtype` has no meaning if `type->dtype()` is nullopt
    std::size_t part = 0;            ///< index in files()
  };
  /// All tensors, by name.
  [[nodiscard]] const std::map<std::string_view, Tensor>& tensors() const noexcept { return tensors_; }

 private:
  using AlignedBytes = std::vector<std::byte, CacheLineAllocator<std::byte>>;

  struct Part {
    MappedFile file;
    GgufMetadata metadata;
    std::uint32_t version = 0;
    std::uint64_t tensors = 0;
    std::vector<AlignedBytes> copies = {};  // of unaligned tensors; moving a copy keeps its address
  };

  void open_part(const std::filesystem::path& file, FileAccess access, const ReadCallback& on_read);
  void require_one_set() const;

  std::deque<Part> parts_;
  std::map<std::string_view, Tensor> tensors_;  // names are in the files
};

}  // namespace trine::inline TRINE_ABI

#if TRINE_HEADER_ONLY
#include <trine/weights/gguf.inl>
#endif
