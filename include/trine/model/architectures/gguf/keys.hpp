// SPDX-License-Identifier: Apache-2.0
// Reads the keys of one architecture in the metadata of a GGUF file: "block_count" is "llama.block_count".
#pragma once

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <trine/core/error.hpp>
#include <trine/core/nearest_name.hpp>
#include <trine/core/notes.hpp>
#include <trine/weights/gguf_metadata.hpp>

namespace trine::inline TRINE_ABI::hf {

/// Getters by the last part of the key, which record the key as known. Errors are those of GgufMetadata. Borrows it.
class GgufKeys {
 public:
  GgufKeys(const GgufMetadata& metadata, std::string_view architecture)
      : metadata_(metadata), prefix_(std::string(architecture) + ".") {}

  [[nodiscard]] bool has(std::string_view key) { return metadata_.has(known(key)); }

  /// Returns whether the key has a list.
  [[nodiscard]] bool has_list(std::string_view key) {
    const GgufValue* value = metadata_.find(known(key));
    return value != nullptr && value->is_array;
  }

  /// An integer, or one for each layer that is the same for all.
  [[nodiscard]] std::uint64_t integer(std::string_view key, std::uint64_t least, std::uint64_t most) {
    const std::string name = known(key);
    const GgufValue* value = metadata_.find(name);
    if (value == nullptr || !value->is_array) return metadata_.unsigned_integer(name, least, most);
    const std::vector<std::uint64_t> all = metadata_.unsigned_integers(name, least, most);
    if (all.empty() || std::ranges::adjacent_find(all, std::ranges::not_equal_to()) != all.end())
      metadata_.fail(name, "the same number for every layer", ErrorKind::unsupported);
    return all.front();
  }
  /// The same; `otherwise` where the key is missing.
  [[nodiscard]] std::uint64_t integer_or(std::string_view key, std::uint64_t least, std::uint64_t most,
                                         std::uint64_t otherwise) {
    return has(key) ? integer(key, least, most) : otherwise;
  }

  /// An integer of each of `layers`: one for all, or a list.
  [[nodiscard]] std::vector<std::uint64_t> integers(std::string_view key, std::uint64_t least, std::uint64_t most,
                                                    std::size_t layers) {
    const std::string name = known(key);
    const GgufValue* value = metadata_.find(name);
    if (value == nullptr || !value->is_array)
      return std::vector<std::uint64_t>(layers, metadata_.unsigned_integer(name, least, most));
    std::vector<std::uint64_t> all = metadata_.unsigned_integers(name, least, most);
    if (all.size() < layers) metadata_.fail(name, "a list of " + std::to_string(layers) + " numbers");
    all.resize(layers);  // further ones are those of layers that draft
    return all;
  }

  /// Which of `layers` slide: a list, or a period of which the last layer does not.
  [[nodiscard]] std::vector<bool> window_pattern(std::string_view key, std::size_t layers) {
    const std::string name = known(key);
    const GgufValue* value = metadata_.find(name);
    if (value != nullptr && value->is_array) return flags(key, layers);
    const std::uint64_t period = metadata_.unsigned_integer(name, 1, layers);
    std::vector<bool> all(layers);
    for (std::size_t layer = 0; layer < layers; ++layer) all[layer] = (layer + 1) % period != 0;
    return all;
  }
  /// A boolean for each of `layers`: a list of them, or of zeros and ones.
  [[nodiscard]] std::vector<bool> flags(std::string_view key, std::size_t layers) {
    const std::string name = known(key);
    const GgufValue* value = metadata_.find(name);
    std::vector<bool> all;
    if (value == nullptr || !value->is_array || value->type == GgufType::boolean) {
      all = metadata_.booleans(name);
    } else {
      for (const std::uint64_t flag : metadata_.unsigned_integers(name, 0, 1)) all.push_back(flag != 0);
    }
    if (all.size() < layers) metadata_.fail(name, "a list of " + std::to_string(layers) + " booleans");
    all.resize(layers);  // further ones are those of layers that draft
    return all;
  }

  /// A finite number. One that is stored in f32 is the shortest decimal that rounds to it: what a config.json said
  /// before the conversion.
  [[nodiscard]] double number(std::string_view key, double least, double most) {
    const std::string name = known(key);
    const double value = metadata_.number(name, least, most);
    return metadata_.find(name)->type == GgufType::f32 ? shortest(static_cast<float>(value)) : value;
  }
  /// The same; `otherwise` where the key is missing.
  [[nodiscard]] double number_or(std::string_view key, double least, double most, double otherwise) {
    return has(key) ? number(key, least, most) : otherwise;
  }

  [[nodiscard]] bool boolean_or(std::string_view key, bool otherwise) {
    return metadata_.boolean_or(known(key), otherwise);
  }
  [[nodiscard]] std::string string_or(std::string_view key, std::string_view otherwise) {
    return std::string(metadata_.string_or(known(key), otherwise));
  }

  /// For a number with one supported value, which is also that of a missing key.
  void require(std::string_view key, double value) {
    if (number_or(key, -1e12, 1e12, value) != value) fail(key, text(value), ErrorKind::unsupported);
  }

  /// Known keys without effect.
  void ignore(std::span<const std::string_view> keys) {
    for (const std::string_view key : keys) static_cast<void>(known(key));
  }

  /// Throws "file: llama.key: expected `expectation`, found " and the value.
  [[noreturn]] void fail(std::string_view key, const std::string& expectation,
                         ErrorKind kind = ErrorKind::damaged) const {
    metadata_.fail(prefix_ + std::string(key), expectation, kind);
  }

  /// Throws ConfigError for the first key of the architecture that no getter read, unless `notes` allows it.
  void reject_unknown_keys(Notes& notes) const {
    for (const std::string_view key : metadata_.keys()) {
      if (!key.starts_with(prefix_) || std::ranges::find(known_, key) != known_.end() || notes.allows(key)) continue;
      throw ConfigError(metadata_.source_name() + ": unknown key " + in_quotes(key) +
                            nearest_hint(key, known_, "; the nearest known key is '") +
                            "; allow_unknown (--allow-unknown " + escaped(key) + ") ignores it",
                        {ErrorKind::unsupported, metadata_.source_name(), std::string(key)});
    }
  }

 private:
  [[nodiscard]] static std::string text(double value) {
    std::array<char, 32> digits{};
    const auto written = std::to_chars(digits.data(), digits.data() + digits.size(), value);
    return {digits.data(), written.ptr};
  }
  [[nodiscard]] static double shortest(float value) {
    std::array<char, 32> digits{};
    const auto written = std::to_chars(digits.data(), digits.data() + digits.size(), value);
    double result = value;
    std::from_chars(digits.data(), written.ptr, result);
    return result;
  }

  std::string known(std::string_view key) { return known_.emplace_back(prefix_ + std::string(key)); }

  const GgufMetadata& metadata_;
  std::string prefix_;
  std::vector<std::string> known_;
};

}  // namespace trine::inline TRINE_ABI::hf
