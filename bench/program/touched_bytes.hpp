// SPDX-License-Identifier: Apache-2.0
// Bytes of stored weights that a forward pass reads: what the layers always need, and the experts that its rows chose.
#pragma once

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <string_view>
#include <vector>

#include <trine/model/model.hpp>
#include <trine/quant/weight_formats.hpp>
#include <trine/routing/routing_observer.hpp>
#include <trine/weights/weight_source.hpp>

namespace trine::bench {

/// Where the bytes of a model are. Matrices of experts are those with ".experts." in their names; the embedding is a
/// look-up and does not count, unless the head is the same matrix.
class WeightBytes {
 public:
  explicit WeightBytes(const Model& model) : experts_(model.info().num_hidden_layers) {
    const std::vector<std::string_view> names = model.weights().names();
    const bool has_head = std::ranges::any_of(names, [](auto name) { return name.find("head") != name.npos; });
    for (const std::string_view name : names) {
      const StoredTensor& tensor = *model.weights().find(name);
      const std::size_t bytes = tensor.bytes.size();
      const std::optional<std::size_t> layer = layer_of(name);
      if (layer && *layer >= experts_.size()) continue;  // layers that draft
      if (name.find("embed_tokens") != name.npos && has_head) continue;
      const bool is_expert = layer && name.find(".experts.") != name.npos && model.info().experts[*layer] > 0;
      (is_expert ? experts_[*layer] : always_) += bytes;
      by_dtype_[tensor.dtype] += bytes;
    }
    for (std::size_t layer = 0; layer < experts_.size(); ++layer)
      experts_[layer] /= std::max<std::size_t>(model.info().experts[layer], 1);
  }

  /// Read in every pass, whatever its rows.
  [[nodiscard]] std::size_t always() const noexcept { return always_; }
  /// Of one expert of a layer.
  [[nodiscard]] std::size_t expert(std::size_t layer) const { return experts_[layer]; }
  /// The type that most of the bytes are of.
  [[nodiscard]] DType dtype() const {
    return std::ranges::max_element(by_dtype_, {}, [](const auto& entry) { return entry.second; })->first;
  }

 private:
  [[nodiscard]] static std::optional<std::size_t> layer_of(std::string_view name) {
    constexpr std::string_view kLayers = "layers.";
    const std::size_t at = name.find(kLayers);
    if (at == name.npos) return std::nullopt;
    std::size_t layer = 0;
    const char* begin = name.data() + at + kLayers.size();
    if (std::from_chars(begin, name.data() + name.size(), layer).ec != std::errc()) return std::nullopt;
    return layer;
  }

  std::size_t always_ = 0;
  std::vector<std::size_t> experts_;  // [layers]
  std::map<DType, std::size_t> by_dtype_;
};

/// Adds up, while it is on, what the passes read: an expert counts once a pass, however many rows chose it.
class TouchedBytes : public RoutingObserver {
 public:
  explicit TouchedBytes(const WeightBytes& weights) : weights_(weights) {}

  void start() { on_ = true, experts_ = 0; }
  /// Bytes of the `passes` passes since `start`.
  [[nodiscard]] std::size_t stop(std::size_t passes) {
    on_ = false;
    return passes * weights_.always() + experts_;
  }

  void on_routing(const RoutingEvent& event) override {
    if (!on_) return;
    const std::set<std::uint32_t> chosen(event.plan.expert.begin(), event.plan.expert.end());
    experts_ += chosen.size() * weights_.expert(event.layer);
  }

 private:
  const WeightBytes& weights_;
  bool on_ = false;
  std::size_t experts_ = 0;
};

}  // namespace trine::bench
