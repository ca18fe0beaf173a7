// SPDX-License-Identifier: Apache-2.0
// Memory for large data that is read repeatedly: in pages of 2 MiB if the system supports them, so that streaming needs
// fewer address translations.
#pragma once

#include <sys/mman.h>

#include <cstddef>

#include <trine/core/abi.hpp>

namespace trine::inline TRINE_ABI {

/// `size` zeroed bytes, allocated when first written. Movable; the bytes keep their address.
class AnonymousMemory {
 public:
  AnonymousMemory() = default;
  /// Throws std::bad_alloc.
  explicit AnonymousMemory(std::size_t size);
  AnonymousMemory(AnonymousMemory&& other) noexcept { swap(other); }
  AnonymousMemory& operator=(AnonymousMemory&& other) noexcept;
  AnonymousMemory(const AnonymousMemory&) = delete;
  AnonymousMemory& operator=(const AnonymousMemory&) = delete;
  ~AnonymousMemory();

  [[nodiscard]] std::byte* data() noexcept { return mapped_ + offset_; }
  [[nodiscard]] const std::byte* data() const noexcept { return mapped_ + offset_; }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }

 private:
  static constexpr std::size_t kHugePage = std::size_t{2} << 20U;

  void swap(AnonymousMemory& other) noexcept;

  std::byte* mapped_ = nullptr;
  std::size_t mapped_size_ = 0;
  std::size_t offset_ = 0;
  std::size_t size_ = 0;
};

}  // namespace trine::inline TRINE_ABI

#if TRINE_HEADER_ONLY
#include <trine/platform/anonymous_memory.inl>
#endif
