// SPDX-License-Identifier: Apache-2.0
// The definitions of weights/gguf.hpp.
#pragma once

#include <algorithm>
#include <bit>
#include <optional>
#include <span>
#include <system_error>
#include <utility>

#include <trine/core/check.hpp>
#include <trine/core/shape.hpp>
#include <trine/quant/weight_formats.hpp>
#include <trine/weights/gguf.hpp>
#include <trine/weights/gguf_metadata.inl>

namespace trine::inline TRINE_ABI {

static_assert(std::endian::native == std::endian::little, "weight files are little endian and used as they are");

namespace detail {

inline constexpr std::string_view kGgufMagic = "GGUF";
inline constexpr std::uint64_t kMinValueBytes = 8 + 4 + 1;                   // of an entry of the metadata
inline constexpr std::uint64_t kMinTensorBytes = 8 + 4 + 4 + 8;              // of the description of a tensor
inline constexpr std::uint64_t kMaxGgufAlignment = std::uint64_t{1} << 31U;  // bytes; the largest power of two in a u32

/// Reads one file from its begin on, never past its end.
class GgufReader {
 public:
  struct Header {
    std::uint32_t version;
    std::uint64_t tensors;
    std::uint64_t values;
  };

  explicit GgufReader(const MappedFile& file) : path_(file.path().string()), bytes_(file.bytes()) {}

  [[nodiscard]] std::uint64_t position() const noexcept { return at_; }

  [[nodiscard]] Header read_header() {
    const std::span<const std::byte> magic = take(std::min<std::uint64_t>(left(), kGgufMagic.size()), "header");
    const std::string_view found(reinterpret_cast<const char*>(magic.data()), magic.size());
    if (found != kGgufMagic)
      throw WeightError(path_ + ": expected a file that begins with 'GGUF', found " + in_quotes(found),
                        {.path = path_});
    const auto version = take<std::uint32_t>("header");
    if (version != 0 && (version & 0xFFFFU) == 0) fail_version("a big-endian file");
    if (version != 2 && version != 3) fail_version("version " + std::to_string(version));
    const auto tensors = take<std::uint64_t>("header");
    const auto values = take<std::uint64_t>("header");
    const auto least_values = checked_multiply(values, kMinValueBytes);
    const auto least_tensors = checked_multiply(tensors, kMinTensorBytes);
    const auto least = least_values && least_tensors ? checked_add(*least_values, *least_tensors) : std::nullopt;
    if (!least || *least > left()) {
      throw WeightError(path_ + ": header: expected no more values and tensors than the " + std::to_string(left()) +
                            " bytes after it can hold, found " + std::to_string(values) + " values and " +
                            std::to_string(tensors) + " tensors",
                        {.path = path_});
    }
    return {version, tensors, values};
  }

  [[nodiscard]] GgufMetadata read_metadata(std::uint64_t count) {
    GgufMetadata metadata(path_);
    for (std::uint64_t i = 0; i < count; ++i) {
      const std::string_view key = take_text("a key of the metadata");
      if (key.empty()) throw WeightError(path_ + ": metadata: expected a key, found an empty one", {.path = path_});
      if (!metadata.add(key, read_value(key)))
        throw WeightError(path_ + ": " + escaped(key) + ": expected one value, found a second one",
                          {.path = path_, .field = std::string(key)});
    }
    return metadata;
  }

  struct TensorEntry {
    std::string_view name;
    std::vector<std::size_t> shape;
    const GgmlType* type;
    std::uint64_t offset;
    std::uint64_t nbytes;
  };

  [[nodiscard]] TensorEntry read_tensor() {
    TensorEntry tensor{.name = take_text("the name of a tensor"), .shape = {}, .type = {}, .offset = 0, .nbytes = 0};
    const std::string place = "tensor " + in_quotes(tensor.name);
    const auto rank = take<std::uint32_t>(place);
    if (rank > GgufFile::kMaxRank) fail(tensor.name, "expected at most 4 extents, found " + std::to_string(rank));
    for (std::uint32_t axis = 0; axis < rank; ++axis)
      tensor.shape.push_back(static_cast<std::size_t>(take<std::uint64_t>(place)));
    std::ranges::reverse(tensor.shape);
    const auto id = take<std::uint32_t>(place);
    tensor.type = find_ggml_type(id);
    if (tensor.type == nullptr)
      fail(
          tensor.name,
          "expected a type of ggml from 0 to " + std::to_string(kGgmlTypes.back().id) + ", found " + std::to_string(id),
          ErrorKind::unsupported);
    if (tensor.type->is_removed())
      fail(tensor.name, "its type " + std::string(tensor.type->name) + " was removed from the format",
           ErrorKind::unsupported);
    tensor.nbytes = bytes_of(tensor);
    tensor.offset = take<std::uint64_t>(place);
    return tensor;
  }

