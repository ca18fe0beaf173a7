// SPDX-License-Identifier: Apache-2.0
// One file of tensors in the safetensors format (https://github.com/huggingface/safetensors):
//
//   | n: u64, little endian | n bytes of JSON | data |
//   {"__metadata__": {text: text, ...},
//    name: {"dtype": "BF16", "shape": [out, in], "data_offsets": [begin, end]}, ...}
//
// Offsets count from the first byte of the data. Tensors are packed, row-major and little endian, and cover the data
// without gaps or overlaps. The file is mapped. The format does not guarantee alignment: a tensor that is not aligned
// for its element type is copied when the file is opened; no other tensor is.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <trine/core/check.hpp>
#include <trine/core/shape.hpp>
#include <trine/core/tensor.hpp>
#include <trine/json/object_reader.hpp>
#include <trine/platform/mapped_file.hpp>
#include <trine/weights/weight_source.hpp>

namespace trine::inline TRINE_ABI {

static_assert(std::endian::native == std::endian::little, "weight files are little endian and used as they are");

/// One safetensors file, mapped or read.
class Safetensors : public TensorMap {
 public:
  static constexpr std::uint64_t kMaxHeaderBytes = 100'000'000;  ///< as in the reference implementation
  static constexpr std::size_t kMaxRank = 64;                    ///< as in PyTorch

  /// Opens `file` and checks all requirements of the format. Throws FileError, ConfigError (invalid JSON in the header)
  /// or WeightError (the header does not fit the file), and what `on_read` throws.
  explicit Safetensors(const std::filesystem::path& file, FileAccess access = FileAccess::map,
                       const ReadCallback& on_read = {})
      : path_(file.string()), file_(file, access, on_read) {
    const std::string_view header = read_header();
    const std::span<const std::byte> data = file_.bytes().subspan(kLengthBytes + header.size());
    std::vector<Range> ranges = read_entries(header);
    require_cover(ranges, data.size());
    for (const Range& range : ranges)
      range.tensor->bytes = aligned(data.subspan(range.begin, range.end - range.begin), range.tensor->dtype);
  }

  [[nodiscard]] std::string source_name() const override { return path_; }

 private:
  static constexpr std::size_t kLengthBytes = 8;
  using AlignedBytes = std::vector<std::byte, CacheLineAllocator<std::byte>>;

  // Bytes [begin, end) of the data; name and tensor live in `tensors_`.
  struct Range {
    std::uint64_t begin;
    std::uint64_t end;
    const std::string* name;
    StoredTensor* tensor;
  };

  [[nodiscard]] std::string_view read_header() const {
    const std::span<const std::byte> bytes = file_.bytes();
    if (bytes.size() < kLengthBytes) {
      throw WeightError(path_ + ": expected the 8 bytes of a header's length, found a file of " +
                            std::to_string(bytes.size()) + " bytes",
                        {.path = path_});
    }
    std::uint64_t length = 0;
    std::memcpy(&length, bytes.data(), kLengthBytes);
    if (length > kMaxHeaderBytes) {
      throw WeightError(path_ + ": header: expected at most " + std::to_string(kMaxHeaderBytes) + " bytes, found " +
                            std::to_string(length),
                        {.path = path_});
    }
    if (length > bytes.size() - kLengthBytes) {
      throw WeightError(path_ + ": header: expected to end within the " + std::to_string(bytes.size()) +
                            " bytes of the file, found a length of " + std::to_string(length),
                        {.path = path_});
    }
    const std::string_view text(reinterpret_cast<const char*>(bytes.data()) + kLengthBytes, length);
    if (!text.starts_with('{'))
      throw WeightError(path_ + ": header: expected to begin with '{', found " + in_quotes(text.substr(0, 1)),
                        {.path = path_});
    return text;
  }

  // Fills `tensors_`, except for the addresses of their bytes.
  [[nodiscard]] std::vector<Range> read_entries(std::string_view header) {
    const Json document = parse_json(header, {path_, "header"});
    std::vector<Range> ranges;
    ranges.reserve(document.size());
    for (const auto& [name, value] : document.items()) {
      if (name == "__metadata__") {
        require_text(value);
      } else {
        ranges.push_back(read_entry(name, ObjectReader(value, {path_, "tensor " + in_quotes(name), name})));
      }
    }
    return ranges;
  }

  void require_text(const Json& metadata) const {
    const ObjectReader reader(metadata, {path_, "__metadata__"});
    for (const auto& [key, value] : metadata.items())
      if (!value.is_string()) reader.fail(in_quotes(key), "a string", value);
  }

