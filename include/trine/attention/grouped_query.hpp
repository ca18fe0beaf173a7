// SPDX-License-Identifier: Apache-2.0
// Grouped-query attention over one or more axes that share their projections.
// Ainslie et al., "GQA", 2023, arXiv:2305.13245; Vaswani et al., "Attention Is All You Need", 2017, arXiv:1706.03762.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include <trine/attention/attention.hpp>
#include <trine/attention/attention_axis.hpp>
#include <trine/attention/streamed_attention.hpp>
#include <trine/kernels/cache_rows.hpp>
#include <trine/nn/linear.hpp>
#include <trine/nn/rms_norm.hpp>
#include <trine/nn/rotary.hpp>

namespace trine::inline TRINE_ABI {

/// The heads that attend along one axis.
struct AxisHeads {
  std::unique_ptr<const AttentionAxis> axis;
  std::size_t num_heads = 0;     // query heads
  std::size_t num_kv_heads = 0;  // divides num_heads
};

/// What published models add to grouped-query attention. In this order: bias, norm, clip, rotation.
struct GroupedQueryOptions {
  enum class Norm : std::uint8_t {
    none,
    per_head,     // RMSNorm over head_dim, one gain for all heads: Qwen3
    whole_vector  // RMSNorm over all heads together: OLMoE
  };
  Linear::Bias qkv_bias = Linear::Bias::no;
  Linear::Bias o_bias = Linear::Bias::no;
  Norm qk_norm = Norm::none;
  float norm_epsilon = 1e-6F;
  std::optional<float> clip_qkv = std::nullopt;  // q, k and v to [-clip, clip]
  bool sinks = false;  // a learned logit a head takes part in the softmax and is dropped: gpt-oss
};

/// q, k, v = x W_q, x W_k, x W_v, heads of all axes one after the other; q and k rotated by the axis' position. For
/// query n and a head of an axis, over the keys m that the axis allows:
///   z = sum_m softmax_m(q_n . k_m / sqrt(head_dim)) v_m            y = [z of all heads] W_o
/// With a sink s of the head, softmax_m runs over all m and s (Xiao et al. 2023, arXiv:2309.17453).
/// Softmax in f32, in pieces that end at multiples of kKeyPiece along the axis. The keys of a query are visited in
/// ascending position, so its bits depend neither on the batch nor on threads.
class GroupedQueryAttention : public Attention {
 public:
  /// Reads "q_proj.weight" [heads * head_dim, hidden], "k_proj.weight", "v_proj.weight" [kv_heads * head_dim, hidden]
  /// and "o_proj.weight" [hidden, heads * head_dim]; where `options` ask for them also their biases,
  /// "{q,k}_norm.weight" [head_dim] or [heads * head_dim], and "sinks" [heads]. Throws WeightError.
  GroupedQueryAttention(const WeightScope& scope, std::size_t hidden, std::size_t head_dim, std::vector<AxisHeads> axes,
                        std::shared_ptr<const Rotary> rotary, const GroupedQueryOptions& options = {})
      : head_dim_(head_dim),
        axes_(std::move(axes)),
        q_(scope / "q_proj", hidden, count_heads(&AxisHeads::num_heads) * head_dim, options.qkv_bias),
        k_(scope / "k_proj", hidden, count_heads(&AxisHeads::num_kv_heads) * head_dim, options.qkv_bias),
        v_(scope / "v_proj", hidden, count_heads(&AxisHeads::num_kv_heads) * head_dim, options.qkv_bias),
        o_(scope / "o_proj", count_heads(&AxisHeads::num_heads) * head_dim, hidden, options.o_bias),
        clip_qkv_(options.clip_qkv),
        rotary_(std::move(rotary)) {
    if (options.qk_norm != GroupedQueryOptions::Norm::none) {
      const bool whole = options.qk_norm == GroupedQueryOptions::Norm::whole_vector;
      q_norm_.emplace(scope / "q_norm", whole ? q_.out() : head_dim, options.norm_epsilon);
      k_norm_.emplace(scope / "k_norm", whole ? k_.out() : head_dim, options.norm_epsilon);
    }
    if (options.sinks) sinks_ = scope.read_f32("sinks", q_.out() / head_dim);
  }

  [[nodiscard]] AttentionCache make_cache(CacheType type = CacheType::f32) const override {
    AttentionCache cache{type, {}};
    for (const AxisHeads& heads : axes_) cache.tables.emplace_back(shape_of(heads, type).page_bytes());
    return cache;
  }

  [[nodiscard]] std::vector<std::size_t> cache_pages(std::size_t tokens) const override {
    std::vector<std::size_t> pages;
    for (const AxisHeads& heads : axes_) pages.push_back(heads.axis->pages(tokens));
    return pages;
  }

