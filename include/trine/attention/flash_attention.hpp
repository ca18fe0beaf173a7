// SPDX-License-Identifier: Apache-2.0
// Flash attention of groups of heads, each with its pattern, for all sequences of a batch: stores new keys and values,
// then computes each tile of queries over its visible keys. The tiles of all sequences and head groups are one list of
// tasks.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include <trine/attention/attention_block.hpp>
#include <trine/attention/attention_pattern.hpp>
#include <trine/attention/best_scores.hpp>
#include <trine/attention/frame_bounds.hpp>
#include <trine/kernels/kv_rows.hpp>
#include <trine/nn/forward_context.hpp>
#include <trine/nn/frame_observer.hpp>
#include <trine/platform/parallel_rows.hpp>

namespace trine::inline TRINE_ABI {

/// Elements of a head.
struct HeadWidths {
  std::size_t key = 0;    // of a query or key
  std::size_t value = 0;  // of a value
};

/// Heads with the same attention pattern.
struct HeadGroup {
  std::unique_ptr<const AttentionPattern> pattern;
  std::size_t num_heads = 0;     // query heads
  std::size_t num_kv_heads = 0;  // divides num_heads

  [[nodiscard]] std::size_t group() const noexcept { return num_heads / num_kv_heads; }
  /// Maximum number of queries per tile.
  [[nodiscard]] std::size_t tile_rows() const noexcept { return std::max<std::size_t>(kQueryTile / group(), 1); }
  [[nodiscard]] KvPageLayout page_layout(const HeadWidths& widths, KvCacheDtype type) const {
    KvPageLayout layout = pattern->page_layout();
    layout.heads = num_kv_heads;
    layout.head_dim = widths.key;
    layout.value_dim = widths.value;
    layout.type = type;
    return layout;
  }
  /// Where the bounds of frames' keys lie, if its queries choose frames.
  [[nodiscard]] FrameBoundsLayout bounds_layout(const HeadWidths& widths) const { return {num_kv_heads, widths.key}; }
};

namespace detail {

// One pass of flash_attention.
class FlashAttention {
 public:
  FlashAttention(const ForwardContext& context, std::span<const HeadGroup> head_groups, const HeadWidths& widths,
                 float scale, const float* sinks, View<const float, 2> q, View<const float, 2> k,
                 View<const float, 2> v, View<float, 2> z)
      : context_(context),
        scope_(context.workspace),
        isa_(context.execution.isa),
        head_groups_(head_groups),
        widths_(widths),
        scale_(scale),
        sinks_(sinks),
        q_(q),
        k_(k),
        v_(v),
        z_(z) {}

  // Some patterns must attend before they store more rows, because storing overwrites keys. A step computes one segment
  // of each sequence and head group that has rows left.
  void run() {
    Workspace& workspace = context_.workspace;
    const std::span<const SequenceSlice> sequences = context_.batch.sequences;
    const std::size_t most = sequences.size() * head_groups_.size();
    const std::span<std::size_t> done = workspace.take<std::size_t>(most);  // end of the computed positions
    for (std::size_t i = 0; i < most; ++i) done[i] = sequences[i / head_groups_.size()].position;
    const std::span<Segment> segments = workspace.take<Segment>(most);
    for (;;) {
      std::size_t count = 0;
      std::size_t rows = 0;
      for (std::size_t s = 0; s < sequences.size(); ++s) {
        LayerState& state = context_.state_of(sequences[s]);
        std::size_t head = 0;
        std::size_t kv_head = 0;
        std::size_t bounds = head_groups_.size();  // table of the next group that chooses frames
        for (std::size_t a = 0; a < head_groups_.size(); ++a) {
          PageTable* own_bounds = head_groups_[a].pattern->choice() ? &state.tables[bounds++] : nullptr;
          std::size_t& begin = done[s * head_groups_.size() + a];
          const std::size_t left = sequences[s].position + sequences[s].rows - begin;
          if (left > 0) {
            const std::size_t now = head_groups_[a].pattern->max_append(begin, left);
            segments[count++] = {&sequences[s],
                                 &head_groups_[a],
                                 &state.tables[a],
                                 own_bounds,
                                 head_groups_[a].page_layout(widths_, state.type),
                                 head,
                                 kv_head,
                                 begin,
                                 begin + now,
                                 rows};
            begin += now;
            rows += now;
          }
          head += head_groups_[a].num_heads;
          kv_head += head_groups_[a].num_kv_heads;
        }
      }
      if (count == 0) return;
      const Workspace::Scope scope(workspace);
      store(segments.first(count), rows);
      record_choices(segments.first(count));
      attend(segments.first(count), rows);
      report_choices(segments.first(count));
    }
  }

