// SPDX-License-Identifier: Apache-2.0
// Features from a CSV file.
#pragma once

#include <algorithm>
#include <charconv>
#include <cmath>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include <trine/core/tensor.hpp>
#include <trine/model/model_builder.hpp>

#include "common/output_file.hpp"

namespace example {

/// [frames, sites, features] of a file with one line for each site of each frame. Throws FileError, InputError.
[[nodiscard]] inline trine::Tensor<float, 3> read_features(const std::string& path, const trine::ModelInfo& info) {
  const std::string text = read_text(path);
  std::vector<float> values;
  std::size_t number = 0;
  for (std::string_view rest = text; !rest.empty();) {
    const std::size_t length = std::min(rest.find('\n'), rest.size());
    std::string_view line = rest.substr(0, length);
    rest.remove_prefix(std::min(length + 1, rest.size()));
    ++number;
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    if (line.empty()) continue;
    const std::size_t before = values.size();
    for (const char* cursor = line.data(); cursor <= line.data() + line.size();) {
      while (cursor < line.data() + line.size() && *cursor == ' ') ++cursor;
      float value = 0;
      const auto [end, error] = std::from_chars(cursor, line.data() + line.size(), value);
      const bool ended = end == line.data() + line.size() || *end == ',';
      if (error != std::errc() || !ended || !std::isfinite(value)) {
        if (number == 1 && values.size() == before) break;  // names
        throw trine::InputError(path + ", line " + std::to_string(number) + ": expected finite numbers, found " +
                                trine::in_quotes(line));
      }
      values.push_back(value);
      cursor = end + 1;
    }
    if (number == 1 && values.size() == before) continue;
    if (values.size() - before != info.num_features) {
      throw trine::InputError(path + ", line " + std::to_string(number) + ": expected " +
                              std::to_string(info.num_features) + " numbers, found " +
                              std::to_string(values.size() - before));
    }
  }
  if (info.num_features == 0) throw trine::InputError("this model takes tokens, not features");
  const std::size_t rows = values.size() / info.num_features;
  if (rows == 0 || rows % info.frame_size != 0) {
    throw trine::InputError(path + ": expected whole frames of " + std::to_string(info.frame_size) + " lines, found " +
                            std::to_string(rows) + " lines");
  }
  trine::Tensor<float, 3> features({rows / info.frame_size, info.frame_size, info.num_features});
  std::ranges::copy(values, features.data());
  return features;
}

}  // namespace example