  [[nodiscard]] bool truncate(AttentionCache& cache, std::size_t tokens, std::size_t to) const override {
    for (const AxisHeads& heads : axes_)
      if (!heads.axis->can_go_back(tokens, to)) return false;
    for (std::size_t a = 0; a < axes_.size(); ++a) cache.tables[a].truncate(axes_[a].axis->pages(to));
    return true;
  }

  [[nodiscard]] std::size_t parameters() const override {
    return q_.parameters() + k_.parameters() + v_.parameters() + o_.parameters() +
           (q_norm_ ? q_norm_->parameters() + k_norm_->parameters() : 0) + (sinks_ ? sinks_->size() : 0);
  }

  void forward(const Execution& execution, Workspace& workspace, View<const float, 2> x,
               std::span<const SequenceRows> sequences, View<float, 2> y) const override {
    const Workspace::Scope scope(workspace);
    const std::size_t rows = x.extent(0);
    const View<float, 2> q = workspace.take_matrix<float>(rows, q_.out());
    const View<float, 2> k = workspace.take_matrix<float>(rows, k_.out());
    const View<float, 2> v = workspace.take_matrix<float>(rows, v_.out());
    const View<float, 2> z = workspace.take_matrix<float>(rows, q_.out());
    project(execution, workspace, x, q, k, v);
    if (q_norm_) {
      norm_parts(execution, *q_norm_, q);
      norm_parts(execution, *k_norm_, k);
    }
    if (clip_qkv_) {
      for (const View<float, 2>& rows_of : {q, k, v})
        for (float& value : rows_of.span()) value = std::clamp(value, -*clip_qkv_, *clip_qkv_);
    }
    for (const SequenceRows& sequence : sequences) {
      rotate(execution, sequence, q, k);
      std::size_t head = 0;
      std::size_t kv_head = 0;
      for (std::size_t a = 0; a < axes_.size(); ++a) {
        attend(execution, workspace, a, sequence, head, kv_head, q, k, v, z);
        head += axes_[a].num_heads;
        kv_head += axes_[a].num_kv_heads;
      }
    }
    o_.forward(execution, workspace, z, y);
  }

 private:
  void project(const Execution& execution, Workspace& workspace, View<const float, 2> x, View<float, 2> q,
               View<float, 2> k, View<float, 2> v) const {
    const Workspace::Scope scope(workspace);
    const kernels::ActivationRows rows =
        kernels::prepare(execution, workspace, x, {&q_.weight(), &k_.weight(), &v_.weight()});
    q_.forward(execution, rows, q);
    k_.forward(execution, rows, k);
    v_.forward(execution, rows, v);
  }

  [[nodiscard]] KeyValueShape shape_of(const AxisHeads& heads, CacheType type) const {
    KeyValueShape shape = heads.axis->page_shape();
    shape.heads = heads.num_kv_heads;
    shape.head_dim = head_dim_;
    shape.type = type;
    return shape;
  }

  [[nodiscard]] std::size_t count_heads(std::size_t AxisHeads::*which) const {
    std::size_t count = 0;
    for (const AxisHeads& heads : axes_) count += heads.*which;
    return count;
  }

  // The norm runs over as many elements as it has gains: a head, or the whole row.
  static void norm_parts(const Execution& execution, const RmsNorm& norm, View<float, 2> x) {
    const std::size_t parts = x.extent(1) / norm.parameters();
    const View<float, 2> split(x.data(), {x.extent(0) * parts, norm.parameters()});
    norm.forward(execution, split, split);
  }

  void rotate(const Execution& execution, const SequenceRows& sequence, View<float, 2> q, View<float, 2> k) const {
    constexpr std::size_t kRowsPerTask = 16;
    parallel_for(execution.threads, (sequence.rows + kRowsPerTask - 1) / kRowsPerTask, [&](std::size_t task) {
      const std::size_t end = std::min(sequence.rows, (task + 1) * kRowsPerTask);
      for (std::size_t r = task * kRowsPerTask; r < end; ++r) {
        std::span<float> query = q.row(sequence.first_row + r);
        std::span<float> key = k.row(sequence.first_row + r);
        for (const AxisHeads& heads : axes_) {
          const std::size_t position = heads.axis->rotary_position(sequence.position + r);
          rotary_->rotate(position, query.first(heads.num_heads * head_dim_));
          rotary_->rotate(position, key.first(heads.num_kv_heads * head_dim_));
          query = query.subspan(heads.num_heads * head_dim_);
          key = key.subspan(heads.num_kv_heads * head_dim_);
        }
      }
    });
  }

