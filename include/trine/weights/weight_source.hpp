// SPDX-License-Identifier: Apache-2.0
// Where tensors come from: the interface that every weight format implements.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <trine/core/dtype.hpp>
#include <trine/quant/weight_matrix.hpp>

namespace trine::inline TRINE_ABI {

/// A stored tensor, whose bytes the source owns. `bytes` has exactly the size that follows from `dtype` and `shape`,
/// and is aligned for `dtype`.
struct StoredTensor {
  DType dtype = DType::f32;          ///< element type, or a block format
  std::vector<std::size_t> shape;    ///< extents, the first axis first; without axes: one element
  std::span<const std::byte> bytes;  ///< borrowed from the source
  /// Its values, if they depend on scales that lie elsewhere; owned by the source. Null: `bytes` are all of it.
  const WeightMatrix* matrix = nullptr;
  std::size_t scale_bytes = 0;  ///< of these scales, and of zero points

  /// Including scales.
  [[nodiscard]] std::size_t total_bytes() const noexcept { return bytes.size() + scale_bytes; }
};

/// A set of named tensors. Const and shareable between threads; views of its tensors are valid during its lifetime.
class WeightSource {
 public:
  WeightSource() = default;
  WeightSource(const WeightSource&) = delete;
  WeightSource& operator=(const WeightSource&) = delete;
  virtual ~WeightSource() = default;

  /// Null if there is no such tensor.
  [[nodiscard]] virtual const StoredTensor* find(std::string_view name) const = 0;
  /// The same for a model that needs the tensor in this shape, and in this type if only one is possible. A source may
  /// generate it (shape_only_weights.hpp); others return what they have, in any shape and type.
  [[nodiscard]] virtual const StoredTensor* request(std::string_view name, std::span<const std::size_t> /*shape*/,
                                                    std::optional<DType> /*dtype*/ = std::nullopt) const {
    return find(name);
  }
  /// All names, sorted.
  [[nodiscard]] virtual std::vector<std::string_view> names() const = 0;
  /// Returns whether the index of the checkpoint names the tensor, if it has an index. Others may stay unused.
  [[nodiscard]] virtual bool is_listed(std::string_view /*name*/) const { return true; }
  /// The file that errors name.
  [[nodiscard]] virtual std::string source_name() const = 0;
  /// The file that errors about one tensor name, if tensors come from several.
  [[nodiscard]] virtual std::string source_name_of(std::string_view /*name*/) const { return source_name(); }
};

/// The tensors of one file, by name. A format's constructor fills it.
class TensorMap : public WeightSource {
 public:
  [[nodiscard]] const StoredTensor* find(std::string_view name) const override {
    const auto found = tensors_.find(name);
    return found == tensors_.end() ? nullptr : &found->second;
  }
  [[nodiscard]] std::vector<std::string_view> names() const override {
    std::vector<std::string_view> result;
    result.reserve(tensors_.size());
    for (const auto& [name, tensor] : tensors_) result.emplace_back(name);
    return result;
  }

 protected:
  std::map<std::string, StoredTensor, std::less<>> tensors_;  ///< by name; filled by the constructor of the format
};

}  // namespace trine::inline TRINE_ABI