  [[noreturn]] void fail(std::string_view name, const std::string& problem, ErrorKind kind = ErrorKind::damaged) const {
    throw WeightError(path_ + ": tensor " + in_quotes(name) + ": " + problem,
                      {.kind = kind, .path = path_, .field = std::string(name)});
  }

 private:
  [[nodiscard]] std::uint64_t left() const noexcept { return bytes_.size() - at_; }

  [[nodiscard]] std::span<const std::byte> take(std::uint64_t count, std::string_view what) {
    if (count > left()) {
      throw WeightError(path_ + ": " + std::string(what) + ": expected " + std::to_string(count) +
                            " more bytes, found the end of the file after " + std::to_string(left()),
                        {.path = path_});
    }
    const std::span<const std::byte> taken = bytes_.subspan(at_, static_cast<std::size_t>(count));
    at_ += taken.size();
    return taken;
  }
  template <class T>
  [[nodiscard]] T take(std::string_view what) {
    return load_unaligned<T>(take(sizeof(T), what).data());
  }
  [[nodiscard]] std::string_view take_text(std::string_view what) {
    const auto length = take<std::uint64_t>(what);
    const std::span<const std::byte> text = take(length, what);
    return {reinterpret_cast<const char*>(text.data()), text.size()};
  }

  [[noreturn]] void fail_version(const std::string& found) const {
    throw WeightError(path_ + ": expected a little-endian GGUF file of version 2 or 3, found " + found,
                      {.kind = ErrorKind::unsupported, .path = path_});
  }

  [[nodiscard]] GgufType read_type(std::string_view key, const std::string& place) {
    const auto number = take<std::uint32_t>(place);
    if (number > static_cast<std::uint32_t>(GgufType::f64))
      throw WeightError(
          path_ + ": " + place + ": expected a type of values from 0 to 12, found " + std::to_string(number),
          {.path = path_, .field = std::string(key)});
    return static_cast<GgufType>(number);
  }

  [[nodiscard]] GgufValue read_value(std::string_view key) {
    const std::string place = escaped(key);
    GgufValue value;
    value.type = read_type(key, place);
    value.is_array = value.type == GgufType::array;
    if (value.is_array) {
      value.type = read_type(key, place);
      if (value.type == GgufType::array)
        throw WeightError(path_ + ": " + place + ": expected an array of plain values, found one of arrays",
                          {.kind = ErrorKind::unsupported, .path = path_, .field = std::string(key)});
      value.count = take<std::uint64_t>(place);
    }
    const std::size_t begin = at_;
    if (value.type == GgufType::string) {
      for (std::uint64_t i = 0; i < value.count; ++i) static_cast<void>(take_text(place));
    } else {
      const auto nbytes = checked_multiply(value.count, fixed_bytes(value.type));
      static_cast<void>(take(nbytes.value_or(~std::uint64_t{0}), place));
    }
    value.bytes = bytes_.subspan(begin, at_ - begin);
    const auto is_other = [](std::byte byte) { return byte > std::byte{1}; };
    if (value.type == GgufType::boolean && std::ranges::any_of(value.bytes, is_other))
      throw WeightError(path_ + ": " + place + ": expected 0 or 1 for a bool, found another byte",
                        {.path = path_, .field = std::string(key)});
    return value;
  }

  [[nodiscard]] std::uint64_t bytes_of(const TensorEntry& tensor) const {
    const GgmlType& type = *tensor.type;
    const std::size_t columns = tensor.shape.empty() ? 1 : tensor.shape.back();
    if (columns % type.block_elements != 0) {
      fail(tensor.name, "expected rows of a multiple of " + std::to_string(type.block_elements) + " for " +
                            std::string(type.name) + ", found " + to_string(tensor.shape));
    }
    const auto elements = checked_product(tensor.shape);
    const auto nbytes = elements ? checked_multiply(*elements / type.block_elements, type.block_bytes) : std::nullopt;
    if (!nbytes) fail(tensor.name, "shape " + to_string(tensor.shape) + " has more bytes than 64 bits count");
    return *nbytes;
  }

