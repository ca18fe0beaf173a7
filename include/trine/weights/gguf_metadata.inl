// SPDX-License-Identifier: Apache-2.0
// The definitions of weights/gguf_metadata.hpp.
#pragma once

#include <array>
#include <charconv>
#include <concepts>
#include <cstring>
#include <optional>

#include <trine/weights/gguf_metadata.hpp>

namespace trine::inline TRINE_ABI {

namespace detail {

template <class T>
[[nodiscard]] T load_unaligned(const std::byte* at) noexcept {
  T value;
  std::memcpy(&value, at, sizeof value);
  return value;
}

/// Bytes of a value; of a string, those of its length; 0 for arrays and invalid values.
[[nodiscard]] constexpr std::size_t fixed_bytes(GgufType type) noexcept {
  constexpr std::array<std::uint8_t, 13> kBytes{1, 1, 2, 2, 4, 4, 4, 1, 8, 0, 8, 8, 8};
  const auto number = static_cast<std::size_t>(type);
  return number < kBytes.size() ? kBytes[number] : 0;
}

/// Calls `use` with the value at `at` if it is a number.
template <class Use>
void visit_number(GgufType type, const std::byte* at, const Use& use) {
  switch (type) {
    case GgufType::u8:
      return use(load_unaligned<std::uint8_t>(at));
    case GgufType::i8:
      return use(load_unaligned<std::int8_t>(at));
    case GgufType::u16:
      return use(load_unaligned<std::uint16_t>(at));
    case GgufType::i16:
      return use(load_unaligned<std::int16_t>(at));
    case GgufType::u32:
      return use(load_unaligned<std::uint32_t>(at));
    case GgufType::i32:
      return use(load_unaligned<std::int32_t>(at));
    case GgufType::u64:
      return use(load_unaligned<std::uint64_t>(at));
    case GgufType::i64:
      return use(load_unaligned<std::int64_t>(at));
    case GgufType::f32:
      return use(load_unaligned<float>(at));
    case GgufType::f64:
      return use(load_unaligned<double>(at));
    case GgufType::boolean:
    case GgufType::string:
    case GgufType::array:
      return;
  }
}

/// The string at the beginning of `bytes`, which it then leaves.
[[nodiscard]] inline std::string_view take_string(std::span<const std::byte>& bytes) noexcept {
  const auto length = static_cast<std::size_t>(load_unaligned<std::uint64_t>(bytes.data()));
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()) + sizeof(std::uint64_t), length);
  bytes = bytes.subspan(sizeof(std::uint64_t) + length);
  return text;
}

/// As short as possible: "1e-06" for 1e-6.
template <class T>
[[nodiscard]] std::string number_text(T value) {
  std::array<char, 32> text{};
  const auto [end, error] = std::to_chars(text.data(), text.data() + text.size(), value);
  return {text.data(), end};
}

}  // namespace detail

TRINE_DECL std::string_view to_string(GgufType type) noexcept {
  constexpr std::array<std::string_view, 13> kNames{"u8",   "i8",     "u16",   "i16", "u32", "i32", "f32",
                                                    "bool", "string", "array", "u64", "i64", "f64"};
  const auto number = static_cast<std::size_t>(type);
  return number < kNames.size() ? kNames[number] : "?";
}

TRINE_DECL std::string describe(const GgufValue& value) {
  const std::string type(to_string(value.type));
  if (value.is_array) return "an array of " + std::to_string(value.count) + " x " + type;
  if (value.type == GgufType::boolean) return value.bytes[0] == std::byte{0} ? "bool false" : "bool true";
  if (value.type == GgufType::string) {
    std::span<const std::byte> bytes = value.bytes;
    return "string " + in_quotes(detail::take_string(bytes));
  }
  std::string text;
  detail::visit_number(value.type, value.bytes.data(), [&](auto number) { text = detail::number_text(number); });
  return type + " " + text;
}

TRINE_DECL std::vector<std::string_view> GgufMetadata::keys() const {
  std::vector<std::string_view> result;
  result.reserve(values_.size());
  for (const auto& [key, value] : values_) result.push_back(key);
  return result;
}

TRINE_DECL const GgufValue* GgufMetadata::find(std::string_view key) const {
  const auto found = values_.find(key);
  return found == values_.end() ? nullptr : &found->second;
}

TRINE_DECL void GgufMetadata::fail(std::string_view key, const std::string& expectation, ErrorKind kind) const {
  const GgufValue* value = find(key);
  fail_at(key, expectation, value == nullptr ? "none" : describe(*value), kind);
}

