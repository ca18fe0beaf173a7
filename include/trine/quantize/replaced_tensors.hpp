// SPDX-License-Identifier: Apache-2.0
// A model with some of its tensors in another type, in memory.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <trine/core/tensor.hpp>
#include <trine/model/model.hpp>
#include <trine/quantize/quantize_model.hpp>
#include <trine/weights/weight_source.hpp>

namespace trine::inline TRINE_ABI {

/// The weights of a model, some of them replaced.
class ReplacedTensors : public WeightSource {
 public:
  /// One that replaces the tensor of that name.
  struct Tensor {
    StoredTensor stored;                                                 ///< with these bytes
    std::vector<std::byte, CacheLineAllocator<std::byte>> storage = {};  ///< moving it keeps their address
  };

  /// model: kept   tensors: by name
  ReplacedTensors(Model model, std::map<std::string, Tensor, std::less<>> tensors)
      : model_(std::move(model)), tensors_(std::move(tensors)) {}

  /// A tensor as it is planned. Throws what ModelQuantizer::convert throws.
  [[nodiscard]] static Tensor convert(const ModelQuantizer& quantizer, const ExecutionContext& execution,
                                      const PlannedTensor& planned, const InputStatistics* statistics) {
    Tensor tensor{{planned.to, quantizer.written_shape(planned), {}}};
    tensor.storage.reserve(planned.bytes_after);
    quantizer.convert(execution, planned, statistics, [&](std::span<const std::byte> bytes, double) {
      tensor.storage.insert(tensor.storage.end(), bytes.begin(), bytes.end());
    });
    tensor.stored.bytes = tensor.storage;
    return tensor;
  }
  /// The model with these tensors. Throws what Model::build throws.
  [[nodiscard]] static Model build(const Model& model, std::map<std::string, Tensor, std::less<>> tensors,
                                   LoadOptions load) {
    load.allow_unknown.emplace_back("*");  // the scales of a tensor that has none now; the model itself is known
    return Model::build(model.config(), model.weights().source_name(),
                        std::make_unique<ReplacedTensors>(model, std::move(tensors)), load);
  }

  [[nodiscard]] const StoredTensor* find(std::string_view name) const override {
    const auto found = tensors_.find(name);
    return found == tensors_.end() ? model_.weights().find(name) : &found->second.stored;
  }
  [[nodiscard]] const StoredTensor* request(std::string_view name, std::span<const std::size_t> shape,
                                            std::optional<DType> dtype) const override {
    const auto found = tensors_.find(name);
    return found == tensors_.end() ? model_.weights().request(name, shape, dtype) : &found->second.stored;
  }
  [[nodiscard]] std::vector<std::string_view> names() const override { return model_.weights().names(); }
  [[nodiscard]] bool is_listed(std::string_view name) const override { return model_.weights().is_listed(name); }
  [[nodiscard]] std::string source_name() const override { return model_.weights().source_name(); }
  [[nodiscard]] std::string source_name_of(std::string_view name) const override {
    return model_.weights().source_name_of(name);
  }

 private:
  Model model_;
  std::map<std::string, Tensor, std::less<>> tensors_;
};

}  // namespace trine::inline TRINE_ABI
