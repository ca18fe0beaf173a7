// SPDX-License-Identifier: Apache-2.0
// Memory that ends where an inaccessible page begins: a kernel that reads or writes one byte too much faults at once.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <new>
#include <span>

namespace trine::test {

/// `count` elements, zero when made, aligned for T and for nothing more.
template <class T>
class PageEnd {
 public:
  explicit PageEnd(std::size_t count) : count_(count) {
    const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
    const std::size_t used = (count * sizeof(T) + page - 1) / page * page;
    bytes_ = used + page;
    void* address = ::mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (address == MAP_FAILED) throw std::bad_alloc();
    begin_ = static_cast<std::byte*>(address);
    if (::mprotect(begin_ + used, page, PROT_NONE) != 0) throw std::bad_alloc();
    data_ = reinterpret_cast<T*>(begin_ + used) - count;
  }
  ~PageEnd() { ::munmap(begin_, bytes_); }
  PageEnd(const PageEnd&) = delete;
  PageEnd& operator=(const PageEnd&) = delete;

  [[nodiscard]] T* data() const noexcept { return data_; }
  [[nodiscard]] std::span<T> span() const noexcept { return {data_, count_}; }

 private:
  std::size_t count_;
  std::size_t bytes_ = 0;
  std::byte* begin_ = nullptr;
  T* data_ = nullptr;
};

}  // namespace trine::test
