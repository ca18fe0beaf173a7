// SPDX-License-Identifier: Apache-2.0
// What a file of one general.architecture becomes: the keys of its configuration and the names of its tensors.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include <trine/json/parse.hpp>
#include <trine/model/architectures/gguf/keys.hpp>
#include <trine/weights/weight_source.hpp>

namespace trine::inline TRINE_ABI::hf {

enum class GgufKind : std::uint8_t { count, optional_count, number, optional_number };

/// A key of GGUF and its name in config.json.
struct GgufKey {
  std::string_view gguf;
  std::string_view hf;
  GgufKind kind = GgufKind::count;
};

/// The configuration while it is made.
struct GgufConversion {
  GgufKeys& keys;
  const WeightSource& tensors;
  Json& config;
  Notes& notes;

  [[nodiscard]] bool has_tensor(std::string_view name) const { return tensors.find(name) != nullptr; }
  [[nodiscard]] std::string block(std::size_t layer, std::string_view name) const {
    return "blk." + std::to_string(layer) + "." + std::string(name);
  }
};

/// What becomes of a tensor besides its name.
enum class GgufView : std::uint8_t {
  same,
  row,          ///< [n] is a matrix [1, n]
  filters,      ///< [channels, width] is [channels, 1, width]
  stack,        ///< [experts, ...] is one tensor per expert, whose number stands at '*'
  first_half,   ///< the same, of the first half of the rows
  second_half,  ///< of the other half
  dropped,      ///< not a weight: read with the configuration, or computed
};

/// A name of GGUF, without "blk.N." and ".weight" or ".bias", or with the latter; `*` is a number. Its name in the
/// checkpoint, without "model.layers.N.".
struct GgufName {
  std::string_view gguf;
  std::string_view hf;
  GgufView view = GgufView::same;
};

/// One architecture: how its configuration is made, `constants` of its models, the keys, then `finish`; and the names
/// of its tensors, of which an earlier list counts more.
struct GgufArchitecture {
  std::string_view name;       ///< general.architecture
  std::string_view constants;  ///< a JSON object
  std::span<const GgufKey> keys;
  void (*finish)(GgufConversion& conversion);
  std::array<std::span<const GgufName>, 2> names;
  bool heads_by_layer = false;  ///< attention.head_count may differ by layer: "num_attention_heads_per_layer"
};

}  // namespace trine::inline TRINE_ABI::hf
