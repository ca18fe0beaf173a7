// SPDX-License-Identifier: Apache-2.0
// Writes the GGUF format byte by byte, without a line of the reader: good files by GgufWriter, bad ones from the
// pieces.
#pragma once

#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace trine::test {

/// The bytes of a number, little endian as this machine.
template <class T>
requires std::is_arithmetic_v<T>
[[nodiscard]] std::string gguf_bytes(T value) {
  std::string bytes(sizeof value, '\0');
  std::memcpy(bytes.data(), &value, sizeof value);
  return bytes;
}
/// The length as u64, and the text.
[[nodiscard]] inline std::string gguf_bytes(std::string_view text) {
  return gguf_bytes(std::uint64_t{text.size()}) + std::string(text);
}

/// The numbers of the types of values.
inline constexpr std::uint32_t kGgufBool = 7;
inline constexpr std::uint32_t kGgufString = 8;
inline constexpr std::uint32_t kGgufArray = 9;
template <class T>
[[nodiscard]] constexpr std::uint32_t gguf_type() noexcept {
  if constexpr (std::is_same_v<T, bool>) return kGgufBool;
  if constexpr (std::is_convertible_v<T, std::string_view>) return kGgufString;
  if constexpr (std::is_same_v<T, float>) return 6;
  if constexpr (std::is_same_v<T, double>) return 12;
  if constexpr (std::is_integral_v<T> && !std::is_same_v<T, bool>) {
    constexpr std::uint32_t kSigned = std::is_signed_v<T> ? 1 : 0;
    return (sizeof(T) == 1 ? 0U : sizeof(T) == 2 ? 2U : sizeof(T) == 4 ? 4U : 10U) + kSigned;
  }
}

/// One entry of the metadata; `payload` is the value, or element type, count and elements of an array.
[[nodiscard]] inline std::string gguf_value(std::string_view key, std::uint32_t type, std::string_view payload) {
  return gguf_bytes(key) + gguf_bytes(type) + std::string(payload);
}
/// Element type, count and elements.
[[nodiscard]] inline std::string gguf_array(std::uint32_t type, std::uint64_t count, std::string_view elements) {
  return gguf_bytes(type) + gguf_bytes(count) + std::string(elements);
}
/// The description of one tensor; `extents` as in the file, the innermost first.
[[nodiscard]] inline std::string gguf_tensor(std::string_view name, const std::vector<std::uint64_t>& extents,
                                             std::uint32_t type, std::uint64_t offset) {
  std::string bytes = gguf_bytes(name) + gguf_bytes(static_cast<std::uint32_t>(extents.size()));
  for (const std::uint64_t extent : extents) bytes += gguf_bytes(extent);
  return bytes + gguf_bytes(type) + gguf_bytes(offset);
}
/// What a file begins with.
[[nodiscard]] inline std::string gguf_header(std::uint32_t version, std::uint64_t tensors, std::uint64_t values) {
  return "GGUF" + gguf_bytes(version) + gguf_bytes(tensors) + gguf_bytes(values);
}

/// Values and tensors in the order they are added; tensors at multiples of the alignment.
class GgufWriter {
 public:
  explicit GgufWriter(std::uint32_t version = 3) : version_(version) {}

  /// A single value, of the type that T has: set("general.alignment", std::uint32_t{64}).
  template <class T>
  GgufWriter& set(std::string_view key, const T& value) {
    using Stored = std::conditional_t<std::is_convertible_v<T, std::string_view>, std::string_view, T>;
    return entry(gguf_value(key, gguf_type<T>(), gguf_bytes(static_cast<Stored>(value))));
  }
  /// An array: set_array<std::string>("tokenizer.ggml.tokens", {"a", "b"}).
  template <class T>
  GgufWriter& set_array(std::string_view key, const std::vector<T>& values) {
    using Stored = std::conditional_t<std::is_convertible_v<T, std::string_view>, std::string_view, T>;
    std::string elements;
    for (const T& value : values) elements += gguf_bytes(static_cast<Stored>(value));
    return entry(gguf_value(key, kGgufArray, gguf_array(gguf_type<T>(), values.size(), elements)));
  }
  /// Any entry, as gguf_value() makes it.
  GgufWriter& entry(std::string_view bytes) {
    values_ += bytes;
    ++value_count_;
    return *this;
  }
  /// A tensor of type number `type` (0: F32), shape row-major; an offset other than the next one if given.
  GgufWriter& add(std::string_view name, std::uint32_t type, const std::vector<std::uint64_t>& shape,
                  std::string_view bytes, std::optional<std::uint64_t> offset = {}) {
    pad(data_, alignment_);
    tensors_ += gguf_tensor(name, {shape.rbegin(), shape.rend()}, type, offset.value_or(data_.size()));
    ++tensor_count_;
    data_ += bytes;
    return *this;
  }
  /// Of the tensors that follow; general.alignment is the caller's.
  GgufWriter& align(std::size_t alignment) {
    alignment_ = alignment;
    return *this;
  }

  [[nodiscard]] std::string file() const {
    std::string bytes = gguf_header(version_, tensor_count_, value_count_) + values_ + tensors_;
    pad(bytes, alignment_);
    return bytes + data_;
  }

 private:
  static void pad(std::string& bytes, std::size_t alignment) {
    while (bytes.size() % alignment != 0) bytes += '\0';
  }

  std::uint32_t version_;
  std::size_t alignment_ = 32;
  std::uint64_t value_count_ = 0;
  std::uint64_t tensor_count_ = 0;
  std::string values_;
  std::string tensors_;
  std::string data_;
};

}  // namespace trine::test
