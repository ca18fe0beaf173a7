// SPDX-License-Identifier: Apache-2.0
// A tensor that owns its elements, aligned to cache lines.
#pragma once

#include <cstddef>
#include <new>
#include <vector>

#include <trine/core/check.hpp>
#include <trine/core/tensor_view.hpp>

namespace trine::inline TRINE_ABI {

/// The alignment of tensors and scratch memory. x86-64 and most ARM have cache lines of 64 bytes, the width of a vector
/// of AVX-512.
inline constexpr std::size_t kCacheLineBytes = 64;

/// Allocates on cache-line boundaries; otherwise std::allocator.
template <class T>
struct CacheLineAllocator {
  /// The element type, as in allocators of the standard library.
  using value_type = T;

  CacheLineAllocator() noexcept = default;
  /// Converts from an allocator of another type; allocators have no state.
  template <class U>
  CacheLineAllocator(const CacheLineAllocator<U>&) noexcept {}

  /// Uninitialised memory for `count` elements. Throws std::bad_alloc.
  [[nodiscard]] T* allocate(std::size_t count) {
    if (count > static_cast<std::size_t>(-1) / sizeof(T)) throw std::bad_array_new_length();
    return static_cast<T*>(::operator new (count * sizeof(T), std::align_val_t{kCacheLineBytes}));
  }
  /// Releases memory of allocate().
  void deallocate(T* pointer, std::size_t) noexcept { ::operator delete (pointer, std::align_val_t{kCacheLineBytes}); }

  /// Always true: allocators have no state.
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
  /// Extents, the first axis first.
  using Shape = typename View<T, Rank>::Shape;

  Tensor() = default;
  /// Throws std::bad_alloc or std::length_error if the product of all extents cannot be allocated.
  explicit Tensor(const Shape& shape) : shape_(shape), elements_(count(shape)) {}

  /// All elements, mutable.
  [[nodiscard]] View<T, Rank> view() noexcept { return {elements_.data(), shape_}; }
  /// All elements, const.
  [[nodiscard]] View<const T, Rank> view() const noexcept { return {elements_.data(), shape_}; }
  /// Extents, the first axis first.
  [[nodiscard]] const Shape& shape() const noexcept { return shape_; }
  /// Number of elements: the product of the extents.
  [[nodiscard]] std::size_t size() const noexcept { return elements_.size(); }
  /// The first element, on a cache-line boundary; null when there is none.
  [[nodiscard]] T* data() noexcept { return elements_.data(); }
  /// The first element, on a cache-line boundary; null when there is none.
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
