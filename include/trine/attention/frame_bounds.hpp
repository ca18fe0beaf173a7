// SPDX-License-Identifier: Apache-2.0
// The largest and smallest keys of whole frames, element by element: what queries that choose frames look at.
// Tang et al., "Quest", 2024, arXiv:2406.10774, where pages of a cache are chosen so.
//
// A page holds kPageFrames frames: for each key/value head [2 width][kPageFrames] in f32, a column per frame, the
// maxima before the minima.
#pragma once

#include <algorithm>
#include <cstddef>
#include <limits>
#include <span>

#include <trine/attention/attention_pattern.hpp>
#include <trine/cache/page_table.hpp>
#include <trine/kernels/gemm.hpp>
#include <trine/kernels/kv_rows.hpp>

namespace trine::inline TRINE_ABI {

/// Where the bounds of a head group lie.
struct FrameBoundsLayout {
  static constexpr std::size_t kPageFrames = 64;

  std::size_t heads = 0;  ///< key/value heads
  std::size_t width = 0;  ///< of a key

  [[nodiscard]] std::size_t head_floats() const noexcept { return 2 * width * kPageFrames; }
  [[nodiscard]] std::size_t page_bytes() const noexcept { return heads * head_floats() * sizeof(float); }
  [[nodiscard]] static std::size_t pages(std::size_t frames) noexcept {
    return (frames + kPageFrames - 1) / kPageFrames;
  }
};

/// Stores  max_i = max over the sites m of a frame of k_i(m)  and min_i likewise, of the cached keys, which are all
/// there.   keys: scratch memory for the keys of a page [width * shape.block_rows], unless the cache is f32
inline void store_frame_bounds(Isa isa, const FrameBoundsLayout& layout, PageTable& bounds, std::size_t head,
                               std::size_t frame, const AttentionPattern& pattern, std::size_t frame_size,
                               const KvPageLayout& shape, const PageTable& pages, std::span<float> keys) {
  constexpr std::size_t kStep = FrameBoundsLayout::kPageFrames;
  auto* page = reinterpret_cast<float*>(bounds.write(frame / kStep));
  float* largest = page + head * layout.head_floats() + frame % kStep;
  float* smallest = largest + layout.width * kStep;
  for (std::size_t i = 0; i < layout.width; ++i) {
    largest[i * kStep] = -std::numeric_limits<float>::infinity();
    smallest[i * kStep] = std::numeric_limits<float>::infinity();
  }
  const std::size_t end = (frame + 1) * frame_size;
  for (std::size_t at = frame * frame_size; at < end;) {
    const KvSegment stored_at = pattern.segment({}, at, end);
    const KvRows stored = kv_rows(shape, pages, head, stored_at.slot);
    const auto* columns = reinterpret_cast<const float*>(stored.keys);
    std::size_t ld = shape.block_rows;
    if (shape.type != KvCacheDtype::f32) {
      ld = stored_at.count;
      columns = keys.data();
      kernels::load_kv_columns(isa, {shape.type, stored.keys, shape.block_rows, stored.key_scales, shape.block_rows},
                               stored_at.count, layout.width, keys.data(), ld);
    }
    for (std::size_t i = 0; i < layout.width; ++i) {
      const auto [least, most] = std::ranges::minmax(std::span(columns + i * ld, stored_at.count));
      largest[i * kStep] = std::max(largest[i * kStep], most);
      smallest[i * kStep] = std::min(smallest[i * kStep], least);
    }
    at += stored_at.count;
  }
}

/// affinity[r, j] = sum_i max(x_ri, 0) max_i(j) + min(x_ri, 0) min_i(j), for frames [0, frames): no smaller than x_r .
/// k of any key k of frame j. Linear in the two parts of x: sums of several queries' parts give the sum of their
/// bounds.   x: [rows, 2 width] positive parts, then negative ones   affinity: [rows, frames]
inline void frame_affinities(Isa isa, const FrameBoundsLayout& layout, const PageTable& bounds, std::size_t head,
                             const float* x, std::size_t rows, std::size_t frames, float* affinity) noexcept {
  constexpr std::size_t kStep = FrameBoundsLayout::kPageFrames;
  for (std::size_t first = 0; first < frames; first += kStep) {
    const auto* page = reinterpret_cast<const float*>(bounds.read(first / kStep));
    kernels::gemm_columns(isa, {x, 2 * layout.width}, rows, page + head * layout.head_floats(), kStep,
                          std::min(kStep, frames - first), 2 * layout.width, false, affinity + first, frames);
  }
}

}  // namespace trine::inline TRINE_ABI