TRINE_DECL void GgufMetadata::fail_at(std::string_view key, const std::string& expectation, const std::string& found,
                                      ErrorKind kind) const {
  throw ConfigError(file_ + ": " + escaped(key) + ": expected " + expectation + ", found " + found,
                    {.kind = kind, .path = file_, .field = std::string(key)});
}

TRINE_DECL const GgufValue* GgufMetadata::find(std::string_view key, bool is_array) const {
  const GgufValue* value = find(key);
  return value != nullptr && value->is_array == is_array ? value : nullptr;
}

template <class T>
std::vector<T> GgufMetadata::read(std::string_view key, const char* what, bool is_array, T least, T most) const {
  const auto expectation = [&] {
    return what + (" from " + detail::number_text(least) + " to ") + detail::number_text(most);
  };
  const GgufValue* found = find(key, is_array);
  if (found == nullptr) fail(key, expectation());
  const GgufValue& value = *found;
  const std::size_t size = detail::fixed_bytes(value.type);
  std::vector<T> result;
  result.reserve(static_cast<std::size_t>(value.count));
  for (std::size_t i = 0; i < value.count; ++i) {
    const std::byte* element = value.bytes.data() + i * size;
    bool is_type = false;
    std::optional<T> number;
    detail::visit_number(value.type, element, [&](auto stored) {
      if constexpr (std::floating_point<T>) {
        is_type = true;
        const auto real = static_cast<T>(stored);
        if (real >= least && real <= most) number = real;  // not NaN
      } else if constexpr (std::integral<decltype(stored)>) {
        is_type = true;
        if (std::cmp_greater_equal(stored, least) && std::cmp_less_equal(stored, most)) number = static_cast<T>(stored);
      }
    });
    if (!is_type) fail(key, expectation());
    if (!number)
      fail_at(key, expectation(),
              describe({value.type, false, 1, {element, size}}) +
                  (is_array ? " at index " + std::to_string(i) : std::string()),
              ErrorKind::out_of_range);
    result.push_back(*number);
  }
  return result;
}

TRINE_DECL std::string_view GgufMetadata::string(std::string_view key) const {
  const GgufValue* value = find(key, false);
  if (value == nullptr || value->type != GgufType::string) fail(key, "a string");
  std::span<const std::byte> bytes = value->bytes;
  return detail::take_string(bytes);
}

TRINE_DECL bool GgufMetadata::boolean(std::string_view key) const {
  const GgufValue* value = find(key, false);
  if (value == nullptr || value->type != GgufType::boolean) fail(key, "true or false");
  return value->bytes[0] != std::byte{0};
}

TRINE_DECL std::uint64_t GgufMetadata::unsigned_integer(std::string_view key, std::uint64_t least,
                                                        std::uint64_t most) const {
  return read(key, "an integer", false, least, most).front();
}

TRINE_DECL std::int64_t GgufMetadata::integer(std::string_view key, std::int64_t least, std::int64_t most) const {
  return read(key, "an integer", false, least, most).front();
}

TRINE_DECL double GgufMetadata::number(std::string_view key, double least, double most) const {
  return read(key, "a number", false, least, most).front();
}

TRINE_DECL std::vector<std::string_view> GgufMetadata::strings(std::string_view key) const {
  const GgufValue* value = find(key, true);
  if (value == nullptr || value->type != GgufType::string) fail(key, "an array of strings");
  std::vector<std::string_view> result;
  result.reserve(static_cast<std::size_t>(value->count));
  std::span<const std::byte> bytes = value->bytes;
  for (std::uint64_t i = 0; i < value->count; ++i) result.push_back(detail::take_string(bytes));
  return result;
}

TRINE_DECL std::vector<bool> GgufMetadata::booleans(std::string_view key) const {
  const GgufValue* value = find(key, true);
  if (value == nullptr || value->type != GgufType::boolean) fail(key, "an array of bool");
  std::vector<bool> result;
  result.reserve(value->bytes.size());
  for (const std::byte byte : value->bytes) result.push_back(byte != std::byte{0});
  return result;
}

TRINE_DECL std::vector<std::uint64_t> GgufMetadata::unsigned_integers(std::string_view key, std::uint64_t least,
                                                                      std::uint64_t most) const {
  return read(key, "an array of integers", true, least, most);
}

TRINE_DECL std::vector<std::int64_t> GgufMetadata::integers(std::string_view key, std::int64_t least,
                                                            std::int64_t most) const {
  return read(key, "an array of integers", true, least, most);
}

TRINE_DECL std::vector<double> GgufMetadata::numbers(std::string_view key, double least, double most) const {
  return read(key, "an array of numbers", true, least, most);
}

}  // namespace trine::inline TRINE_ABI
