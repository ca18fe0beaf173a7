// SPDX-License-Identifier: Apache-2.0
// Where tensors come from: the interface that every weight format implements.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <trine/core/dtype.hpp>

namespace trine::inline TRINE_ABI {

/// A stored tensor: its bytes lie in memory that the source keeps. `bytes` has exactly the size that `dtype` and
/// `shape` ask for and is aligned for `dtype`.
struct StoredTensor {
  DType dtype = DType::f32;
  std::vector<std::size_t> shape;
  std::span<const std::byte> bytes;
};

/// A set of named tensors. Const and shareable between threads; views of its tensors are valid while it lives.
class WeightSource {
 public:
  WeightSource() = default;
  WeightSource(const WeightSource&) = delete;
  WeightSource& operator=(const WeightSource&) = delete;
  virtual ~WeightSource() = default;

  /// Null when there is no such tensor.
  [[nodiscard]] virtual const StoredTensor* find(std::string_view name) const = 0;
  /// All names, sorted.
  [[nodiscard]] virtual std::vector<std::string_view> names() const = 0;
  /// The file that errors name.
  [[nodiscard]] virtual std::string place() const = 0;
  /// The file that errors about one tensor name, where tensors come from several.
  [[nodiscard]] virtual std::string place_of(std::string_view /*name*/) const { return place(); }
};

}  // namespace trine::inline TRINE_ABI
