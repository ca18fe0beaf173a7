// SPDX-License-Identifier: Apache-2.0
// Zeros that take address space but no memory, for sizes far beyond the machine's memory.
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <new>
#include <span>

#include <trine/core/abi.hpp>

namespace trine::inline TRINE_ABI {

/// `size` bytes that are 0 and read-only. All of them map to the system's zero page.
class ZeroPages {
 public:
  /// Throws std::bad_alloc if `size` is 0 or exceeds the address space.
  explicit ZeroPages(std::size_t size) : size_(size) {
    void* mapped = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (mapped == MAP_FAILED) throw std::bad_alloc();
    data_ = static_cast<const std::byte*>(mapped);
  }
  ZeroPages(const ZeroPages&) = delete;
  ZeroPages& operator=(const ZeroPages&) = delete;
  ~ZeroPages() { ::munmap(const_cast<std::byte*>(data_), size_); }

  [[nodiscard]] std::span<const std::byte> bytes() const noexcept { return {data_, size_}; }

 private:
  const std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace trine::inline TRINE_ABI
