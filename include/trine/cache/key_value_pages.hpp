// SPDX-License-Identifier: Apache-2.0
// Keys and values of past tokens in pages that are allocated when first written.
#pragma once

#include <cstddef>
#include <vector>

#include <trine/core/tensor.hpp>

namespace trine::inline TRINE_ABI {

/// Rows of `width` floats for keys and as many for values, addressed by (page, row). What a row stands for is its
/// user's affair. A page is one block of memory: [page_rows, width] keys, then [page_rows, width] values. Pages never
/// move.
class KeyValuePages {
 public:
  KeyValuePages(std::size_t page_rows, std::size_t width) : page_rows_(page_rows), width_(width) {}

  [[nodiscard]] std::size_t page_rows() const noexcept { return page_rows_; }
  [[nodiscard]] std::size_t width() const noexcept { return width_; }

  /// Makes page `page` exist. Throws std::bad_alloc.
  void require(std::size_t page) {
    if (page >= pages_.size()) pages_.resize(page + 1);
    if (pages_[page].size() == 0) pages_[page] = Tensor<float, 1>({page_bytes(page_rows_, width_) / sizeof(float)});
  }

  [[nodiscard]] float* key(std::size_t page, std::size_t row) noexcept { return pages_[page].data() + row * width_; }
  [[nodiscard]] float* value(std::size_t page, std::size_t row) noexcept {
    return key(page, row) + page_rows_ * width_;
  }
  [[nodiscard]] const float* key(std::size_t page, std::size_t row) const noexcept {
    return pages_[page].data() + row * width_;
  }
  [[nodiscard]] const float* value(std::size_t page, std::size_t row) const noexcept {
    return key(page, row) + page_rows_ * width_;
  }

  [[nodiscard]] std::size_t bytes() const noexcept {
    std::size_t total = 0;
    for (const auto& page : pages_) total += page.size() * sizeof(float);
    return total;
  }
  [[nodiscard]] static std::size_t page_bytes(std::size_t page_rows, std::size_t width) noexcept {
    return 2 * page_rows * width * sizeof(float);
  }

 private:
  std::size_t page_rows_;
  std::size_t width_;
  std::vector<Tensor<float, 1>> pages_;
};

}  // namespace trine::inline TRINE_ABI
