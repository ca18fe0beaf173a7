// SPDX-License-Identifier: Apache-2.0
// tests/golden/CASE/golden.json: inputs and outputs of a tiny random model, computed by tests/oracle with PyTorch.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

#include <trine/core/tensor.hpp>
#include <trine/json/parse.hpp>

namespace trine::test {

struct Golden {
  std::filesystem::path directory;    // config.json, weights.json and weights.bin
  std::vector<std::uint32_t> tokens;  // empty for a feature model
  Tensor<float, 3> features;          // [frames, sites, features]; empty for a token model
  Tensor<float, 2> logits;            // [rows, vocab or outputs]
  std::vector<std::vector<std::vector<std::vector<std::uint32_t>>>> frames;  // [layer][kv head][row]
  std::map<std::size_t, std::vector<std::vector<std::uint32_t>>> experts;    // layer -> row -> experts, best first
};

namespace golden_detail {

template <std::size_t Rank>
Tensor<float, Rank> read_tensor(const Json& json) {
  const auto shape = json.at("shape").get<std::vector<std::size_t>>();
  const auto values = json.at("values").get<std::vector<float>>();
  std::array<std::size_t, Rank> extents{};
  if (shape.size() != Rank) throw std::runtime_error("golden tensor of the wrong rank");
  std::copy(shape.begin(), shape.end(), extents.begin());
  Tensor<float, Rank> tensor(extents);
  if (values.size() != tensor.size()) throw std::runtime_error("golden tensor of the wrong size");
  std::copy(values.begin(), values.end(), tensor.data());
  return tensor;
}

}  // namespace golden_detail

/// Reads one case. Throws when it is not there or not as described.
[[nodiscard]] inline Golden read_golden(const std::filesystem::path& directory) {
  const Json json = read_json_file(directory / "golden.json");
  Golden golden;
  golden.directory = directory;
  if (json.contains("tokens")) json.at("tokens").get_to(golden.tokens);
  if (json.contains("features")) golden.features = golden_detail::read_tensor<3>(json.at("features"));
  golden.logits = golden_detail::read_tensor<2>(json.at("logits"));
  if (json.contains("frames")) json.at("frames").get_to(golden.frames);
  if (json.contains("experts")) {
    for (const auto& [layer, rows] : json.at("experts").items()) rows.get_to(golden.experts[std::stoul(layer)]);
  }
  return golden;
}

/// The folders with a golden.json right below `directory`, sorted by name: one case each.
[[nodiscard]] inline std::vector<std::filesystem::path> golden_directories(
    const std::filesystem::path& directory = TRINE_TEST_DATA) {
  std::vector<std::filesystem::path> result;
  if (!std::filesystem::exists(directory)) return result;
  for (const auto& entry : std::filesystem::directory_iterator(directory))
    if (std::filesystem::exists(entry.path() / "golden.json")) result.push_back(entry.path());
  std::sort(result.begin(), result.end());
  return result;
}

}  // namespace trine::test
