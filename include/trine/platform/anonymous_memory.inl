// SPDX-License-Identifier: Apache-2.0
// The definitions of platform/anonymous_memory.hpp.
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <cstdint>
#include <new>
#include <utility>

#include <trine/core/abi.hpp>
#include <trine/platform/anonymous_memory.hpp>

namespace trine::inline TRINE_ABI {

TRINE_DECL AnonymousMemory::AnonymousMemory(std::size_t size) : size_(size) {
  if (size == 0) return;
  const std::size_t spare = size < kHugePage ? 0 : kHugePage;  // to begin at a huge page
  if (size > static_cast<std::size_t>(-1) - spare) throw std::bad_alloc();
  void* mapped = ::mmap(nullptr, size + spare, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapped == MAP_FAILED) throw std::bad_alloc();
  mapped_ = static_cast<std::byte*>(mapped);
  mapped_size_ = size + spare;
  if (spare == 0) return;
  offset_ = static_cast<std::size_t>(-reinterpret_cast<std::uintptr_t>(mapped)) % kHugePage;
#ifdef MADV_HUGEPAGE
  ::madvise(data(), size, MADV_HUGEPAGE);  // a wish: ordinary pages do as well
#endif
}

TRINE_DECL AnonymousMemory& AnonymousMemory::operator=(AnonymousMemory&& other) noexcept {
  swap(other);
  return *this;
}

TRINE_DECL AnonymousMemory::~AnonymousMemory() {
  if (mapped_ != nullptr) ::munmap(mapped_, mapped_size_);
}

TRINE_DECL void AnonymousMemory::swap(AnonymousMemory& other) noexcept {
  std::swap(mapped_, other.mapped_);
  std::swap(mapped_size_, other.mapped_size_);
  std::swap(offset_, other.offset_);
  std::swap(size_, other.size_);
}

}  // namespace trine::inline TRINE_ABI