  [[nodiscard]] Range read_entry(const std::string& name, ObjectReader entry) {
    StoredTensor tensor;
    tensor.dtype = read_dtype(entry);
    tensor.shape = read_shape(entry);
    const auto [begin, end] = read_offsets(entry);
    entry.reject_unknown_keys();

    const auto elements = checked_product(tensor.shape);
    const auto needed = elements ? checked_multiply(*elements, size_bytes(tensor.dtype)) : std::nullopt;
    if (!needed) fail(name, "shape " + to_string(tensor.shape) + " has more bytes than 64 bits count");
    if (begin > end || end - begin != *needed) {
      fail(name, "data_offsets: expected " + std::to_string(*needed) + " bytes for " +
                     std::string(element_name(tensor.dtype)) + " " + to_string(tensor.shape) + ", found [" +
                     std::to_string(begin) + ", " + std::to_string(end) + "]");
    }
    const auto added = tensors_.emplace(name, std::move(tensor)).first;
    return {begin, end, &added->first, &added->second};
  }

  [[noreturn]] void fail(const std::string& name, const std::string& problem) const {
    throw WeightError(path_ + ": tensor " + in_quotes(name) + ": " + problem, {.path = path_, .field = name});
  }

  [[nodiscard]] static DType read_dtype(ObjectReader& entry) {
    const std::string text = entry.string("dtype");
    for (const DTypeInfo& info : kDTypes)
      if (std::ranges::equal(text, info.name, {}, {}, upper)) return info.dtype;
    for (const std::string_view other : {"F4", "F6_E2M3", "F6_E3M2", "F8_E4M3FNUZ", "F8_E5M2FNUZ", "C64"})
      if (text == other)
        entry.fail("dtype", "no kernel of trine reads elements of type " + text, ErrorKind::unsupported);
    entry.fail("dtype", "an element type of the format", entry.at("dtype"));
  }
  [[nodiscard]] static constexpr char upper(char c) noexcept {
    return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  }

  [[nodiscard]] static std::vector<std::size_t> read_shape(ObjectReader& entry) {
    const Json& list = entry.at("shape");
    if (!list.is_array() || list.size() > kMaxRank) entry.fail("shape", "a list of at most 64 integers", list);
    std::vector<std::size_t> shape;
    shape.reserve(list.size());
    for (const Json& extent : list) {
      if (!extent.is_number_unsigned()) entry.fail("shape", "integers from 0 on", extent);
      shape.push_back(extent.get<std::size_t>());
    }
    return shape;
  }

  [[nodiscard]] static std::pair<std::uint64_t, std::uint64_t> read_offsets(ObjectReader& entry) {
    const Json& list = entry.at("data_offsets");
    if (!list.is_array() || list.size() != 2 || !list[0].is_number_unsigned() || !list[1].is_number_unsigned())
      entry.fail("data_offsets", "a list of two integers from 0 on", list);
    return {list[0].get<std::uint64_t>(), list[1].get<std::uint64_t>()};
  }

  // Sorts the ranges; each begins at the end of the previous one, the first at 0, and the last ends at the end of the
  // data. So every range lies inside the data.
  void require_cover(std::vector<Range>& ranges, std::uint64_t data_bytes) const {
    std::ranges::sort(ranges, {}, [](const Range& range) { return std::pair(range.begin, range.end); });
    std::uint64_t covered = 0;
    for (const Range& range : ranges) {
      if (range.begin != covered) {
        fail(*range.name, "data_offsets: expected to begin at " + std::to_string(covered) +
                              ", where the tensor before it ends, found " + std::to_string(range.begin));
      }
      covered = range.end;
    }
    if (covered != data_bytes) {
      throw WeightError(path_ + ": expected " + std::to_string(covered) + " bytes of data, where the last tensor ends" +
                            ", found " + std::to_string(data_bytes),
                        {.path = path_});
    }
  }

  [[nodiscard]] std::span<const std::byte> aligned(std::span<const std::byte> bytes, DType dtype) {
    if (std::bit_cast<std::uintptr_t>(bytes.data()) % size_bytes(dtype) == 0) return bytes;
    return copies_.emplace_back(bytes.begin(), bytes.end());
  }

  std::string path_;
  MappedFile file_;
  std::vector<AlignedBytes> copies_;  // of unaligned tensors; moving a copy keeps its address
};

}  // namespace trine::inline TRINE_ABI
