// SPDX-License-Identifier: Apache-2.0
// The metadata of a GGUF file: typed values by key, such as "general.architecture" or "tokenizer.ggml.tokens".
// https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <trine/core/error.hpp>

namespace trine::inline TRINE_ABI {

/// The types of values, as files number them.
enum class GgufType : std::uint32_t { u8, i8, u16, i16, u32, i32, f32, boolean, string, array, u64, i64, f64 };

/// "u8", "f32", "bool", "string", ...; "?" for an invalid value.
[[nodiscard]] TRINE_DECL std::string_view to_string(GgufType type) noexcept;

/// A value, or an array of them, as the file stores it: little endian, unaligned.
struct GgufValue {
  GgufType type = GgufType::u8;      ///< of the value or of each element; never `array`: arrays do not nest
  bool is_array = false;             ///< also true for an array of one
  std::uint64_t count = 1;           ///< elements
  std::span<const std::byte> bytes;  ///< borrowed; a string is its length as u64 and its bytes
};

/// The metadata of one file. Getters check type and range: any integer type will do for an integer, any number for a
/// number. Errors read "model.gguf: llama.block_count: expected ..., found ...", with kinds as those of ObjectReader.
///
/// Borrows the bytes of the file, as do the strings that it returns, which are not necessarily UTF-8.
class GgufMetadata {
 public:
  static constexpr std::uint64_t kMaxUnsigned = std::numeric_limits<std::uint64_t>::max();  ///< of a u64
  static constexpr std::int64_t kLeastInteger = std::numeric_limits<std::int64_t>::min();   ///< of an i64
  static constexpr std::int64_t kMaxInteger = std::numeric_limits<std::int64_t>::max();     ///< of an i64
  static constexpr double kMaxNumber = std::numeric_limits<double>::max();                  ///< the largest finite f64

  /// Without values. `file` is what errors name.
  explicit GgufMetadata(std::string file) : file_(std::move(file)) {}
  /// Adds a value, whose bytes must outlive this object and hold `value.count` elements. Returns whether the key is
  /// new; otherwise nothing changes.
  bool add(std::string_view key, const GgufValue& value) { return values_.emplace(key, value).second; }

  /// The file that errors name.
  [[nodiscard]] const std::string& source_name() const noexcept { return file_; }
  /// All keys, sorted.
  [[nodiscard]] std::vector<std::string_view> keys() const;
  /// Null if there is no such key.
  [[nodiscard]] const GgufValue* find(std::string_view key) const;
  /// Returns whether there is such a key.
  [[nodiscard]] bool has(std::string_view key) const { return find(key) != nullptr; }

  // Single values. Each throws ConfigError if the key is missing, an array, of another type or out of range.

  /// A string, which may be empty.
  [[nodiscard]] std::string_view string(std::string_view key) const;
  /// true or false.
  [[nodiscard]] bool boolean(std::string_view key) const;
  /// An integer in [least, most], of any integer type.
  [[nodiscard]] std::uint64_t unsigned_integer(std::string_view key, std::uint64_t least = 0,
                                               std::uint64_t most = kMaxUnsigned) const;
  /// The same with a sign.
  [[nodiscard]] std::int64_t integer(std::string_view key, std::int64_t least = kLeastInteger,
                                     std::int64_t most = kMaxInteger) const;
  /// A finite number in [least, most].
  [[nodiscard]] double number(std::string_view key, double least = -kMaxNumber, double most = kMaxNumber) const;

  // The same; `otherwise` where the key is missing.

  /// A string.
  [[nodiscard]] std::string_view string_or(std::string_view key, std::string_view otherwise) const {
    return has(key) ? string(key) : otherwise;
  }
  /// true or false.
  [[nodiscard]] bool boolean_or(std::string_view key, bool otherwise) const {
    return has(key) ? boolean(key) : otherwise;
  }
  /// An integer in [least, most]; `otherwise` may be outside.
  [[nodiscard]] std::uint64_t unsigned_integer_or(std::string_view key, std::uint64_t least, std::uint64_t most,
                                                  std::uint64_t otherwise) const {
    return has(key) ? unsigned_integer(key, least, most) : otherwise;
  }
  /// A finite number in [least, most]; `otherwise` may be outside.
  [[nodiscard]] double number_or(std::string_view key, double least, double most, double otherwise) const {
    return has(key) ? number(key, least, most) : otherwise;
  }

  // Arrays. Each throws ConfigError if the key is missing, no array, or an element is of another type or out of range.

  /// Strings.
  [[nodiscard]] std::vector<std::string_view> strings(std::string_view key) const;
  /// Booleans.
  [[nodiscard]] std::vector<bool> booleans(std::string_view key) const;
  /// Integers in [least, most].
  [[nodiscard]] std::vector<std::uint64_t> unsigned_integers(std::string_view key, std::uint64_t least = 0,
                                                             std::uint64_t most = kMaxUnsigned) const;
  /// The same with a sign.
  [[nodiscard]] std::vector<std::int64_t> integers(std::string_view key, std::int64_t least = kLeastInteger,
                                                   std::int64_t most = kMaxInteger) const;
  /// Finite numbers in [least, most].
  [[nodiscard]] std::vector<double> numbers(std::string_view key, double least = -kMaxNumber,
                                            double most = kMaxNumber) const;

  /// Throws "file: key: expected `expectation`, found " and the value, or "none".
  [[noreturn]] void fail(std::string_view key, const std::string& expectation,
                         ErrorKind kind = ErrorKind::damaged) const;

 private:
  // Null if the key is missing or its value is of the other kind.
  [[nodiscard]] const GgufValue* find(std::string_view key, bool is_array) const;
  [[noreturn]] void fail_at(std::string_view key, const std::string& expectation, const std::string& found,
                            ErrorKind kind) const;
  // The elements of an array, or the only one of a single value; errors say "`what` from `least` to `most`".
  template <class T>
  [[nodiscard]] std::vector<T> read(std::string_view key, const char* what, bool is_array, T least, T most) const;

  std::string file_;
  std::map<std::string_view, GgufValue> values_;
};

/// A value in messages and tables: "u32 7", "string 'abc'", "an array of 3 x i32".
[[nodiscard]] TRINE_DECL std::string describe(const GgufValue& value);

}  // namespace trine::inline TRINE_ABI

#if TRINE_HEADER_ONLY
#include <trine/weights/gguf_metadata.inl>
#endif