 private:
  static constexpr std::size_t kWorthThreads = 4096;  // pairs of query and key that justify threads
  static constexpr std::size_t kSmallBatch = 16;      // up to which converting in registers is cheaper

  // Positions [begin, end) of a sequence along a head group's pattern: all of them are stored before one of them
  // attends.
  struct Segment {
    const SequenceSlice* sequence;
    const HeadGroup* heads;
    PageTable* pages;
    PageTable* bounds;  // of frames; null unless queries choose some
    KvPageLayout shape;
    std::size_t head;     // first query head
    std::size_t kv_head;  // first key/value head
    std::size_t begin;
    std::size_t end;
    std::size_t rows_before;               // rows of the segments before it
    View<std::uint32_t, 2> recorded = {};  // [key/value heads * rows, top_k] frames that were chosen, if somebody asks

    [[nodiscard]] std::size_t row(std::size_t position) const noexcept {
      return sequence->first_row + position - sequence->position;
    }
  };

  // The queries of a tile for one key/value head.
  struct Task {
    const Segment* segment;
    std::size_t kv_head;  // of the segment's
    QueryTile tile;
    std::size_t pairs;  // of query and key: its cost
  };

  // Scratch memory of one thread.
  struct Scratch {
    View<float, 2> q;
    View<float, 2> z;
    std::span<float> scores;
    std::span<kernels::OnlineSoftmax> softmax;
    std::span<KeyValues<float>> parts;
    std::span<KeyValues<bfloat16>> bf16_parts;
    std::span<float> loaded;          // keys [key width][kKeyBlock], values [kKeyBlock][value width]
    std::span<float> affinity;        // [queries, frames], and parts of queries [queries, 2 key width]
    std::span<std::uint64_t> ranks;   // [frames]
    std::span<std::uint32_t> chosen;  // [queries, top_k]
    std::span<std::uint32_t> next;    // [queries] the first chosen frame that is not done
    View<float, 2> chosen_q;          // of the queries that chose a frame
    View<float, 2> chosen_z;
    std::span<kernels::OnlineSoftmax> chosen_softmax;
  };

  void store(std::span<const Segment> segments, std::size_t rows) {
    for (const Segment& segment : segments) {  // pages are allocated in this thread, rows are written by all
      std::size_t last = static_cast<std::size_t>(-1);
      for (std::size_t n = segment.begin; n < segment.end; ++n) {
        const std::optional<CacheSlot> slot = segment.heads->pattern->slot(n);
        if (!slot || slot->page == last) continue;
        static_cast<void>(segment.pages->write(slot->page));
        last = slot->page;
      }
    }
    parallel_rows(context_.execution, rows, k_.extent(1) + v_.extent(1), [&](std::size_t r) {
      const auto after = std::ranges::upper_bound(segments, r, {}, &Segment::rows_before);
      const Segment& segment = *(after - 1);
      const std::size_t n = segment.begin + r - segment.rows_before;
      if (const std::optional<CacheSlot> slot = segment.heads->pattern->slot(n))
        store_kv(segment.shape, *segment.pages, *slot, of_segment(segment, k_, n, widths_.key),
                 of_segment(segment, v_, n, widths_.value));
    });
    for (const Segment& segment : segments)
      if (segment.bounds != nullptr) store_bounds(segment);
  }

