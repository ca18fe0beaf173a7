// SPDX-License-Identifier: Apache-2.0
// The metadata of a GGUF file for people: long texts and arrays are cut.
#pragma once

#include <cstddef>
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include <trine/weights/gguf_metadata.hpp>

#include "common/terminal.hpp"

namespace example {

/// One value: a number, a text of at most 60 characters in quotes, "[1, 2, 3, ... 49152 of u32]".
[[nodiscard]] inline std::string shown_value(const trine::GgufMetadata& metadata, std::string_view key) {
  constexpr std::size_t kShownBytes = 60;
  constexpr std::size_t kShownElements = 4;
  const auto quoted = [](std::string_view text) {
    const bool is_cut = text.size() > kShownBytes;
    return "\"" + escaped(text.substr(0, kShownBytes)) + (is_cut ? "\"..." : "\"");
  };
  const auto single = [](const trine::GgufValue& number) {
    const std::string text = describe(number);  // "u32 7"
    return text.substr(text.find(' ') + 1);
  };
  const trine::GgufValue& value = *metadata.find(key);
  if (!value.is_array) {
    if (value.type == trine::GgufType::string) return quoted(metadata.string(key));
    return single(value);
  }
  std::vector<std::string> elements;
  const auto add = [&](const auto& all, const auto& to_text) {
    for (std::size_t i = 0; i < all.size() && i < kShownElements; ++i) elements.push_back(to_text(all[i]));
  };
  switch (value.type) {
    case trine::GgufType::string:
      add(metadata.strings(key), quoted);
      break;
    case trine::GgufType::boolean:
      add(metadata.booleans(key), [](bool one) { return std::string(one ? "true" : "false"); });
      break;
    default:
      for (std::size_t i = 0; i < value.count && i < kShownElements; ++i) {
        const std::size_t size = value.bytes.size() / value.count;
        elements.push_back(single({value.type, false, 1, value.bytes.subspan(i * size, size)}));
      }
  }
  std::string list = "[";
  for (const std::string& element : elements) list += (list.size() == 1 ? "" : ", ") + element;
  if (value.count > elements.size())
    list += ", ... " + std::to_string(value.count) + " x " + std::string(to_string(value.type));
  return list + "]";
}

inline void print_metadata(const trine::GgufMetadata& metadata) {
  std::printf("metadata\n");
  for (const std::string_view key : metadata.keys())
    std::printf("  %s = %s\n", escaped(key).c_str(), shown_value(metadata, key).c_str());
}

[[nodiscard]] inline nlohmann::ordered_json metadata_to_json(const trine::GgufMetadata& metadata) {
  nlohmann::ordered_json result = nlohmann::ordered_json::object();
  for (const std::string_view key : metadata.keys()) result[escaped(key)] = shown_value(metadata, key);
  return result;
}

}  // namespace example