  std::string path_;
  std::span<const std::byte> bytes_;
  std::size_t at_ = 0;
};

/// Bytes that views of tensors of that type must be aligned to.
[[nodiscard]] inline std::size_t alignment_of(DType dtype) noexcept {
  if (const std::size_t bytes = size_bytes(dtype); bytes > 0) return bytes;
  const WeightFormat* format = find_format(dtype);
  return format == nullptr ? 1 : format->alignment;
}

/// "-00002-of-00003.gguf"
[[nodiscard]] inline std::string split_suffix(std::uint64_t part, std::uint64_t count) {
  const auto digits = [](std::uint64_t number) {
    const std::string text = std::to_string(number);
    return std::string(text.size() < 5 ? 5 - text.size() : 0, '0') + text;
  };
  return "-" + digits(part) + "-of-" + digits(count) + ".gguf";
}

}  // namespace detail

TRINE_DECL bool is_gguf(const std::filesystem::path& path) {
  std::error_code failed;
  if (!std::filesystem::is_regular_file(path, failed)) return false;
  const MappedFile file(path);
  const std::string_view text(reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size());
  return text.starts_with(detail::kGgufMagic);
}

TRINE_DECL std::vector<std::filesystem::path> gguf_parts(const std::filesystem::path& file) {
  const MappedFile mapped(file);
  detail::GgufReader reader(mapped);
  const GgufMetadata metadata = reader.read_metadata(reader.read_header().values);
  const std::uint64_t count = metadata.unsigned_integer_or("split.count", 0, 65535, 1);
  if (count <= 1) return {file};

  const std::string path = file.string();
  const std::uint64_t part = metadata.unsigned_integer("split.no", 0, count - 1) + 1;
  const std::string suffix = detail::split_suffix(part, count);
  if (!path.ends_with(suffix)) {
    throw WeightError(path + ": expected a name that ends with " + suffix + ", as this is part " +
                          std::to_string(part) + " of " + std::to_string(count),
                      {.kind = ErrorKind::mismatch, .path = path});
  }
  const std::string stem = path.substr(0, path.size() - suffix.size());
  if (part != 1) {
    throw WeightError(path + ": expected the first part of a split file, found part " + std::to_string(part) + " of " +
                          std::to_string(count) + "; the first is " + stem + detail::split_suffix(1, count),
                      {.kind = ErrorKind::mismatch, .path = path});
  }
  std::vector<std::filesystem::path> parts;
  std::vector<std::string> missing;
  for (std::uint64_t i = 1; i <= count; ++i) {
    parts.emplace_back(stem + detail::split_suffix(i, count));
    std::error_code failed;
    if (!std::filesystem::exists(parts.back(), failed)) missing.push_back(parts.back().string());
  }
  if (!missing.empty()) {
    throw FileError(path + ": expected " + std::to_string(count) + " parts, found " +
                        std::to_string(count - missing.size()) + "; missing: " + missing.front() +
                        (missing.size() > 1 ? " and " + std::to_string(missing.size() - 1) + " more" : ""),
                    {.kind = ErrorKind::not_found, .path = missing.front()});
  }
  return parts;
}

TRINE_DECL GgufFile::GgufFile(const std::filesystem::path& file, FileAccess access, const ReadCallback& on_read) {
  const std::vector<std::filesystem::path> files = gguf_parts(file);
  std::uint64_t total = 0;
  for (const std::filesystem::path& part : files) {
    std::error_code failed;  // a file that cannot be examined is one that cannot be opened
    const std::uintmax_t size = std::filesystem::file_size(part, failed);
    if (!failed) total += size;
  }
  std::uint64_t before = 0;  // bytes of parts that were read
  const auto on_read_part = [&](const std::filesystem::path& part, std::uint64_t done, std::uint64_t size) {
    on_read(part, std::min(before + done, total), total);
    if (done == size) before += size;
  };
  for (const std::filesystem::path& part : files) open_part(part, access, on_read ? on_read_part : ReadCallback());
  if (files.size() > 1) require_one_set();
}

TRINE_DECL void GgufFile::open_part(const std::filesystem::path& file, FileAccess access, const ReadCallback& on_read) {
  MappedFile mapped(file, access, on_read);
  const std::span<const std::byte> bytes = mapped.bytes();
  detail::GgufReader reader(mapped);
  const auto header = reader.read_header();
  GgufMetadata metadata = reader.read_metadata(header.values);
  const std::string path = file.string();

  const std::uint64_t alignment =
      metadata.unsigned_integer_or("general.alignment", 1, detail::kMaxGgufAlignment, kDefaultAlignment);
  if (!std::has_single_bit(alignment)) metadata.fail("general.alignment", "a power of two", ErrorKind::out_of_range);

  std::vector<detail::GgufReader::TensorEntry> entries;
  for (std::uint64_t i = 0; i < header.tensors; ++i) entries.push_back(reader.read_tensor());
  const std::uint64_t data = (reader.position() + alignment - 1) / alignment * alignment;
  std::uint64_t needed = 0;
  for (const auto& entry : entries) {
    if (entry.offset % alignment != 0) {
      reader.fail(entry.name, "offset: expected a multiple of " + std::to_string(alignment) + ", found " +
                                  std::to_string(entry.offset));
    }
    const auto end = checked_add(entry.offset, entry.nbytes);
    const auto end_in_file = end ? checked_add(data, *end) : std::nullopt;
    if (!end_in_file)
      reader.fail(entry.name, "offset: expected one within 64 bits, found " + std::to_string(entry.offset));
    if (entry.nbytes > 0) needed = std::max(needed, *end_in_file);
  }
  if (needed > bytes.size()) {
    throw WeightError(path + ": expected a file of at least " + std::to_string(needed) + " bytes, found " +
                          std::to_string(bytes.size()) + ": " + std::to_string(needed - bytes.size()) +
                          " bytes are missing at its end",
                      {.path = path});
  }

  std::ranges::sort(entries, {}, [](const auto& entry) { return std::pair(entry.offset, entry.nbytes); });
  const detail::GgufReader::TensorEntry* before = nullptr;
  for (const auto& entry : entries) {
    if (entry.nbytes == 0) continue;
    if (before != nullptr && before->offset + before->nbytes > entry.offset)
      reader.fail(entry.name, "expected bytes of its own, found some of tensor " + in_quotes(before->name));
    before = &entry;
  }

  Part& part = parts_.emplace_back(Part{std::move(mapped), std::move(metadata), header.version, header.tensors});
  for (auto& entry : entries) {
    Tensor tensor{.type = entry.type, .stored = {}, .part = parts_.size() - 1};
    tensor.stored.shape = std::move(entry.shape);
    if (entry.nbytes > 0)
      tensor.stored.bytes =
          bytes.subspan(static_cast<std::size_t>(data + entry.offset), static_cast<std::size_t>(entry.nbytes));
    if (entry.type->dtype()) {
      tensor.stored.dtype = *entry.type->dtype();
      const std::span<const std::byte> stored = tensor.stored.bytes;
      if (std::bit_cast<std::uintptr_t>(stored.data()) % detail::alignment_of(tensor.stored.dtype) != 0)
        tensor.stored.bytes = part.copies.emplace_back(stored.begin(), stored.end());
    }
    if (!tensors_.emplace(entry.name, std::move(tensor)).second)
      reader.fail(entry.name, "expected one tensor of this name, found a second one");
  }
}

TRINE_DECL void GgufFile::require_one_set() const {
  const auto require = [](const GgufMetadata& metadata, std::string_view key, std::uint64_t expected, const char* why) {
    if (metadata.unsigned_integer(key) != expected)
      metadata.fail(key, std::to_string(expected) + why, ErrorKind::mismatch);
  };
  std::uint64_t tensors = 0;
  for (std::size_t i = 0; i < parts_.size(); ++i) {
    require(parts_[i].metadata, "split.no", i, ", as the name of the file says");
    require(parts_[i].metadata, "split.count", parts_.size(), ", as the first part says");
    tensors += parts_[i].tensors;
  }
  for (const Part& part : parts_)
    if (part.metadata.has("split.tensors.count"))
      require(part.metadata, "split.tensors.count", tensors, " tensors, as all parts hold");
}

TRINE_DECL std::vector<std::string> GgufFile::files() const {
  std::vector<std::string> result;
  for (const Part& part : parts_) result.push_back(part.metadata.source_name());
  return result;
}

TRINE_DECL const StoredTensor* GgufFile::find(std::string_view name) const {
  const auto found = tensors_.find(name);
  if (found == tensors_.end()) return nullptr;
  const Tensor& tensor = found->second;
  if (!tensor.type->dtype()) {
    const std::string file = source_name_of(name);
    throw WeightError(
        file + ": tensor " + in_quotes(name) + ": its type " + std::string(tensor.type->name) + " is not supported",
        {.kind = ErrorKind::unsupported, .path = file, .field = std::string(name)});
  }
  return &tensor.stored;
}

TRINE_DECL std::vector<std::string_view> GgufFile::names() const {
  std::vector<std::string_view> result;
  result.reserve(tensors_.size());
  for (const auto& [name, tensor] : tensors_) result.push_back(name);
  return result;
}

TRINE_DECL std::string GgufFile::source_name_of(std::string_view name) const {
  const auto found = tensors_.find(name);
  return found == tensors_.end() ? source_name() : parts_[found->second.part].metadata.source_name();
}

}  // namespace trine::inline TRINE_ABI