  // Of the frames that the segment completes.
  void store_bounds(const Segment& segment) {
    const std::size_t frame_size = segment.heads->pattern->choice()->frame_size;
    const std::size_t first = segment.begin / frame_size;
    const std::size_t frames = segment.end / frame_size - first;
    const FrameBoundsLayout layout = segment.heads->bounds_layout(widths_);
    for (std::size_t f = first; f < first + frames; ++f)  // pages are allocated in this thread
      static_cast<void>(segment.bounds->write(f / FrameBoundsLayout::kPageFrames));
    const Workspace::Scope scope(context_.workspace);
    const std::size_t tasks = frames * layout.heads;
    const std::size_t threads =
        tasks * frame_size * layout.width < kWorthThreads * 64 ? 1 : context_.execution.num_workers();
    const std::size_t room = segment.shape.type == KvCacheDtype::f32 ? 0 : layout.width * segment.shape.block_rows;
    const View<float, 2> keys = context_.workspace.take_matrix<float>(threads, room);
    parallel_for(context_.execution, threads, tasks, [&](std::size_t task, std::size_t worker) {
      store_frame_bounds(isa_, layout, *segment.bounds, task % layout.heads, first + task / layout.heads,
                         *segment.heads->pattern, frame_size, segment.shape, *segment.pages, keys.row(worker));
    });
  }

  // Key or value of all heads of the segment's head group.
  [[nodiscard]] static std::span<const float> of_segment(const Segment& segment, View<const float, 2> x,
                                                         std::size_t position, std::size_t width) noexcept {
    return x.row(segment.row(position)).subspan(segment.kv_head * width, segment.heads->num_kv_heads * width);
  }

  void record_choices(std::span<Segment> segments) {
    for (Segment& segment : segments) {
      FrameObserver* observer = segment.sequence->frame_observer;
      if (segment.bounds == nullptr || observer == nullptr || !observer->wants_frames()) continue;
      segment.recorded = context_.workspace.take_matrix<std::uint32_t>(
          segment.heads->num_kv_heads * (segment.end - segment.begin), segment.heads->pattern->choice()->top_k);
      std::ranges::fill(segment.recorded.span(), FrameRoutingEvent::kNone);
    }
  }
  void report_choices(std::span<const Segment> segments) const {
    for (const Segment& segment : segments) {
      if (segment.recorded.extent(0) == 0) continue;
      const std::size_t rows = segment.end - segment.begin;
      for (std::size_t j = 0; j < segment.heads->num_kv_heads; ++j)
        segment.sequence->frame_observer->on_frames({context_.layer, segment.kv_head + j, segment.sequence->sequence,
                                                     segment.begin, segment.recorded.slice(j * rows, rows)});
    }
  }

  void attend(std::span<const Segment> segments, std::size_t rows) {
    Workspace& workspace = context_.workspace;
    const std::span<QueryTile> tiles = workspace.take<QueryTile>(rows);
    std::size_t kv_heads = 0;
    for (const Segment& segment : segments) kv_heads = std::max(kv_heads, segment.heads->num_kv_heads);
    const std::span<Task> tasks = workspace.take<Task>(rows * kv_heads);
    std::size_t count = 0;
    std::size_t work = 0;
    std::size_t tile_rows = 0;  // queries and heads of the largest task
    bool is_f32 = true;
    ChoiceRoom room;
    for (const Segment& segment : segments) {
      const HeadGroup& heads = *segment.heads;
      const std::size_t cut = heads.pattern->tiles(segment.begin, segment.end, heads.tile_rows(), tiles);
      is_f32 = is_f32 && segment.shape.type == KvCacheDtype::f32;
      for (const QueryTile& tile : tiles.first(cut)) {
        const VisibleRange visible = heads.pattern->visible(tile);
        std::size_t keys = visible.end(tile.count - 1) - visible.begin(0) + 1;
        if (const std::optional<FrameChoice> choice = heads.pattern->choice()) {
          const std::size_t frames = keys / choice->frame_size;
          room.grow(tile.count, frames, choice->top_k, widths_.key, tile.count * heads.group());
          keys = std::min(keys, choice->top_k * choice->frame_size + frames);
        }
        const std::size_t pairs = tile.count * keys * heads.group();
        tile_rows = std::max(tile_rows, tile.count * heads.group());
        for (std::size_t j = 0; j < heads.num_kv_heads; ++j) tasks[count++] = {&segment, j, tile, pairs};
        work += pairs * heads.num_kv_heads;
      }
    }
    // Long tasks first, so that threads finish at about the same time.
    std::ranges::sort(tasks.first(count), std::ranges::greater(), &Task::pairs);
    const std::size_t workers = std::min(context_.execution.num_workers(), count);
    const std::size_t threads = work < kWorthThreads ? 1 : workers;
    const std::span<Scratch> scratch = workspace.take<Scratch>(workers);  // so that memory grows before they are used
    for (Scratch& one : scratch) one = make_scratch(tile_rows, is_f32, room);
    parallel_for(context_.execution, threads, count,
                 [&](std::size_t task, std::size_t worker) { attend_tile(tasks[task], scratch[worker]); });
  }

