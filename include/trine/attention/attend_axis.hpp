// SPDX-License-Identifier: Apache-2.0
// The heads of one axis for the rows of one sequence: remembers their keys and values and attends to what each query
// may see, tile by tile.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <optional>
#include <span>
#include <vector>

#include <trine/attention/attention.hpp>
#include <trine/attention/attention_axis.hpp>
#include <trine/attention/streamed_attention.hpp>
#include <trine/core/workspace.hpp>
#include <trine/kernels/cache_rows.hpp>
#include <trine/platform/parallel_for.hpp>

namespace trine::inline TRINE_ABI {

/// Where the heads of one axis lie in rows of queries, keys and values.
struct AxisRows {
  const AttentionAxis& axis;
  KeyValueShape shape;
  CachePages& pages;
  const SequenceRows& sequence;
  std::size_t head;     // first query head
  std::size_t kv_head;  // first key/value head
  std::size_t group;    // query heads of a key/value head
  const float* sinks;   // of these query heads, or null
  View<const float, 2> q;
  View<const float, 2> k;
  View<const float, 2> v;
  View<float, 2> z;  // is written

  [[nodiscard]] std::size_t row(std::size_t position) const {
    return sequence.first_row + position - sequence.position;
  }
  // Key or value of all heads of the axis.
  [[nodiscard]] std::span<const float> of_axis(View<const float, 2> x, std::size_t position) const {
    return x.row(row(position)).subspan(kv_head * shape.head_dim, shape.heads * shape.head_dim);
  }
};

namespace detail {

inline constexpr std::size_t kWorthThreads = 4096;  // pairs of query and key from which threads pay
inline constexpr std::size_t kFewRows = 16;         // for which widening in registers is cheaper

// Scratch of one thread.
struct AxisScratch {
  AxisScratch(Workspace& workspace, std::size_t rows, std::size_t head_dim, CacheType type)
      : q(workspace.take_matrix<float>(rows, head_dim)),
        z(workspace.take_matrix<float>(rows, head_dim)),
        scores(workspace.take<float>(kQueryTile * kKeyPiece)),
        softmax(workspace.take<kernels::StreamingSoftmax>(rows)),
        parts(workspace.take<KeyPart<float>>(kKeyPiece)),
        bf16_parts(workspace.take<KeyPart<bfloat16>>(type == CacheType::bf16 ? kKeyPiece : 0)),
        loaded(workspace.take<float>(type == CacheType::f32 ? 0 : 2 * head_dim * kKeyPiece)) {}
  View<float, 2> q;
  View<float, 2> z;
  std::span<float> scores;
  std::span<kernels::StreamingSoftmax> softmax;
  std::span<KeyPart<float>> parts;
  std::span<KeyPart<bfloat16>> bf16_parts;
  std::span<float> loaded;  // keys [head_dim][kKeyPiece], values [kKeyPiece][head_dim]
};

template <class T>
[[nodiscard]] KeyBlock<T> block_of(const AxisRows& rows, const QueryTile& tile, std::size_t j, std::size_t index,
                                   std::size_t end, std::span<KeyPart<T>> parts) {
  std::size_t count = 0;
  for (std::size_t at = index; at < end; ++count) {
    const KeyRun run = rows.axis.run(tile, at, end);
    const KeyRows stored = key_rows(rows.shape, rows.pages, j, run.place);
    parts[count] = {reinterpret_cast<const T*>(stored.keys),   rows.shape.block_rows, true,
                    reinterpret_cast<const T*>(stored.values), rows.shape.head_dim,   run.count};
    at += run.count;
  }
  return {index, parts.first(count), rows.shape.head_dim, rows.shape.head_dim};
}

// The keys of indices [index, end). What is not f32 becomes it once for many rows, or in registers for a few.
inline void attend_piece(Isa isa, const AxisRows& rows, const QueryTile& tile, std::size_t j, std::size_t index,
                         std::size_t end, const StreamedRows& stream, AxisScratch& scratch) {
  const CacheType type = rows.shape.type;
  if (type == CacheType::f32) {
    attend_block(isa, stream, block_of(rows, tile, j, index, end, scratch.parts));
  } else if (type == CacheType::bf16 && stream.rows <= kFewRows) {
    attend_block(isa, stream, block_of(rows, tile, j, index, end, scratch.bf16_parts));
  } else {
    float* keys = scratch.loaded.data();
    float* values = keys + rows.shape.head_dim * kKeyPiece;
    for (std::size_t at = index; at < end;) {
      const KeyRun run = rows.axis.run(tile, at, end);
      const KeyRows stored = key_rows(rows.shape, rows.pages, j, run.place);
      const std::size_t block_rows = rows.shape.block_rows;
      kernels::load_cache_columns(isa, {type, stored.keys, block_rows, stored.key_scales, block_rows}, run.count,
                                  rows.shape.head_dim, keys + (at - index), kKeyPiece);
      kernels::load_cache_rows(
          isa, {type, stored.values, rows.shape.head_dim, stored.value_scales, rows.shape.groups()}, run.count,
          rows.shape.head_dim, values + (at - index) * rows.shape.head_dim, rows.shape.head_dim);
      at += run.count;
    }
    const KeyPart<float> part{keys, kKeyPiece, true, values, rows.shape.head_dim, end - index};
    attend_block(isa, stream, KeyBlock<float>{index, {&part, 1}, rows.shape.head_dim, rows.shape.head_dim});
  }
}

// Each query's own key, behind those that it shares with others.
inline void attend_itself(Isa isa, const AxisRows& rows, const QueryTile& tile, std::size_t j,
                          const StreamedRows& stream) {
  const std::size_t first = (rows.kv_head + j) * rows.shape.head_dim;
  for (std::size_t i = 0; i < tile.count; ++i) {
    const std::size_t row = rows.row(tile.position(i));
    StreamedRows own = stream;
    own.q += i * rows.group * rows.shape.head_dim;
    own.z += i * rows.group * rows.shape.head_dim;
    own.softmax += i * rows.group;
    own.rows = rows.group;
    own.sight = {.last = 1};
    const KeyPart<float> part{
        rows.k.row(row).data() + first, 1, true, rows.v.row(row).data() + first, rows.shape.head_dim, 1};
    attend_block(isa, own, KeyBlock<float>{0, {&part, 1}, rows.shape.head_dim, rows.shape.head_dim});
  }
}

// The queries of a tile and the heads that share key/value head j of the axis.
inline void attend_tile(Isa isa, const AxisRows& rows, const QueryTile& tile, std::size_t j, AxisScratch& scratch) {
  const std::size_t first_head = rows.head + j * rows.group;
  const StreamedRows stream{.q = scratch.q.data(),
                            .ldq = rows.shape.head_dim,
                            .rows = tile.count * rows.group,
                            .heads = rows.group,
                            .sight = rows.axis.sight(tile),
                            .scale = 1.0F / std::sqrt(static_cast<float>(rows.shape.head_dim)),
                            .z = scratch.z.data(),
                            .ldz = rows.shape.head_dim,
                            .softmax = scratch.softmax.data(),
                            .scores = scratch.scores.data()};
  for (std::size_t i = 0; i < tile.count; ++i)
    std::copy_n(rows.q.row(rows.row(tile.position(i))).data() + first_head * rows.shape.head_dim,
                rows.group * rows.shape.head_dim, scratch.q.data() + i * rows.group * rows.shape.head_dim);
  begin_stream(stream, rows.sinks == nullptr ? nullptr : rows.sinks + j * rows.group, rows.shape.head_dim);
  const std::size_t end = stream.sight.end(tile.count - 1);
  for (std::size_t index = stream.sight.begin(0); index < end;) {
    const std::size_t next = std::min(end, (index / kKeyPiece + 1) * kKeyPiece);
    attend_piece(isa, rows, tile, j, index, next, stream, scratch);
    index = next;
  }
  if (stream.sight.itself) attend_itself(isa, rows, tile, j, stream);
  end_stream(isa, stream, rows.shape.head_dim);
  for (std::size_t i = 0; i < tile.count; ++i)
    std::copy_n(scratch.z.data() + i * rows.group * rows.shape.head_dim, rows.group * rows.shape.head_dim,
                rows.z.row(rows.row(tile.position(i))).data() + first_head * rows.shape.head_dim);
}

}  // namespace detail

/// z_n = sum_m softmax_m(q_n . k_m / sqrt(head_dim)) v_m over the keys that the axis shows query n.
inline void attend_axis(const Execution& execution, Workspace& workspace, const AxisRows& rows) {
  const Workspace::Scope scope(workspace);
  const SequenceRows& sequence = rows.sequence;
  const std::size_t heads = rows.shape.heads;
  const std::size_t most = std::max<std::size_t>(kQueryTile / rows.group, 1);  // queries of a tile
  const std::size_t team = execution.num_workers();
  std::vector<detail::AxisScratch> scratch;
  for (std::size_t worker = 0; worker < (sequence.rows > 1 ? team : std::min(team, heads)); ++worker)
    scratch.emplace_back(workspace, std::min(most, sequence.rows) * rows.group, rows.shape.head_dim, rows.shape.type);
  std::vector<QueryTile> tiles;
  const std::size_t end = sequence.position + sequence.rows;
  for (std::size_t n = sequence.position; n < end;) {
    const std::size_t count = rows.axis.pass(n, end - n);
    for (std::size_t m = n; m < n + count; ++m)
      if (const std::optional<KeyPlace> place = rows.axis.place(m))
        store_key_value(rows.shape, rows.pages, *place, rows.of_axis(rows.k, m), rows.of_axis(rows.v, m));
    tiles.clear();
    rows.axis.tiles(n, n + count, most, tiles);
    std::size_t pairs = 0;
    for (const QueryTile& tile : tiles) {
      const Sight sight = rows.axis.sight(tile);
      pairs += tile.count * (sight.end(tile.count - 1) - sight.begin(0) + 1);
    }
    // A task is a tile and a key/value head; the last tiles, which see most, come first.
    const std::size_t threads = pairs * heads * rows.group < detail::kWorthThreads ? 1 : team;
    parallel_for(execution, threads, tiles.size() * heads, [&](std::size_t task, std::size_t worker) {
      detail::attend_tile(execution.isa, rows, tiles[tiles.size() - 1 - task / heads], task % heads, scratch[worker]);
    });
    n += count;
  }
}

}  // namespace trine::inline TRINE_ABI
