// SPDX-License-Identifier: Apache-2.0
// A model without weights: its configuration determines which tensors it needs, and their shapes.
#pragma once

#include <algorithm>
#include <cstddef>
#include <list>
#include <map>
#include <mutex>
#include <new>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <trine/core/check.hpp>
#include <trine/core/error.hpp>
#include <trine/core/shape.hpp>
#include <trine/platform/zero_pages.hpp>
#include <trine/weights/weight_source.hpp>

namespace trine::inline TRINE_ABI {

/// Provides each tensor that a model requests, in its shape, as zeros that take no memory, like PyTorch's meta device.
/// Counts parameters and caches of models of any size. Tensors are bf16 unless a model requires another type. `find`
/// returns only tensors that were requested before, so models with a choice of layouts take single experts, and
/// optional tensors are absent.
class ShapeOnlyWeights : public WeightSource {
 public:
  /// Maximum number of tensors: a configuration could request arbitrarily many.
  static constexpr std::size_t kMostTensors = std::size_t{1} << 20U;
  /// Maximum bytes of vectors and biases: layers copy these, which takes memory.
  static constexpr std::size_t kMostCopiedBytes = std::size_t{1} << 30U;

  /// Throws WeightError if it exceeds the address space or one of the limits.
  [[nodiscard]] const StoredTensor* request(std::string_view name, std::span<const std::size_t> shape,
                                            std::optional<DType> wanted = std::nullopt) const override {
    const std::lock_guard lock(mutex_);
    const auto known = tensors_.find(name);
    if (known != tensors_.end()) return &known->second;
    if (tensors_.size() == kMostTensors) fail(name, "expected at most " + std::to_string(kMostTensors) + " tensors");
    const DType dtype = wanted.value_or(DType::bf16);
    const std::size_t size = size_of(name, dtype, shape);
    if (shape.size() == 1 || name.ends_with("bias")) count_copy(name, size);
    const StoredTensor tensor{dtype, {shape.begin(), shape.end()}, zeros(name, size)};
    return &tensors_.emplace(name, tensor).first->second;
  }

  [[nodiscard]] const StoredTensor* find(std::string_view name) const override {
    const std::lock_guard lock(mutex_);
    const auto known = tensors_.find(name);
    return known == tensors_.end() ? nullptr : &known->second;
  }
  [[nodiscard]] std::vector<std::string_view> names() const override {
    const std::lock_guard lock(mutex_);
    std::vector<std::string_view> result;
    result.reserve(tensors_.size());
    for (const auto& [name, tensor] : tensors_) result.emplace_back(name);
    return result;
  }
  [[nodiscard]] std::string source_name() const override { return "no weights, only a configuration"; }

 private:
  static constexpr std::size_t kFirstBytes = std::size_t{64} << 20U;
  static constexpr std::size_t kMostBytes = static_cast<std::size_t>(-1) / 4;

  [[nodiscard]] std::size_t size_of(std::string_view name, DType dtype, std::span<const std::size_t> shape) const {
    const auto elements = checked_product(shape);
    const auto bytes = elements ? checked_multiply(*elements, size_bytes(dtype)) : std::nullopt;
    if (!bytes || *bytes > kMostBytes) fail(name, "shape " + to_string(shape) + " is too large");
    return *bytes;
  }
  void count_copy(std::string_view name, std::size_t size) const {
    if (size > kMostCopiedBytes - copied_bytes_)
      fail(name, "expected at most " + std::to_string(kMostCopiedBytes) + " bytes of vectors and biases");
    copied_bytes_ += size;
  }

  /// All tensors begin at the same address, until one is larger than the previous ones.
  [[nodiscard]] std::span<const std::byte> zeros(std::string_view name, std::size_t size) const {
    const std::size_t available = zeros_.empty() ? 0 : zeros_.back().bytes().size();
    if (size > available || zeros_.empty()) {
      try {
        zeros_.emplace_back(std::max({size, 2 * available, kFirstBytes}));
      } catch (const std::bad_alloc&) {
        fail(name, "no room in the address space for " + std::to_string(size) + " bytes");
      }
    }
    return zeros_.back().bytes().first(size);
  }

  [[noreturn]] void fail(std::string_view name, const std::string& problem) const {
    throw WeightError(std::string(name) + ": " + problem + " (" + source_name() + ")",
                      {.kind = ErrorKind::does_not_fit, .field = std::string(name)});
  }

  mutable std::mutex mutex_;
  mutable std::map<std::string, StoredTensor, std::less<>> tensors_;
  mutable std::list<ZeroPages> zeros_;
  mutable std::size_t copied_bytes_ = 0;
};

}  // namespace trine::inline TRINE_ABI
