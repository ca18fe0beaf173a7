// SPDX-License-Identifier: Apache-2.0
// Selects the positions that sparse attention sees: a few narrow heads score all visible ones.
// DeepSeek-AI, "DeepSeek-V3.2", 2025, arXiv:2512.02556, section 2.1.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <utility>

#include <trine/attention/best_scores.hpp>
#include <trine/attention/chunking.hpp>
#include <trine/attention/latent_rows.hpp>
#include <trine/cache/layer_state.hpp>
#include <trine/kernels/gemm.hpp>
#include <trine/nn/layer_norm.hpp>
#include <trine/nn/linear.hpp>
#include <trine/nn/rotary.hpp>
#include <trine/platform/parallel_rows.hpp>

namespace trine::inline TRINE_ABI {

/// Extents, named as in config.json.
struct IndexerOptions {
  std::size_t hidden_size = 0;     ///< width of x
  std::size_t q_lora_rank = 0;     ///< width of c
  std::size_t index_n_heads = 0;   ///< H
  std::size_t index_head_dim = 0;  ///< D
  std::size_t index_topk = 0;      ///< positions that a row attends to, at least 1
};

/// For a token x with low-rank query c, position n, and head h < H:
///   q_h = D rows of wq_b c;   k = LayerNorm(wk x)                the first elements of both rotated by n; cached: k
///   w = weights_proj x
///   score(m) = sum_h w_h max(0, q_h . k_m),  m visible
/// Row n attends to the index_topk visible positions with the largest scores, of equal scores to the lower position;
/// while no more than index_topk are visible, to all of them. The published score has the factor (D H)^-0.5, which
/// changes no order. A score depends on its row and its key alone: the selection does not depend on the batch, on how a
/// prompt is cut, or on the number of threads.
class LightningIndexer {
 public:
  /// Reads "wq_b" [H * D, q_lora_rank], "wk" [D, hidden], "k_norm" and "weights_proj" [H, hidden]. `rotary` rotates the
  /// beginning of a head. Throws WeightError.
  LightningIndexer(const WeightScope& scope, const IndexerOptions& options, std::shared_ptr<const Rotary> rotary)
      : options_(options),
        q_(scope / "wq_b", options.q_lora_rank, options.index_n_heads * options.index_head_dim),
        k_(scope / "wk", options.hidden_size, options.index_head_dim),
        k_norm_(scope / "k_norm", options.index_head_dim, 1e-6),
        head_weights_((scope / "weights_proj").as(TensorRole::router), options.hidden_size, options.index_n_heads),
        rotary_(std::move(rotary)) {}

  /// The layout of the cached keys.
  [[nodiscard]] LatentCacheLayout cache_layout(KvCacheDtype type) const noexcept {
    return {options_.index_head_dim, type};
  }
  /// Number of weights.
  [[nodiscard]] std::size_t parameters() const noexcept {
    return q_.parameters() + k_.parameters() + k_norm_.parameters() + head_weights_.parameters();
  }

  /// Stores the keys of the new rows in the last table of the states of the batch's sequences, and writes the selection
  /// of each row that sees more than index_topk positions to context.selected, ascending.   x: [rows, hidden]   c:
  /// [rows, q_lora_rank]   chunking: limits what is visible
  void forward(const ForwardContext& context, View<const float, 2> x, View<const float, 2> c,
               const std::optional<Chunking>& chunking) const {
    const Workspace::Scope scope(context.workspace);
    store_keys(context, x);
    const std::span<Tile> tiles = cut_tiles(context, chunking);
    if (tiles.empty()) return;
    const View<float, 2> q = context.workspace.take_matrix<float>(x.extent(0), q_.out());
    const View<float, 2> weights = context.workspace.take_matrix<float>(x.extent(0), head_weights_.out());
    q_.forward(context, c, q);
    head_weights_.forward(context.with_f32_activations(), x, weights);
    parallel_rows(context.execution, q.extent(0), q.extent(1), [&](std::size_t r) {
      const std::span<float> heads = q.row(r);
      const std::size_t last = (options_.index_n_heads - 1) * options_.index_head_dim + rotary_->rotary_dim();
      rotary_->rotate(context.batch.positions[r], heads.first(last), options_.index_head_dim);
    });
    for (std::size_t first = 0; first < tiles.size();) {  // as many as fit in memory together
      std::size_t count = 0;
      std::size_t scores = 0;
      while (first + count < tiles.size() && (count == 0 || scores + tiles[first + count].size() <= kMaxScores))
        scores += tiles[first + count++].size();
      select(context, q, weights, tiles.subspan(first, count), scores);
      first += count;
    }
  }