  // Where the heads of one axis lie in rows of queries and of keys and values.
  struct AxisRows {
    const AttentionAxis& axis;
    const KeyValueShape& shape;
    const CachePages& pages;
    const SequenceRows& sequence;
    std::size_t head;     // first query head
    std::size_t kv_head;  // first key/value head
    std::size_t group;    // query heads of a key/value head
    View<const float, 2> q;
    View<const float, 2> k;
    View<const float, 2> v;
    View<float, 2> z;

    [[nodiscard]] std::size_t row(std::size_t position) const {
      return sequence.first_row + position - sequence.position;
    }
  };

  // Scratch of one thread.
  struct Scratch {
    Scratch(Workspace& workspace, std::size_t rows, std::size_t head_dim, CacheType type)
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

  // The heads of axis a, from `head` and `kv_head` on, for the rows of one sequence.
  void attend(const Execution& execution, Workspace& workspace, std::size_t a, const SequenceRows& sequence,
              std::size_t head, std::size_t kv_head, View<const float, 2> q, View<const float, 2> k,
              View<const float, 2> v, View<float, 2> z) const {
    const Workspace::Scope scope(workspace);
    const AttentionAxis& axis = *axes_[a].axis;
    const KeyValueShape shape = shape_of(axes_[a], sequence.cache->type);
    CachePages& pages = sequence.cache->tables[a];
    const std::size_t group = axes_[a].num_heads / axes_[a].num_kv_heads;
    const std::size_t most = std::max<std::size_t>(kQueryTile / group, 1);  // queries of a tile
    const AxisRows rows{axis, shape, pages, sequence, head, kv_head, group, q, k, v, z};
    const std::size_t team = std::clamp<std::size_t>(execution.threads, 1, most_threads());
    std::vector<Scratch> scratch;
    for (std::size_t worker = 0; worker < (sequence.rows > 1 ? team : std::min(team, shape.heads)); ++worker)
      scratch.emplace_back(workspace, std::min(most, sequence.rows) * group, head_dim_, shape.type);
    std::vector<QueryTile> tiles;
    const std::size_t end = sequence.position + sequence.rows;
    for (std::size_t n = sequence.position; n < end;) {
      const std::size_t count = axis.pass(n, end - n);
      for (std::size_t m = n; m < n + count; ++m) {
        const std::optional<KeyPlace> place = axis.place(m);
        if (!place) continue;
        store_key_value(shape, pages, *place, k.row(rows.row(m)).subspan(kv_head * head_dim_, shape.heads * head_dim_),
                        v.row(rows.row(m)).subspan(kv_head * head_dim_, shape.heads * head_dim_));
      }
      tiles.clear();
      axis.tiles(n, n + count, most, tiles);
      std::size_t pairs = 0;
      for (const QueryTile& tile : tiles)
        pairs += tile.count * (axis.sight(tile).end(tile.count - 1) - axis.sight(tile).begin(0) + 1);
      // A task is a tile and a key/value head; the last tiles, which see most, come first.
      const std::size_t threads = pairs * axes_[a].num_heads < kWorthThreads ? 1 : scratch.size();
      parallel_for(threads, tiles.size() * shape.heads, [&](std::size_t task, std::size_t worker) {
        attend_tile(execution.isa, rows, tiles[tiles.size() - 1 - task / shape.heads], task % shape.heads,
                    scratch[worker]);
      });
      n += count;
    }
  }

  // The queries of a tile and the heads that share key/value head j of the axis.
  void attend_tile(Isa isa, const AxisRows& rows, const QueryTile& tile, std::size_t j, Scratch& scratch) const {
    const std::size_t first_head = rows.head + j * rows.group;
    const StreamedRows stream{.q = scratch.q.data(),
                              .ldq = head_dim_,
                              .rows = tile.count * rows.group,
                              .heads = rows.group,
                              .sight = rows.axis.sight(tile),
                              .scale = 1.0F / std::sqrt(static_cast<float>(head_dim_)),
                              .z = scratch.z.data(),
                              .ldz = head_dim_,
                              .softmax = scratch.softmax.data(),
                              .scores = scratch.scores.data()};
    for (std::size_t i = 0; i < tile.count; ++i)
      std::copy_n(rows.q.row(rows.row(tile.position(i))).data() + first_head * head_dim_, rows.group * head_dim_,
                  scratch.q.data() + i * rows.group * head_dim_);
    begin_stream(stream, sinks_ ? sinks_->data() + first_head : nullptr, head_dim_);
    const std::size_t end = stream.sight.end(tile.count - 1);
    for (std::size_t index = stream.sight.begin(0); index < end;) {
      const std::size_t next = std::min(end, (index / kKeyPiece + 1) * kKeyPiece);
      attend_piece(isa, rows, tile, j, index, next, stream, scratch);
      index = next;
    }
    if (stream.sight.itself) attend_itself(isa, rows, tile, j, stream);
    end_stream(isa, stream, head_dim_);
    for (std::size_t i = 0; i < tile.count; ++i)
      std::copy_n(scratch.z.data() + i * rows.group * head_dim_, rows.group * head_dim_,
                  rows.z.row(rows.row(tile.position(i))).data() + first_head * head_dim_);
  }

