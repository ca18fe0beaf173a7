// SPDX-License-Identifier: Apache-2.0
// Causal attention of some query rows to keys that come a block at a time: neither a row of scores nor all keys and
// values need to exist at once.
#pragma once

#include <algorithm>
#include <cstddef>

#include <trine/kernels/gemm.hpp>
#include <trine/kernels/streaming_softmax.hpp>

namespace trine::inline TRINE_ABI {

/// Rows of queries, `heads` for each position from `position` on, which are attended to by the same keys.
struct CausalQueries {
  const float* q;  // [rows, key width], at distance ldq
  std::size_t ldq;
  std::size_t rows;
  std::size_t position;
  std::size_t heads;
  float scale;  // of a score
  float* z;     // [rows, value width], at distance ldz: the result
  std::size_t ldz;
  kernels::StreamingSoftmax* softmax;  // [rows]
  float* scores;                       // [kQueryTile, most keys of a block]
};

/// Keys and values of the positions [begin, begin + count).
struct KeyBlock {
  std::size_t begin;
  std::size_t count;
  const float* key;  // [count, key_width], at distance ldk
  std::size_t ldk;
  std::size_t key_width;
  const float* value;  // [count, value_width], at distance ldv
  std::size_t ldv;
  std::size_t value_width;
};

inline constexpr std::size_t kQueryTile = 32;  // rows whose scores are held at a time

/// Before the first block.
inline void begin_stream(const CausalQueries& queries, std::size_t value_width) {
  for (std::size_t row = 0; row < queries.rows; ++row) {
    queries.softmax[row] = {};
    std::fill_n(queries.z + row * queries.ldz, value_width, 0.0F);
  }
}

/// z += sum_m e^(scale q . k_m - largest so far) v_m over the keys of the block at or before each query's position.
/// Blocks come in ascending order; where they begin decides the last bits of z.
inline void attend_block(Isa isa, const CausalQueries& queries, const KeyBlock& keys) noexcept {
  const auto seen = [&](std::size_t row) {
    return std::min(keys.count, queries.position + row / queries.heads + 1 - keys.begin);
  };
  std::size_t row = keys.begin > queries.position ? (keys.begin - queries.position) * queries.heads : 0;
  for (; row < queries.rows; row += kQueryTile) {
    const std::size_t tile = std::min(kQueryTile, queries.rows - row);
    kernels::gemm(isa, queries.q + row * queries.ldq, queries.ldq, tile, keys.key, keys.ldk, seen(row + tile - 1),
                  keys.key_width, queries.scores, keys.count);
    for (std::size_t i = 0; i < tile; ++i)
      kernels::add_softmax_piece(isa, queries.softmax[row + i], {queries.scores + i * keys.count, seen(row + i)},
                                 queries.scale, keys.value, keys.ldv,
                                 {queries.z + (row + i) * queries.ldz, keys.value_width});
  }
}

/// After the last block: z = sum_m softmax_m(scale q . k_m) v_m.
inline void end_stream(Isa isa, const CausalQueries& queries, std::size_t value_width) noexcept {
  for (std::size_t row = 0; row < queries.rows; ++row)
    kernels::end_softmax(isa, queries.softmax[row], {queries.z + row * queries.ldz, value_width});
}

}  // namespace trine::inline TRINE_ABI
