// SPDX-License-Identifier: Apache-2.0
// Reusable scratch memory: a stack of spans. After the first pass of a given size, nothing is allocated.
#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <new>
#include <span>
#include <type_traits>
#include <vector>

#include <trine/core/tensor.hpp>

namespace trine::inline TRINE_ABI {

/// Use one Workspace per thread. `take` returns cache-line aligned, uninitialised spans, which are valid until the
/// innermost open Workspace::Scope ends.
class Workspace {
 public:
  /// Releases everything that was taken after its construction.
  class Scope {
   public:
    /// Records how much of `workspace` is in use. Scopes must end in reverse order of construction.
    explicit Scope(Workspace& workspace) noexcept
        : workspace_(workspace), block_(workspace.block_), used_(workspace.used_) {}
    ~Scope() {
      workspace_.block_ = block_;
      workspace_.used_ = used_;
      if (block_ == 0 && used_ == 0) workspace_.merge();
    }
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    Workspace& workspace_;
    std::size_t block_;
    std::size_t used_;
  };

  /// `count` uninitialised elements. Allocates only if no earlier pass took as much. Throws std::bad_alloc.
  template <class T>
  [[nodiscard]] std::span<T> take(std::size_t count) {
    static_assert(std::is_trivially_destructible_v<T> && alignof(T) <= kCacheLineBytes);
    if (count > (static_cast<std::size_t>(-1) >> 1U) / sizeof(T)) throw std::bad_array_new_length();
    return {reinterpret_cast<T*>(take_bytes(count * sizeof(T))), count};
  }

  /// The same as a matrix [rows, columns].
  template <class T>
  [[nodiscard]] View<T, 2> take_matrix(std::size_t rows, std::size_t columns) {
    return {take<T>(rows * columns).data(), {rows, columns}};
  }

  /// Bytes held, whether in use or not.
  [[nodiscard]] std::size_t capacity_bytes() const noexcept {
    std::size_t total = 0;
    for (const auto& block : blocks_) total += block.size();
    return total;
  }

 private:
  using Block = std::vector<std::byte, CacheLineAllocator<std::byte>>;

  std::byte* take_bytes(std::size_t bytes) {
    bytes = (bytes + kCacheLineBytes - 1) / kCacheLineBytes * kCacheLineBytes;
    while (block_ < blocks_.size() && blocks_[block_].size() - used_ < bytes) {
      ++block_;
      used_ = 0;
    }
    if (block_ == blocks_.size()) blocks_.emplace_back(std::max(bytes, kSmallestBlock));
    std::byte* result = blocks_[block_].data() + used_;
    used_ += bytes;
    return result;
  }

  // Several blocks were allocated during one pass: replace them by a single one, so that the next pass is contiguous.
  void merge() noexcept {
    if (blocks_.size() < 2) return;
    const std::size_t total = capacity_bytes();
    blocks_.clear();
    try {
      blocks_.emplace_back(total);
    } catch (...) {  // NOLINT: not enough memory now; the next `take` allocates or throws
      blocks_.clear();
    }
  }

  static constexpr std::size_t kSmallestBlock = std::size_t{1} << 16U;
  std::vector<Block> blocks_;
  std::size_t block_ = 0;
  std::size_t used_ = 0;
};

}  // namespace trine::inline TRINE_ABI