 private:
  static constexpr std::size_t kBlock = LatentCacheLayout::kPageRows;  // keys that are scored at a time
  static constexpr std::size_t kTileRows = 4;                          // rows that share a block of keys
  static constexpr std::size_t kTaskPages = 4;                         // pages of a task
  static constexpr std::size_t kMaxScores = std::size_t{1} << 22U;     // held at a time, unless a tile has more

  // Adjacent rows of a sequence that select among the positions from `begin` on.
  struct Tile {
    LatentRows keys;
    std::size_t row;  // in the batch
    std::size_t rows;
    std::size_t begin;
    std::size_t end;        // of what the last row sees
    std::size_t first = 0;  // score of the tile's first row
    std::size_t end_task = 0;

    // Positions that the last row sees.
    [[nodiscard]] std::size_t width() const noexcept { return end - begin; }
    [[nodiscard]] std::size_t size() const noexcept { return rows * width(); }
    [[nodiscard]] std::size_t pages() const noexcept { return (end - 1) / kBlock - begin / kBlock + 1; }
  };

  // Scratch memory of one thread.
  struct Scratch {
    std::span<float> products;  // [kTileRows * H, kBlock]
    std::span<float> loaded;    // [kBlock, D], unless the cache is f32
    std::span<std::uint64_t> ranks;
  };

  void store_keys(const ForwardContext& context, View<const float, 2> x) const {
    const View<float, 2> k = context.workspace.take_matrix<float>(x.extent(0), k_.out());
    k_.forward(context, x, k);
    for (const SequenceSlice& sequence : context.batch.sequences) {  // pages are allocated in this thread
      const std::size_t end = sequence.position + sequence.rows;
      for (std::size_t n = sequence.position; n < end; n = (n / kBlock + 1) * kBlock)
        static_cast<void>(context.state_of(sequence).tables.back().write(n / kBlock));
    }
    parallel_rows(context.execution, k.extent(0), k.extent(1), [&](std::size_t r) {
      const auto after = std::ranges::upper_bound(context.batch.sequences, r, {}, &SequenceSlice::first_row);
      LayerState& state = context.state_of(*(after - 1));
      const std::size_t position = context.batch.positions[r];
      const std::span<float> key = k.row(r);
      k_norm_.row(key, key);
      rotary_->rotate(position, key.first(rotary_->rotary_dim()));
      store_latent(cache_layout(state.type), state.tables.back(), position, key);
    });
  }

  // Of the rows that see more than index_topk positions.
  [[nodiscard]] std::span<Tile> cut_tiles(const ForwardContext& context,
                                          const std::optional<Chunking>& chunking) const {
    const std::span<Tile> tiles = context.workspace.take<Tile>(context.batch.positions.size());
    std::size_t count = 0;
    for (const SequenceSlice& sequence : context.batch.sequences) {
      const LayerState& state = context.state_of(sequence);
      for (std::size_t done = 0; done < sequence.rows;) {
        const std::size_t n = sequence.position + done;
        const std::size_t begin = chunking ? chunking->first(n) : 0;
        std::size_t rows = 1;
        if (n + 1 - begin > options_.index_topk) {
          rows = std::min(kTileRows, sequence.rows - done);
          if (chunking) rows = std::min(rows, chunking->left(n));
          tiles[count++] = {
              {cache_layout(state.type), &state.tables.back()}, sequence.first_row + done, rows, begin, n + rows};
        }
        done += rows;
      }
    }
    return tiles.first(count);
  }

