// SPDX-License-Identifier: Apache-2.0
// What multi-head latent attention remembers of past tokens, in pages that are allocated when first written.
#pragma once

#include <algorithm>
#include <cstddef>
#include <span>
#include <vector>

#include <trine/core/tensor.hpp>

namespace trine::inline TRINE_ABI {

/// One row a position: the latent of keys and values, then the rotary key that all heads share. A page holds the
/// positions from a multiple of kPageRows on, row after row. Pages never move.
class LatentCache {
 public:
  static constexpr std::size_t kPageRows = 128;

  /// width: latent and rotary key together
  explicit LatentCache(std::size_t width) : width_(width) {}

  [[nodiscard]] std::size_t width() const noexcept { return width_; }

  /// The row of `position`, to be written; makes its page exist. Throws std::bad_alloc.
  [[nodiscard]] std::span<float> row(std::size_t position) {
    const std::size_t page = position / kPageRows;
    if (page >= pages_.size()) pages_.resize(page + 1);
    if (pages_[page].size() == 0) pages_[page] = Tensor<float, 2>({kPageRows, width_});
    return pages_[page].view().row(position % kPageRows);
  }

  /// The rows of positions [page * kPageRows, (page + 1) * kPageRows), `width` apart; those that were written count.
  [[nodiscard]] const float* page(std::size_t page) const noexcept { return pages_[page].data(); }

  [[nodiscard]] std::size_t bytes() const noexcept {
    const auto exists = [](const Tensor<float, 2>& page) { return page.size() != 0; };
    return static_cast<std::size_t>(std::count_if(pages_.begin(), pages_.end(), exists)) * page_bytes(width_);
  }
  /// Bytes held once positions [0, tokens) were written.
  [[nodiscard]] static std::size_t bytes(std::size_t tokens, std::size_t width) noexcept {
    return (tokens + kPageRows - 1) / kPageRows * page_bytes(width);
  }

 private:
  [[nodiscard]] static std::size_t page_bytes(std::size_t width) noexcept { return kPageRows * width * sizeof(float); }

  std::size_t width_;
  std::vector<Tensor<float, 2>> pages_;
};

}  // namespace trine::inline TRINE_ABI
