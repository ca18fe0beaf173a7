// SPDX-License-Identifier: Apache-2.0
// Mean keys of whole frames: what queries that choose frames look at.
//
// A page holds kPageFrames frames: for each key/value head [width][kPageFrames] in f32, a column per frame.
#pragma once

#include <algorithm>
#include <cstddef>
#include <span>

#include <trine/attention/attention_pattern.hpp>
#include <trine/cache/page_table.hpp>
#include <trine/kernels/gemm.hpp>
#include <trine/kernels/kv_rows.hpp>

namespace trine::inline TRINE_ABI {

/// Where the mean keys of a head group lie.
struct FrameMeansLayout {
  static constexpr std::size_t kPageFrames = 64;

  std::size_t heads = 0;  ///< key/value heads
  std::size_t width = 0;  ///< of a key

  [[nodiscard]] std::size_t head_floats() const noexcept { return width * kPageFrames; }
  [[nodiscard]] std::size_t page_bytes() const noexcept { return heads * head_floats() * sizeof(float); }
  [[nodiscard]] static std::size_t pages(std::size_t frames) noexcept {
    return (frames + kPageFrames - 1) / kPageFrames;
  }
};

/// Stores the mean of the cached keys of a frame, whose sites are all there:  mean_i = (sum of k_i(m) over its sites m,
/// ascending) / frame_size.   keys: scratch memory for
/// the keys of a page [width * shape.block_rows], unless the cache is f32
inline void store_frame_mean(Isa isa, const FrameMeansLayout& layout, PageTable& means, std::size_t head,
                             std::size_t frame, const AttentionPattern& pattern, std::size_t frame_size,
                             const KvPageLayout& shape, const PageTable& pages, std::span<float> keys) {
  auto* page = reinterpret_cast<float*>(means.write(frame / FrameMeansLayout::kPageFrames));
  float* column = page + head * layout.head_floats() + frame % FrameMeansLayout::kPageFrames;
  const auto element = [&](std::size_t i) -> float& { return column[i * FrameMeansLayout::kPageFrames]; };
  for (std::size_t i = 0; i < layout.width; ++i) element(i) = 0.0F;
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
    for (std::size_t i = 0; i < layout.width; ++i)
      for (std::size_t m = 0; m < stored_at.count; ++m) element(i) += columns[i * ld + m];
    at += stored_at.count;
  }
  for (std::size_t i = 0; i < layout.width; ++i) element(i) /= static_cast<float>(frame_size);
}

/// affinity[r, j] = x_r . mean key of frame j, for frames [0, frames).   x: [rows, width]   affinity: [rows, frames]
inline void frame_affinities(Isa isa, const FrameMeansLayout& layout, const PageTable& means, std::size_t head,
                             const float* x, std::size_t rows, std::size_t frames, float* affinity) noexcept {
  for (std::size_t first = 0; first < frames; first += FrameMeansLayout::kPageFrames) {
    const auto* page = reinterpret_cast<const float*>(means.read(first / FrameMeansLayout::kPageFrames));
    kernels::gemm_columns(isa, {x, layout.width}, rows, page + head * layout.head_floats(),
                          FrameMeansLayout::kPageFrames, std::min(FrameMeansLayout::kPageFrames, frames - first),
                          layout.width, false, affinity + first, frames);
  }
}

}  // namespace trine::inline TRINE_ABI
