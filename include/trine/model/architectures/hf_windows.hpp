// SPDX-License-Identifier: Apache-2.0
// Sliding windows of published models: which layers have one. Families read different keys, and a key that is not read
// must not contradict the others.
#pragma once

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <trine/model/architectures/hf_config.hpp>

namespace trine::inline TRINE_ABI::hf {

/// Windows of `width` positions in some layers.
struct Windows {
  std::optional<std::size_t> width;  // nullopt: no layer has a window
  std::vector<bool> slides;          // [layers]

  [[nodiscard]] std::optional<std::size_t> of(std::size_t layer) const { return slides[layer] ? width : std::nullopt; }
};

/// ", window of 4096": for the summary of a model.
[[nodiscard]] inline std::string window_of(const Windows& windows) {
  if (std::ranges::count(windows.slides, true) == 0) return "";
  return ", window of " + std::to_string(windows.width.value_or(0));
}

/// "layer_types": which layers have a window; nullopt if the key is null or absent. Throws ConfigError.
[[nodiscard]] inline std::optional<std::vector<bool>> read_layer_types(HfConfigReader& reader, std::size_t layers) {
  if (!reader.has("layer_types")) return std::nullopt;
  const Json& list = reader.at("layer_types");
  if (!list.is_array() || list.size() != layers)
    reader.fail("layer_types", "a list of " + std::to_string(layers) + " names", list);
  std::vector<bool> sliding;
  for (const Json& name : list) {
    if (name != "full_attention" && name != "sliding_attention")
      reader.fail("layer_types", "full_attention or sliding_attention", name, ErrorKind::unsupported);
    sliding.push_back(name == "sliding_attention");
  }
  return sliding;
}

/// "sliding_window"; nullopt if it is null. Throws ConfigError.
[[nodiscard]] inline std::optional<std::size_t> read_window(HfConfigReader& reader) {
  if (!reader.has("sliding_window")) return std::nullopt;
  return reader.integer("sliding_window", 1, config_limits::kPositions);
}

/// For families that read layer_types; `otherwise` if it is null. Throws ConfigError if a layer has a window and there
/// is no width.
[[nodiscard]] inline Windows windows_by_layer(HfConfigReader& reader, std::optional<std::size_t> width,
                                              std::vector<bool> otherwise) {
  Windows windows{width, std::move(otherwise)};
  if (auto layer_types = read_layer_types(reader, windows.slides.size())) windows.slides = std::move(*layer_types);
  if (!width && std::ranges::count(windows.slides, true) != 0)
    reader.fail("layer_types", "expected a sliding_window for layers of sliding_attention, found none");
  return windows;
}

/// For families with identical layers: all have a window if there is a width. layer_types may only agree. Throws
/// ConfigError.
[[nodiscard]] inline Windows windows_everywhere(HfConfigReader& reader, std::optional<std::size_t> width,
                                                std::size_t layers) {
  Windows windows{width, std::vector<bool>(layers, width.has_value())};
  const auto layer_types = read_layer_types(reader, layers);
  if (layer_types && *layer_types != windows.slides) {
    reader.fail("layer_types",
                std::string("expected ") + (width ? "sliding_attention" : "full_attention") + " in every layer, as " +
                    reader.string("model_type") + " has it, found another",
                ErrorKind::unsupported);
  }
  return windows;
}

/// For families without windows: full attention. Throws ConfigError if layer_types disagrees.
inline Windows without_windows(HfConfigReader& reader, std::size_t layers) {
  reader.ignore({"use_sliding_window", "max_window_layers"});
  reader.ignore_with_note("sliding_window", "not read by this family: every token attends to all before it");
  return windows_everywhere(reader, std::nullopt, layers);
}

/// For Qwen: "use_sliding_window" decides whether "sliding_window" applies. Throws ConfigError.
[[nodiscard]] inline std::optional<std::size_t> read_switched_window(HfConfigReader& reader) {
  const bool on = reader.boolean("use_sliding_window");
  reader.ignore({"sliding_window"});
  reader.ignore_with_note("dual_chunk_attention_config",
                          "not read by transformers, and not here: attention is full at every length");
  return on ? read_window(reader) : std::nullopt;
}

/// Without layer_types, the layers from max_window_layers on have a window. Throws ConfigError.
[[nodiscard]] inline Windows read_upper_windows(HfConfigReader& reader, std::optional<std::size_t> width,
                                                std::size_t layers) {
  const std::size_t first = reader.integer("max_window_layers", 0, config_limits::kLayers);
  std::vector<bool> slides(layers);
  for (std::size_t layer = 0; layer < layers; ++layer) slides[layer] = width && layer >= first;
  return windows_by_layer(reader, width, std::move(slides));
}

/// Qwen2 and Qwen3. Throws ConfigError.
[[nodiscard]] inline Windows read_qwen_windows(HfConfigReader& reader, std::size_t layers) {
  return read_upper_windows(reader, read_switched_window(reader), layers);
}

}  // namespace trine::inline TRINE_ABI::hf
