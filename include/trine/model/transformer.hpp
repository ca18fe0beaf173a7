// SPDX-License-Identifier: Apache-2.0
// A pre-norm transformer: h += attention(RMSNorm(h)); h += feed_forward(RMSNorm(h)), layer after layer.
// Which attention and which feed-forward a layer has is the affair of the architecture that put it together.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include <trine/attention/attention.hpp>
#include <trine/core/not_finite.hpp>
#include <trine/experts/feed_forward.hpp>
#include <trine/nn/embedding.hpp>
#include <trine/nn/output_head.hpp>
#include <trine/platform/parallel_rows.hpp>

namespace trine::inline TRINE_ABI {

struct Block {
  RmsNorm attention_norm;
  std::unique_ptr<const Attention> attention;
  RmsNorm feed_forward_norm;
  std::unique_ptr<const FeedForward> feed_forward;
};

/// What a model remembers of one sequence: a cache for each layer.
using SequenceCache = std::vector<AttentionCache>;

/// Rows of one or more sequences: prefill, decode and any mixture of them are the same call with other numbers of rows.
struct Batch {
  struct Sequence {
    std::size_t first_row = 0;
    std::size_t rows = 0;
    std::size_t position = 0;  // of the first row
    SequenceCache* cache = nullptr;
  };

  std::span<const Sequence> sequences;
  std::span<const std::size_t> positions;  // [rows]
  std::span<const TokenId> token_ids;      // [rows], or empty
  View<const float, 2> features;           // [rows, num_features], or empty
};

class Transformer {
 public:
  /// `tied`: the head's matrix is the embedding's.
  Transformer(std::unique_ptr<const Embedding> embedding, std::vector<Block> blocks, OutputHead head, bool tied)
      : embedding_(std::move(embedding)), blocks_(std::move(blocks)), head_(std::move(head)), tied_(tied) {}

  [[nodiscard]] const std::vector<Block>& blocks() const noexcept { return blocks_; }
  [[nodiscard]] const OutputHead& head() const noexcept { return head_; }

  [[nodiscard]] SequenceCache make_cache(CacheType type = CacheType::f32) const {
    SequenceCache cache;
    for (const Block& block : blocks_) cache.push_back(block.attention->make_cache(type));
    return cache;
  }

  /// h = the hidden rows after the last layer; the caches go on by the new rows. h: [rows, hidden], is written.
  /// Returns the first layer after which the last row of h is not finite. Throws CancelledError between layers; the
  /// caches of the batch are then invalid.
  std::optional<std::size_t> forward(const Execution& execution, Workspace& workspace, const Batch& batch,
                                     RoutingPlan& plan, RoutingObserver* observer, View<float, 2> h) const {
    const Workspace::Scope scope(workspace);
    embedding_->forward(execution, workspace, batch.token_ids, batch.features, h);
    const View<float, 2> normed = workspace.take_matrix<float>(h.extent(0), h.extent(1));
    const View<float, 2> update = workspace.take_matrix<float>(h.extent(0), h.extent(1));
    const std::span<SequenceRows> sequences = workspace.take<SequenceRows>(batch.sequences.size());
    const FeedForwardContext context{
        execution, workspace, {{}, batch.positions, batch.token_ids, batch.features, {}}, plan, observer};

    std::optional<std::size_t> not_finite;
    for (std::size_t layer = 0; layer < blocks_.size(); ++layer) {
      const Block& block = blocks_[layer];
      for (std::size_t i = 0; i < sequences.size(); ++i) {
        const Batch::Sequence& s = batch.sequences[i];
        sequences[i] = {s.first_row, s.rows, s.position, &(*s.cache)[layer]};
      }
      execution.check_stop();
      block.attention_norm.forward(execution, h, normed);
      block.attention->forward(execution, workspace, normed, sequences, update);
      add_rows(execution, update, h);

      execution.check_stop();
      block.feed_forward_norm.forward(execution, h, normed);
      block.feed_forward->forward(context, normed, update);
      add_rows(execution, update, h);
      if (!not_finite && count_not_finite(h.row(h.extent(0) - 1)) > 0) not_finite = layer;
    }
    return not_finite;
  }

  /// Parameters in all; a tied head counts once.
  [[nodiscard]] std::size_t parameters() const {
    std::size_t total = embedding_->parameters() + head_.norm_parameters() + (tied_ ? 0 : head_.linear().parameters());
    for (const Block& block : blocks_) total += block_parameters(block) + block.feed_forward->parameters();
    return total;
  }
  /// Parameters that one token is multiplied with, at most: the embedding is a look-up and does not count, the head
  /// does.
  [[nodiscard]] std::size_t active_parameters() const {
    std::size_t total = head_.norm_parameters() + head_.linear().parameters();
    for (const Block& block : blocks_) total += block_parameters(block) + block.feed_forward->active_parameters();
    return total;
  }

 private:
  // h += update
  static void add_rows(const Execution& execution, View<const float, 2> update, View<float, 2> h) {
    parallel_rows(execution, h.extent(0), h.extent(1),
                  [&](std::size_t r) { kernels::add_to(execution.isa, update.row(r), h.row(r)); });
  }
  [[nodiscard]] static std::size_t block_parameters(const Block& block) {
    return block.attention_norm.parameters() + block.feed_forward_norm.parameters() + block.attention->parameters();
  }

  std::unique_ptr<const Embedding> embedding_;
  std::vector<Block> blocks_;
  OutputHead head_;
  bool tied_;
};

}  // namespace trine::inline TRINE_ABI