  // What the largest task that chooses frames needs.
  struct ChoiceRoom {
    std::size_t affinity = 0;
    std::size_t frames = 0;
    std::size_t chosen = 0;
    std::size_t queries = 0;
    std::size_t rows = 0;

    void grow(std::size_t count, std::size_t of_frames, std::size_t top_k, std::size_t width, std::size_t of_rows) {
      affinity = std::max(affinity, count * (of_frames + 2 * width));
      frames = std::max(frames, of_frames);
      chosen = std::max(chosen, count * std::min(top_k, of_frames));
      queries = std::max(queries, count);
      rows = std::max(rows, of_rows);
    }
  };

  [[nodiscard]] Scratch make_scratch(std::size_t rows, bool is_f32, const ChoiceRoom& room) {
    Workspace& workspace = context_.workspace;
    return {workspace.take_matrix<float>(rows, widths_.key),
            workspace.take_matrix<float>(rows, widths_.value),
            workspace.take<float>(kQueryTile * kKeyBlock),
            workspace.take<kernels::OnlineSoftmax>(rows),
            workspace.take<KeyValues<float>>(kKeyBlock),
            workspace.take<KeyValues<bfloat16>>(is_f32 ? 0 : kKeyBlock),
            workspace.take<float>(is_f32 ? 0 : (widths_.key + widths_.value) * kKeyBlock),
            workspace.take<float>(room.affinity),
            workspace.take<std::uint64_t>(room.frames),
            workspace.take<std::uint32_t>(room.chosen),
            workspace.take<std::uint32_t>(room.queries),
            workspace.take_matrix<float>(room.rows, widths_.key),
            workspace.take_matrix<float>(room.rows, widths_.value),
            workspace.take<kernels::OnlineSoftmax>(room.rows)};
  }

  void attend_tile(const Task& task, Scratch& scratch) const {
    const Segment& segment = *task.segment;
    const QueryTile& tile = task.tile;
    const std::size_t group = segment.heads->group();
    const std::size_t first_head = segment.head + task.kv_head * group;
    const AttentionInputs queries{.key_width = widths_.key,
                                  .value_width = widths_.value,
                                  .q = scratch.q.data(),
                                  .ldq = widths_.key,
                                  .rows = tile.count * group,
                                  .heads = group,
                                  .visible = segment.heads->pattern->visible(tile),
                                  .scale = scale_,
                                  .z = scratch.z.data(),
                                  .ldz = widths_.value,
                                  .softmax = scratch.softmax.data(),
                                  .scores = scratch.scores.data()};
    for (std::size_t i = 0; i < tile.count; ++i)
      std::copy_n(q_.row(segment.row(tile.position(i))).data() + first_head * widths_.key, group * widths_.key,
                  scratch.q.data() + i * group * widths_.key);
    init_attention(queries, sinks_ == nullptr ? nullptr : sinks_ + first_head);
    if (segment.bounds != nullptr) {
      attend_to_chosen_frames(task, queries, scratch);
    } else {
      attend_to_range(task, queries.visible.begin(0), queries.visible.end(tile.count - 1), queries, scratch);
    }
    if (queries.visible.attends_self) attend_to_self(task, queries);
    finalize_attention(isa_, queries);
    for (std::size_t i = 0; i < tile.count; ++i)
      std::copy_n(scratch.z.data() + i * group * widths_.value, group * widths_.value,
                  z_.row(segment.row(tile.position(i))).data() + first_head * widths_.value);
  }

  void attend_to_range(const Task& task, std::size_t index, std::size_t end, const AttentionInputs& queries,
                       Scratch& scratch) const {
    while (index < end) {
      const std::size_t next = std::min(end, (index / kKeyBlock + 1) * kKeyBlock);
      attend_to_block(task, index, next, queries, scratch);
      index = next;
    }
  }