  // scores: of all tiles
  void select(const ForwardContext& context, View<const float, 2> q, View<const float, 2> weights,
              std::span<Tile> tiles, std::size_t scores) const {
    Workspace& workspace = context.workspace;
    const Workspace::Scope scope(workspace);
    const std::span<float> score = workspace.take<float>(scores);
    std::size_t tasks = 0;
    std::size_t first = 0;
    std::size_t widest = 0;
    bool is_f32 = true;
    for (Tile& tile : tiles) {
      tile.first = first;
      tile.end_task = tasks += (tile.pages() + kTaskPages - 1) / kTaskPages;
      first += tile.size();
      widest = std::max(widest, tile.width());
      is_f32 = is_f32 && tile.keys.shape.type == KvCacheDtype::f32;
    }
    const std::size_t threads = scores * q.extent(1) < kernels::kTaskWork ? 1 : context.execution.num_workers();
    const std::span<Scratch> scratch = workspace.take<Scratch>(std::min(threads, tasks));
    for (Scratch& one : scratch) {
      one = {workspace.take<float>(kTileRows * options_.index_n_heads * kBlock),
             workspace.take<float>(is_f32 ? 0 : kBlock * options_.index_head_dim),
             workspace.take<std::uint64_t>(widest)};
    }
    parallel_for(context.execution, threads, tasks, [&](std::size_t task, std::size_t worker) {
      const Tile* tile = tiles.data();
      while (task >= tile->end_task) ++tile;
      const std::size_t own = task - (tile == tiles.data() ? 0 : tile[-1].end_task);
      for (std::size_t page = own * kTaskPages; page < std::min((own + 1) * kTaskPages, tile->pages()); ++page)
        score_page(context.execution.isa, *tile, tile->begin / kBlock + page, q, weights, scratch[worker],
                   score.data() + tile->first);
    });
    parallel_for(context.execution, threads, tiles.size(), [&](std::size_t t, std::size_t worker) {
      const Tile& tile = tiles[t];
      for (std::size_t r = 0; r < tile.rows; ++r) {
        const std::size_t visible = tile.width() - (tile.rows - 1 - r);
        select_best_scores(score.subspan(tile.first + r * tile.width(), visible), tile.begin, scratch[worker].ranks,
                           context.selected.row(tile.row + r).first(options_.index_topk));
      }
    });
  }

  // The keys of a page, for all rows of the tile; what lies beyond a row is not used.   score: [rows, width]
  void score_page(Isa isa, const Tile& tile, std::size_t page, View<const float, 2> q, View<const float, 2> weights,
                  const Scratch& scratch, float* score) const noexcept {
    const std::size_t width = options_.index_head_dim;
    const std::size_t heads = options_.index_n_heads;
    const std::size_t begin = std::max(tile.begin, page * kBlock);
    const std::size_t count = std::min(tile.end, (page + 1) * kBlock) - begin;
    const float* key = tile.keys.within_page(isa, begin, count, scratch.loaded.data());
    float* product = scratch.products.data();
    kernels::gemm(isa, kernels::RowsOf<float>{q.row(tile.row).data(), width}, tile.rows * heads, key, width, count,
                  width, product, kBlock);
    for (std::size_t r = 0; r < tile.rows; ++r) {
      float* of_row = product + r * heads * kBlock;
      for (std::size_t h = 0; h < heads; ++h)
        for (float& one : std::span(of_row + h * kBlock, count)) one = one > 0.0F ? one : 0.0F;
      kernels::gemm_columns(isa, {weights.row(tile.row + r).data(), heads}, 1, of_row, kBlock, count, heads, false,
                            score + r * tile.width() + (begin - tile.begin), tile.width());
    }
  }

  IndexerOptions options_;
  Linear q_;
  Linear k_;
  LayerNorm k_norm_;
  Linear head_weights_;
  std::shared_ptr<const Rotary> rotary_;
};

}  // namespace trine::inline TRINE_ABI
