// SPDX-License-Identifier: Apache-2.0
// Flash attention, block by block: query rows attend to blocks of keys and values, with an online softmax. Whole rows
// of scores, and keys and values of all positions, are never in memory at once; masked keys are skipped.
// Online softmax: Milakov & Gimelshein 2018, arXiv:1805.02867; in blocks: Dao et al. 2022, arXiv:2205.14135.
#pragma once

#include <algorithm>
#include <cstddef>
#include <span>

#include <trine/attention/attention_pattern.hpp>
#include <trine/kernels/gemm.hpp>
#include <trine/kernels/online_softmax.hpp>

namespace trine::inline TRINE_ABI {

inline constexpr std::size_t kQueryTile = 64;  // rows whose scores are held at a time
/// Keys per block. Blocks end at multiples of it, so that the bits of a row depend only on its visible keys.
inline constexpr std::size_t kKeyBlock = 128;

/// Query rows (`heads` rows per query of a tile), their visible keys, output and scratch memory.
struct AttentionInputs {
  std::size_t key_width;
  std::size_t value_width;
  const float* q;  // [rows, key_width], leading dimension ldq
  std::size_t ldq;
  std::size_t rows;
  std::size_t heads;
  VisibleRange visible;
  float scale;  // of a score
  float* z;     // [rows, value_width], leading dimension ldz
  std::size_t ldz;
  kernels::OnlineSoftmax* softmax;  // [rows]
  float* scores;                    // [kQueryTile, kKeyBlock]
};

/// Keys and values that are contiguous. Element i of key m is at key[m * ldk + i], or at key[i * ldk + m] if
/// `columns`.
template <class T>
struct KeyValues {
  const T* key;
  std::size_t ldk;
  bool columns;
  const T* value;  // [count, value_width], leading dimension ldv
  std::size_t ldv;
  std::size_t count;
};

namespace detail {

// Calls use(part, offset of the part in the block, first, last) for the keys [from, to) of a block, part by part.
template <class T, class Use>
void for_parts(std::span<const KeyValues<T>> block, std::size_t from, std::size_t to, const Use& use) {
  std::size_t offset = 0;
  for (const KeyValues<T>& part : block) {
    const std::size_t first = std::max(from, offset);
    const std::size_t last = std::min(to, offset + part.count);
    if (first < last) use(part, offset, first, last);
    offset += part.count;
  }
}

// scores[r, m] = q_r . k_m for rows [row, row + tile) and the keys [from, to) of the block.
template <class T>
void add_scores(Isa isa, const AttentionInputs& rows, std::span<const KeyValues<T>> block, std::size_t row,
                std::size_t tile, std::size_t from, std::size_t to) noexcept {
  const kernels::RowsOf<float> q{rows.q + row * rows.ldq, rows.ldq};
  for_parts<T>(block, from, to, [&](const KeyValues<T>& part, std::size_t offset, std::size_t first, std::size_t last) {
    if (part.columns) {
      kernels::gemm_columns(isa, q, tile, part.key + (first - offset), part.ldk, last - first, rows.key_width, false,
                            rows.scores + first, kKeyBlock);
    } else {
      kernels::gemm(isa, q, tile, part.key + (first - offset) * part.ldk, part.ldk, last - first, rows.key_width,
                    rows.scores + first, kKeyBlock);
    }
  });
}

// z_r += sum_m p_rm v_m for rows [row, row + count) of a tile that begins at `tile`, and the keys [from, to).
template <class T>
void add_values(Isa isa, const AttentionInputs& rows, std::span<const KeyValues<T>> block, std::size_t tile,
                std::size_t row, std::size_t count, std::size_t from, std::size_t to) noexcept {
  for_parts<T>(block, from, to, [&](const KeyValues<T>& part, std::size_t offset, std::size_t first, std::size_t last) {
    kernels::gemm_columns(isa, {rows.scores + (row - tile) * kKeyBlock + first, kKeyBlock}, count,
                          part.value + (first - offset) * part.ldv, part.ldv, rows.value_width, last - first, true,
                          rows.z + row * rows.ldz, rows.ldz);
  });
}

}  // namespace detail

/// Before the first block. sinks: [heads] logits that take part in the softmax without a value, or null.
inline void init_attention(const AttentionInputs& rows, const float* sinks) noexcept {
  for (std::size_t row = 0; row < rows.rows; ++row) {
    rows.softmax[row] = {};
    if (sinks != nullptr) rows.softmax[row] = {sinks[row % rows.heads], 1.0F};
    std::fill_n(rows.z + row * rows.ldz, rows.value_width, 0.0F);
  }
}

/// z += sum_m e^(scale q . k_m - max so far) v_m over the visible keys of the block. The block is the keys of indices
/// [begin, begin + the sum of the counts), up to kKeyBlock of them. Blocks are passed in ascending order.
template <class T>
void attention_block(Isa isa, const AttentionInputs& rows, std::size_t begin,
                     std::span<const KeyValues<T>> block) noexcept {
  std::size_t count = 0;
  for (const KeyValues<T>& part : block) count += part.count;
  const auto from = [&](std::size_t row) {
    return std::clamp(rows.visible.begin(row / rows.heads), begin, begin + count) - begin;
  };
  const auto to = [&](std::size_t row) {
    return std::clamp(rows.visible.end(row / rows.heads), begin, begin + count) - begin;
  };
  for (std::size_t tile = 0; tile < rows.rows; tile += kQueryTile) {
    const std::size_t end = std::min(tile + kQueryTile, rows.rows);
    if (from(tile) >= to(end - 1)) continue;
    detail::add_scores(isa, rows, block, tile, end - tile, from(tile), to(end - 1));
    for (std::size_t row = tile; row < end; ++row) {
      if (from(row) >= to(row)) continue;
      const std::span<float> scores(rows.scores + (row - tile) * kKeyBlock + from(row), to(row) - from(row));
      const float factor = kernels::online_softmax_block(isa, rows.softmax[row], scores, rows.scale);
      if (factor != 1.0F) kernels::multiply(isa, {rows.z + row * rows.ldz, rows.value_width}, factor);
    }
    // Keys visible to all rows are processed together, those at the edges query by query.
    const std::size_t common_from = std::min(from(end - 1), to(tile));
    const std::size_t common_to = to(tile);
    const auto edges = [&](bool before) {
      for (std::size_t row = tile; row < end;) {
        const std::size_t next = std::min((row / rows.heads + 1) * rows.heads, end);
        const std::size_t first = before ? from(row) : std::max(from(row), common_to);
        const std::size_t last = before ? std::min(to(row), common_from) : to(row);
        if (first < last) detail::add_values(isa, rows, block, tile, row, next - row, first, last);
        row = next;
      }
    };
    edges(true);
    detail::add_values(isa, rows, block, tile, tile, end - tile, common_from, common_to);
    edges(false);
  }
}

/// After the last block: z = sum_m softmax_m(scale q . k_m) v_m.
inline void finalize_attention(Isa isa, const AttentionInputs& rows) noexcept {
  for (std::size_t row = 0; row < rows.rows; ++row)
    kernels::multiply(isa, {rows.z + row * rows.ldz, rows.value_width}, 1.0F / rows.softmax[row].total);
}

}  // namespace trine::inline TRINE_ABI