  // Each query chooses, for all heads of its group; then frame after frame, ascending, those that chose it attend to
  // it.
  void attend_to_chosen_frames(const Task& task, const AttentionInputs& queries, Scratch& scratch) const {
    const FrameChoice choice = *task.segment->heads->pattern->choice();
    const std::size_t frames = queries.visible.last / choice.frame_size;
    const std::size_t width = std::min(choice.top_k, frames);
    const std::size_t count = task.tile.count;
    if (width == 0) return;
    choose_frames(task, queries, frames, width, scratch);
    if (task.segment->recorded.extent(0) != 0) {
      const std::size_t rows = task.segment->end - task.segment->begin;
      for (std::size_t i = 0; i < count; ++i)
        std::ranges::copy(
            scratch.chosen.subspan(i * width, width),
            task.segment->recorded.row(task.kv_head * rows + task.tile.position(i) - task.segment->begin).begin());
    }
    const std::span<std::uint32_t> next = scratch.next.first(count);
    std::ranges::fill(next, 0U);
    const auto frame_of = [&](std::size_t i) {
      return next[i] == width ? frames : std::size_t{scratch.chosen[i * width + next[i]]};
    };
    for (;;) {
      std::size_t frame = frames;
      for (std::size_t i = 0; i < count; ++i) frame = std::min(frame, frame_of(i));
      if (frame == frames) return;
      AttentionInputs chosen = queries;
      chosen.q = scratch.chosen_q.data();
      chosen.z = scratch.chosen_z.data();
      chosen.softmax = scratch.chosen_softmax.data();
      chosen.visible = {.first = frame * choice.frame_size, .last = (frame + 1) * choice.frame_size};
      const auto for_rows = [&](const auto& use) {  // of the tile, and of those that chose the frame
        std::size_t to = 0;
        for (std::size_t i = 0; i < count; ++i) {
          if (frame_of(i) != frame) continue;
          for (std::size_t h = 0; h < queries.heads; ++h) use(i * queries.heads + h, to++);
        }
        return to;
      };
      chosen.rows = for_rows([&](std::size_t from, std::size_t to) {
        std::copy_n(scratch.q.data() + from * widths_.key, widths_.key, scratch.chosen_q.data() + to * widths_.key);
        std::copy_n(scratch.z.data() + from * widths_.value, widths_.value,
                    scratch.chosen_z.data() + to * widths_.value);
        scratch.chosen_softmax[to] = scratch.softmax[from];
      });
      attend_to_range(task, chosen.visible.first, chosen.visible.last, chosen, scratch);
      for_rows([&](std::size_t from, std::size_t to) {
        std::copy_n(scratch.chosen_z.data() + to * widths_.value, widths_.value,
                    scratch.z.data() + from * widths_.value);
        scratch.softmax[from] = scratch.chosen_softmax[to];
      });
      for (std::size_t i = 0; i < count; ++i)
        if (frame_of(i) == frame) ++next[i];
    }
  }

  // chosen[i, :]: the frames with the largest affinity, ascending: the sum over the heads of the group of a bound of
  // q_h . k.
  void choose_frames(const Task& task, const AttentionInputs& queries, std::size_t frames, std::size_t width,
                     Scratch& scratch) const {
    const std::size_t count = task.tile.count;
    if (width == frames) {
      for (std::size_t i = 0; i < count * width; ++i) scratch.chosen[i] = static_cast<std::uint32_t>(i % width);
      return;
    }
    float* parts = scratch.affinity.data();  // sums over the heads of the group
    float* affinity = parts + count * 2 * widths_.key;
    std::fill_n(parts, count * 2 * widths_.key, 0.0F);
    for (std::size_t i = 0; i < count; ++i) {
      float* positive = parts + i * 2 * widths_.key;
      float* negative = positive + widths_.key;
      for (std::size_t h = 0; h < queries.heads; ++h) {
        const float* q = queries.q + (i * queries.heads + h) * queries.ldq;
        for (std::size_t j = 0; j < widths_.key; ++j) (q[j] > 0.0F ? positive : negative)[j] += q[j];
      }
    }
    frame_affinities(isa_, task.segment->heads->bounds_layout(widths_), *task.segment->bounds, task.kv_head, parts,
                     count, frames, affinity);
    for (std::size_t i = 0; i < count; ++i)
      select_best_scores({affinity + i * frames, frames}, 0, scratch.ranks, scratch.chosen.subspan(i * width, width));
  }

