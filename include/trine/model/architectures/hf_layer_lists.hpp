// SPDX-License-Identifier: Apache-2.0
// Lists of config.json with one entry for each layer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <trine/model/architectures/hf_config.hpp>

namespace trine::inline TRINE_ABI::hf {

/// An integer for each of `layers`; nullopt if the key is null or absent. Throws ConfigError.
[[nodiscard]] inline std::optional<std::vector<std::size_t>> read_integers(HfConfigReader& reader, std::string_view key,
                                                                           std::size_t layers, std::size_t least,
                                                                           std::size_t most) {
  if (!reader.has(key)) return std::nullopt;
  const Json& list = reader.at(key);
  if (!list.is_array() || list.size() != layers)
    reader.fail(key, "a list of " + std::to_string(layers) + " integers", list);
  std::vector<std::size_t> result;
  for (const Json& value : list) {
    if (!value.is_number_unsigned() || value.get<std::uint64_t>() < least || value.get<std::uint64_t>() > most)
      reader.fail(key, "integers from " + std::to_string(least) + " to " + std::to_string(most), value);
    result.push_back(value.get<std::size_t>());
  }
  return result;
}

/// "mlp_layer_types": which layers are "sparse", with experts, and not "dense"; `otherwise` if the key is null or
/// absent. Throws ConfigError.
[[nodiscard]] inline std::vector<bool> read_sparse_layers(HfConfigReader& reader, std::vector<bool> otherwise) {
  if (!reader.has("mlp_layer_types")) return otherwise;
  const Json& list = reader.at("mlp_layer_types");
  if (!list.is_array() || list.size() != otherwise.size())
    reader.fail("mlp_layer_types", "a list of " + std::to_string(otherwise.size()) + " names", list);
  for (std::size_t layer = 0; layer < otherwise.size(); ++layer) {
    const Json& name = list[layer];
    if (name != "dense" && name != "sparse")
      reader.fail("mlp_layer_types", "dense or sparse", name, ErrorKind::unsupported);
    otherwise[layer] = name == "sparse";
  }
  return otherwise;
}

/// "layer_types": which layers are of "linear_attention", and not of "full_attention"; `otherwise` if the key is null
/// or absent. Throws ConfigError.
[[nodiscard]] inline std::vector<bool> read_linear_layers(HfConfigReader& reader, std::vector<bool> otherwise) {
  if (!reader.has("layer_types")) return otherwise;
  const Json& list = reader.at("layer_types");
  if (!list.is_array() || list.size() != otherwise.size())
    reader.fail("layer_types", "a list of " + std::to_string(otherwise.size()) + " names", list);
  for (std::size_t layer = 0; layer < otherwise.size(); ++layer) {
    if (list[layer] != "full_attention" && list[layer] != "linear_attention")
      reader.fail("layer_types", "full_attention or linear_attention", list[layer], ErrorKind::unsupported);
    otherwise[layer] = list[layer] == "linear_attention";
  }
  return otherwise;
}

/// All layers from `first` on.
[[nodiscard]] inline std::vector<bool> layers_from(std::size_t first, std::size_t layers) {
  std::vector<bool> result(layers);
  for (std::size_t layer = first; layer < layers; ++layer) result[layer] = true;
  return result;
}

}  // namespace trine::inline TRINE_ABI::hf