  // The keys of indices [index, end). What is not f32 becomes it once for many rows, or in registers for a few.
  void attend_piece(Isa isa, const AxisRows& rows, const QueryTile& tile, std::size_t j, std::size_t index,
                    std::size_t end, const StreamedRows& stream, Scratch& scratch) const {
    const CacheType type = rows.shape.type;
    if (type == CacheType::f32) {
      attend_block(isa, stream, block_of(rows, tile, j, index, end, scratch.parts));
    } else if (type == CacheType::bf16 && stream.rows <= kFewRows) {
      attend_block(isa, stream, block_of(rows, tile, j, index, end, scratch.bf16_parts));
    } else {
      float* keys = scratch.loaded.data();
      float* values = keys + head_dim_ * kKeyPiece;
      for (std::size_t at = index; at < end;) {
        const KeyRun run = rows.axis.run(tile, at, end);
        const KeyRows stored = key_rows(rows.shape, rows.pages, j, run.place);
        const std::size_t block_rows = rows.shape.block_rows;
        kernels::load_cache_columns(isa, {type, stored.keys, block_rows, stored.key_scales, block_rows}, run.count,
                                    head_dim_, keys + (at - index), kKeyPiece);
        kernels::load_cache_rows(isa, {type, stored.values, head_dim_, stored.value_scales, rows.shape.groups()},
                                 run.count, head_dim_, values + (at - index) * head_dim_, head_dim_);
        at += run.count;
      }
      const KeyPart<float> part{keys, kKeyPiece, true, values, head_dim_, end - index};
      attend_block(isa, stream, KeyBlock<float>{index, {&part, 1}, head_dim_, head_dim_});
    }
  }

  template <class T>
  [[nodiscard]] KeyBlock<T> block_of(const AxisRows& rows, const QueryTile& tile, std::size_t j, std::size_t index,
                                     std::size_t end, std::span<KeyPart<T>> parts) const {
    std::size_t count = 0;
    for (std::size_t at = index; at < end; ++count) {
      const KeyRun run = rows.axis.run(tile, at, end);
      const KeyRows stored = key_rows(rows.shape, rows.pages, j, run.place);
      parts[count] = {reinterpret_cast<const T*>(stored.keys),
                      rows.shape.block_rows,
                      true,
                      reinterpret_cast<const T*>(stored.values),
                      head_dim_,
                      run.count};
      at += run.count;
    }
    return {index, parts.first(count), head_dim_, head_dim_};
  }

  // Each query's own key, behind those that it shares with others.
  void attend_itself(Isa isa, const AxisRows& rows, const QueryTile& tile, std::size_t j,
                     const StreamedRows& stream) const {
    const std::size_t first = (rows.kv_head + j) * head_dim_;
    for (std::size_t i = 0; i < tile.count; ++i) {
      const std::size_t row = rows.row(tile.position(i));
      StreamedRows own = stream;
      own.q += i * rows.group * head_dim_;
      own.z += i * rows.group * head_dim_;
      own.softmax += i * rows.group;
      own.rows = rows.group;
      own.sight = {.last = 1};
      const KeyPart<float> part{rows.k.row(row).data() + first, 1, true, rows.v.row(row).data() + first, head_dim_, 1};
      attend_block(isa, own, KeyBlock<float>{0, {&part, 1}, head_dim_, head_dim_});
    }
  }

  static constexpr std::size_t kWorthThreads = 4096;  // query-key pairs from which threads pay
  static constexpr std::size_t kFewRows = 16;         // rows for which widening in registers is cheaper

  std::size_t head_dim_;
  std::vector<AxisHeads> axes_;
  Linear q_;
  Linear k_;
  Linear v_;
  Linear o_;
  std::optional<RmsNorm> q_norm_;  // both or none
  std::optional<RmsNorm> k_norm_;
  std::optional<Tensor<float, 1>> sinks_;  // [heads]
  std::optional<float> clip_qkv_;
  std::shared_ptr<const Rotary> rotary_;  // for heads of head_dim; its tables serve all layers
};

}  // namespace trine::inline TRINE_ABI