  // The keys of indices [index, end). Other types than f32 are converted once for many rows, or in registers for a few.
  void attend_to_block(const Task& task, std::size_t index, std::size_t end, const AttentionInputs& queries,
                       Scratch& scratch) const {
    const KvPageLayout& shape = task.segment->shape;
    if (shape.type == KvCacheDtype::f32) {
      attention_block(isa_, queries, index, stored_keys(task, index, end, scratch.parts));
    } else if (shape.type == KvCacheDtype::bf16 && queries.rows <= kSmallBatch) {
      attention_block(isa_, queries, index, stored_keys(task, index, end, scratch.bf16_parts));
    } else {
      float* keys = scratch.loaded.data();
      float* values = keys + widths_.key * kKeyBlock;
      for (std::size_t at = index; at < end;) {
        const KvSegment stored_at = task.segment->heads->pattern->segment(task.tile, at, end);
        const KvRows stored = kv_rows(shape, *task.segment->pages, task.kv_head, stored_at.slot);
        kernels::load_kv_columns(isa_, {shape.type, stored.keys, shape.block_rows, stored.key_scales, shape.block_rows},
                                 stored_at.count, widths_.key, keys + (at - index), kKeyBlock);
        kernels::load_kv_rows(isa_,
                              {shape.type, stored.values, widths_.value, stored.value_scales, shape.value_groups()},
                              stored_at.count, widths_.value, values + (at - index) * widths_.value, widths_.value);
        at += stored_at.count;
      }
      const KeyValues<float> part{keys, kKeyBlock, true, values, widths_.value, end - index};
      attention_block<float>(isa_, queries, index, {&part, 1});
    }
  }

  template <class T>
  [[nodiscard]] std::span<const KeyValues<T>> stored_keys(const Task& task, std::size_t index, std::size_t end,
                                                          std::span<KeyValues<T>> parts) const {
    const KvPageLayout& shape = task.segment->shape;
    std::size_t count = 0;
    for (std::size_t at = index; at < end; ++count) {
      const KvSegment stored_at = task.segment->heads->pattern->segment(task.tile, at, end);
      const KvRows stored = kv_rows(shape, *task.segment->pages, task.kv_head, stored_at.slot);
      parts[count] = {reinterpret_cast<const T*>(stored.keys),   shape.block_rows, true,
                      reinterpret_cast<const T*>(stored.values), widths_.value,    stored_at.count};
      at += stored_at.count;
    }
    return parts.first(count);
  }

  // Each query's own key, after those shared by the tile.
  void attend_to_self(const Task& task, const AttentionInputs& queries) const {
    const std::size_t group = queries.heads;
    const std::size_t head = task.segment->kv_head + task.kv_head;
    for (std::size_t i = 0; i < task.tile.count; ++i) {
      const std::size_t row = task.segment->row(task.tile.position(i));
      AttentionInputs own = queries;
      own.q += i * group * widths_.key;
      own.z += i * group * widths_.value;
      own.softmax += i * group;
      own.rows = group;
      own.visible = {.last = 1};
      const KeyValues<float> part{k_.row(row).data() + head * widths_.key,
                                  1,
                                  true,
                                  v_.row(row).data() + head * widths_.value,
                                  widths_.value,
                                  1};
      attention_block<float>(isa_, own, 0, {&part, 1});
    }
  }

  const ForwardContext& context_;
  Workspace::Scope scope_;
  Isa isa_;
  std::span<const HeadGroup> head_groups_;
  HeadWidths widths_;
  float scale_;
  const float* sinks_;
  View<const float, 2> q_;
  View<const float, 2> k_;
  View<const float, 2> v_;
  View<float, 2> z_;
};

}  // namespace detail

/// Stores the new keys and values and attends, for all rows of the batch, head group after head group:
///   z_n = sum_m softmax_m(scale q_n . k_m) v_m      over the visible keys m of query n
/// head_groups[g] has its keys and values in table g of the layer's state.   q: [rows, heads * widths.key]   k: [rows,
/// kv_heads * widths.key]   v: [rows, kv_heads * widths.value]   z: [rows, heads * widths.value], output   sinks:
/// [heads] or null
inline void flash_attention(const ForwardContext& context, std::span<const HeadGroup> head_groups,
                            const HeadWidths& widths, float scale, const float* sinks, View<const float, 2> q,
                            View<const float, 2> k, View<const float, 2> v, View<float, 2> z) {
  detail::FlashAttention(context, head_groups, widths, scale, sinks, q, k, v, z).run();
}

}  // namespace trine::inline TRINE_ABI
