// SPDX-License-Identifier: Apache-2.0
// Copy-on-write pages of memory, which make forks of a sequence cheap.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstring>
#include <new>
#include <utility>
#include <vector>

#include <trine/core/tensor.hpp>

namespace trine::inline TRINE_ABI {

/// A table of pages of the same size, allocated when first written. A copy of the table shares its pages; writing to a
/// shared page copies it first. Tables of different threads may share pages.
class PageTable {
 public:
  explicit PageTable(std::size_t page_bytes) : page_bytes_(page_bytes) {}

  [[nodiscard]] std::size_t page_bytes() const noexcept { return page_bytes_; }
  /// The number of entries; an entry may have no page.
  [[nodiscard]] std::size_t size() const noexcept { return pages_.size(); }
  [[nodiscard]] bool exists(std::size_t page) const noexcept { return page < pages_.size() && pages_[page].exists(); }

  /// Returns the page for writing: it is allocated with zeros if it does not exist, and copied if it is shared. Throws
  /// std::bad_alloc.
  std::byte* write(std::size_t page) {
    if (page >= pages_.size()) pages_.resize(page + 1);
    Page& p = pages_[page];
    if (!p.exists()) {
      p = Page(page_bytes_);
    } else if (p.shared()) {
      Page own(page_bytes_);
      std::memcpy(own.data(), p.data(), page_bytes_);
      p = std::move(own);
    }
    return p.data();
  }
  /// Returns a page, which must exist.
  [[nodiscard]] const std::byte* read(std::size_t page) const noexcept { return pages_[page].data(); }

  /// Releases the pages from `count` on.
  void truncate(std::size_t count) {
    if (count < pages_.size()) pages_.resize(count);
  }

  /// Bytes of the existing pages, including shared ones.
  [[nodiscard]] std::size_t bytes() const noexcept {
    return count([](const Page& page) { return page.exists(); });
  }
  /// Bytes of those that are shared with other tables.
  [[nodiscard]] std::size_t shared_bytes() const noexcept {
    return count([](const Page& page) { return page.exists() && page.shared(); });
  }

 private:
  template <class Counts>
  [[nodiscard]] std::size_t count(const Counts& counts) const noexcept {
    std::size_t total = 0;
    for (const Page& page : pages_) total += counts(page) ? page_bytes_ : 0;
    return total;
  }

  // A reference-counted block of memory. A release of the count synchronises with the acquire of the thread that then
  // writes in place.
  class Page {
   public:
    Page() = default;
    explicit Page(std::size_t bytes)
        : block_(static_cast<std::byte*>(::operator new (kHeader + bytes, std::align_val_t{kCacheLineBytes}))) {
      ::new (block_) std::atomic<std::size_t>(1);
      std::memset(block_ + kHeader, 0, bytes);
    }
    Page(const Page& other) noexcept : block_(other.block_) {
      if (block_ != nullptr) users().fetch_add(1, std::memory_order_relaxed);
    }
    Page(Page&& other) noexcept : block_(std::exchange(other.block_, nullptr)) {}
    Page& operator=(Page other) noexcept {
      std::swap(block_, other.block_);
      return *this;
    }
    ~Page() {
      if (block_ == nullptr || users().fetch_sub(1, std::memory_order_acq_rel) != 1) return;
      ::operator delete (block_, std::align_val_t{kCacheLineBytes});
    }

    [[nodiscard]] bool exists() const noexcept { return block_ != nullptr; }
    [[nodiscard]] bool shared() const noexcept { return users().load(std::memory_order_acquire) != 1; }
    [[nodiscard]] std::byte* data() const noexcept { return block_ + kHeader; }

   private:
    static constexpr std::size_t kHeader = kCacheLineBytes;
    [[nodiscard]] std::atomic<std::size_t>& users() const noexcept {
      return *std::launder(reinterpret_cast<std::atomic<std::size_t>*>(block_));
    }
    std::byte* block_ = nullptr;
  };

  std::size_t page_bytes_;
  std::vector<Page> pages_;
};

}  // namespace trine::inline TRINE_ABI
