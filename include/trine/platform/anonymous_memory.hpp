// SPDX-License-Identifier: Apache-2.0
// Memory for large data that is read repeatedly: in pages of 2 MiB if the system supports them, so that streaming needs
// fewer address translations.
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <cstdint>
#include <new>
#include <utility>

#include <trine/core/abi.hpp>

namespace trine::inline TRINE_ABI {

/// `size` zeroed bytes, allocated when first written. Movable; the bytes keep their address.
class AnonymousMemory {
 public:
  AnonymousMemory() = default;
  /// Throws std::bad_alloc.
  explicit AnonymousMemory(std::size_t size) : size_(size) {
    if (size == 0) return;
    const std::size_t spare = size < kHugePage ? 0 : kHugePage;  // to align to a huge page
    if (size > static_cast<std::size_t>(-1) - spare) throw std::bad_alloc();
    void* mapped = ::mmap(nullptr, size + spare, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapped == MAP_FAILED) throw std::bad_alloc();
    mapped_ = static_cast<std::byte*>(mapped);
    mapped_size_ = size + spare;
    if (spare == 0) return;
    offset_ = static_cast<std::size_t>(-reinterpret_cast<std::uintptr_t>(mapped)) % kHugePage;
#ifdef MADV_HUGEPAGE
    ::madvise(data(), size, MADV_HUGEPAGE);  // only a hint: ordinary pages also work
#endif
  }
  AnonymousMemory(AnonymousMemory&& other) noexcept { swap(other); }
  AnonymousMemory& operator=(AnonymousMemory&& other) noexcept {
    swap(other);
    return *this;
  }
  AnonymousMemory(const AnonymousMemory&) = delete;
  AnonymousMemory& operator=(const AnonymousMemory&) = delete;
  ~AnonymousMemory() {
    if (mapped_ != nullptr) ::munmap(mapped_, mapped_size_);
  }

  [[nodiscard]] std::byte* data() noexcept { return mapped_ + offset_; }
  [[nodiscard]] const std::byte* data() const noexcept { return mapped_ + offset_; }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }

 private:
  static constexpr std::size_t kHugePage = std::size_t{2} << 20U;

  void swap(AnonymousMemory& other) noexcept {
    std::swap(mapped_, other.mapped_);
    std::swap(mapped_size_, other.mapped_size_);
    std::swap(offset_, other.offset_);
    std::swap(size_, other.size_);
  }

  std::byte* mapped_ = nullptr;
  std::size_t mapped_size_ = 0;
  std::size_t offset_ = 0;
  std::size_t size_ = 0;
};

}  // namespace trine::inline TRINE_ABI
