// SPDX-License-Identifier: Apache-2.0
// A tensor that owns its elements, aligned to cache lines.
#pragma once

#include <cstddef>
#include <new>
#include <vector>

#include <trine/core/check.hpp>
#include <trine/core/tensor_view.hpp>

namespace trine::inline TRINE_ABI {

inline constexpr std::size_t kCacheLineBytes = 64;

/// Allocates on cache-line boundaries; otherwise std::allocator.
template <class T>
struct CacheLineAllocator {
  using value_type = T;

  CacheLineAllocator() noexcept = default;
  template <class U>
  CacheLineAllocator(const CacheLineAllocator<U>&) noexcept {}

  [[nodiscard]] T* allocate(std::size_t count) {
    if (count > static_cast<std::size_t>(-1) / sizeof(T)) throw std::bad_array_new_length();
    return static_cast<T*>(::operator new (count * sizeof(T), std::align_val_t{kCacheLineBytes}));
  }
  void deallocate(T* pointer, std::size_t) noexcept { ::operator delete (pointer, std::align_val_t{kCacheLineBytes}); }

  template <class U>
  bool operator==(const CacheLineAllocator<U>&) const noexcept {
    return true;
  }
};

/// Tensor<float, 2> is a dense row-major [rows, columns], initialised with zeros. Its views are valid until it is moved
/// from, assigned or destroyed.
template <class T, std::size_t Rank>
class Tensor {
 public:
  using Shape = typename View<T, Rank>::Shape;

  Tensor() = default;
  /// Throws std::bad_alloc or std::length_error if the product of all extents cannot be allocated.
  explicit Tensor(const Shape& shape) : shape_(shape), elements_(count(shape)) {}

  [[nodiscard]] View<T, Rank> view() noexcept { return {elements_.data(), shape_}; }
  [[nodiscard]] View<const T, Rank> view() const noexcept { return {elements_.data(), shape_}; }
  [[nodiscard]] const Shape& shape() const noexcept { return shape_; }
  [[nodiscard]] std::size_t size() const noexcept { return elements_.size(); }
  [[nodiscard]] T* data() noexcept { return elements_.data(); }
  [[nodiscard]] const T* data() const noexcept { return elements_.data(); }

 private:
  // A product that wraps around would allocate too little memory.
  static std::size_t count(const Shape& shape) {
    const auto product = checked_product(shape);
    if (!product) throw std::bad_array_new_length();
    return static_cast<std::size_t>(*product);
  }

  Shape shape_{};
  std::vector<T, CacheLineAllocator<T>> elements_;
};

}  // namespace trine::inline TRINE_ABI
