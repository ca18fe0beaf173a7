// SPDX-License-Identifier: Apache-2.0
// A pre-norm transformer: h += attention(RMSNorm(h)); h += feed_forward(RMSNorm(h)), layer after layer. What is added
// may be normalised, too. The architecture that builds it chooses the attention, the feed-forward and the norms of each
// layer.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include <trine/attention/attention.hpp>
#include <trine/core/not_finite.hpp>
#include <trine/experts/feed_forward.hpp>
#include <trine/kernels/online_softmax.hpp>
#include <trine/nn/embedding.hpp>
#include <trine/nn/output_head.hpp>
#include <trine/platform/parallel_rows.hpp>

namespace trine::inline TRINE_ABI {

/// One layer. Norms that are not there change nothing; a parallel one has an attention_norm and no feed_forward_norm:
///   h += update_scale post_attention_norm(attention(attention_norm(h)))
///   h += update_scale post_feed_forward_norm(feed_forward(feed_forward_norm(h)))
///   h *= output_scale
struct Block {
  std::optional<RmsNorm> attention_norm;                         ///< before attention
  std::unique_ptr<const Attention> attention;                    ///< mixes positions
  std::optional<RmsNorm> feed_forward_norm;                      ///< before the feed-forward
  std::unique_ptr<const FeedForward> feed_forward;               ///< an MLP, or a mixture of experts
  std::optional<RmsNorm> post_attention_norm = std::nullopt;     ///< of what attention adds
  std::optional<RmsNorm> post_feed_forward_norm = std::nullopt;  ///< of what the feed-forward adds
  bool parallel = false;      ///< the feed-forward reads what attention reads: the norm of the layer's input
  float update_scale = 1.0F;  ///< of what both add
  float output_scale = 1.0F;  ///< of the rows after the layer
};

/// Embedding, layers and head. Const: passes change only caches and workspaces.
class Transformer {
 public:
  /// `tied`: the head's matrix is the embedding's.
  Transformer(std::unique_ptr<const Embedding> embedding, std::vector<Block> blocks, OutputHead head, bool tied)
      : embedding_(std::move(embedding)), blocks_(std::move(blocks)), head_(std::move(head)), tied_(tied) {}

  /// The layers, in order.
  [[nodiscard]] const std::vector<Block>& blocks() const noexcept { return blocks_; }
  /// Final norm and output matrix.
  [[nodiscard]] const OutputHead& head() const noexcept { return head_; }

  /// The state of a sequence without positions.
  [[nodiscard]] SequenceCache make_cache(KvCacheDtype type = KvCacheDtype::f32) const {
    SequenceCache cache;
    for (const Block& block : blocks_) cache.push_back(block.attention->make_cache(type));
    return cache;
  }

  /// h = the hidden rows after the last layer; adds the new rows to the states of the batch's sequences. h: [rows,
  /// hidden], output. not_finite[s]: output, the first layer after which the last row of sequence s is not finite; must
  /// be nullopt before. Throws CancelledError between layers; the states of the batch are then invalid.
  void forward(ForwardContext context, View<float, 2> h, std::span<std::optional<std::size_t>> not_finite) const {
    const Workspace::Scope scope(context.workspace);
    const ExecutionContext& execution = context.execution;
    embedding_->forward(context, h);
    const View<float, 2> normed = context.workspace.take_matrix<float>(h.extent(0), h.extent(1));
    const View<float, 2> update = context.workspace.take_matrix<float>(h.extent(0), h.extent(1));
    std::size_t selected = 0;
    for (const Block& block : blocks_) selected = std::max(selected, block.attention->selected_positions());
    context.selected = context.workspace.take_matrix<std::uint32_t>(h.extent(0), selected);
    for (context.layer = 0; context.layer < blocks_.size(); ++context.layer) {
      const Block& block = blocks_[context.layer];
      execution.check_stop();
      if (block.attention_norm) block.attention_norm->forward(context, h, normed);
      block.attention->forward(context, block.attention_norm ? normed : h, update);
      add_rows(execution, update, block.post_attention_norm, block.update_scale, 1.0F, h);

      execution.check_stop();
      if (block.feed_forward_norm) block.feed_forward_norm->forward(context, h, normed);
      block.feed_forward->forward(context, block.feed_forward_norm || block.parallel ? normed : h, update);
      add_rows(execution, update, block.post_feed_forward_norm, block.update_scale, block.output_scale, h);
      for (std::size_t s = 0; s < not_finite.size(); ++s) {
        const SequenceSlice& sequence = context.batch.sequences[s];
        if (!not_finite[s] && count_not_finite(h.row(sequence.first_row + sequence.rows - 1)) > 0)
          not_finite[s] = context.layer;
      }
    }
  }

  /// The total number of parameters; a tied head counts once.
  [[nodiscard]] std::size_t parameters() const {
    std::size_t total = embedding_->parameters() + head_.norm_parameters() + head_.linear().parameters();
    if (tied_) total -= head_.linear().weight().parameters();
    for (const Block& block : blocks_) total += block_parameters(block) + block.feed_forward->parameters();
    return total;
  }
  /// The maximum number of parameters that one token is multiplied with: the embedding is a look-up and does not count,
  /// the head does.
  [[nodiscard]] std::size_t active_parameters() const {
    std::size_t total = head_.norm_parameters() + head_.linear().parameters();
    for (const Block& block : blocks_) total += block_parameters(block) + block.feed_forward->active_parameters();
    return total;
  }

 private:
  // h = output_scale (h + update_scale norm(update)); overwrites update
  static void add_rows(const ExecutionContext& execution, View<float, 2> update, const std::optional<RmsNorm>& norm,
                       float update_scale, float output_scale, View<float, 2> h) {
    parallel_rows(execution, h.extent(0), h.extent(1), [&](std::size_t r) {
      if (norm) norm->row(execution.isa, update.row(r), update.row(r));
      if (update_scale != 1.0F) kernels::multiply(execution.isa, update.row(r), update_scale);
      kernels::add_inplace(execution.isa, update.row(r), h.row(r));
      if (output_scale != 1.0F) kernels::multiply(execution.isa, h.row(r), output_scale);
    });
  }
  [[nodiscard]] static std::size_t block_parameters(const Block& block) {
    std::size_t total = block.attention->parameters();
    for (const std::optional<RmsNorm>* norm :
         {&block.attention_norm, &block.feed_forward_norm, &block.post_attention_norm, &block.post_feed_forward_norm})
      if (*norm) total += (*norm)->parameters();
    return total;
  }

  std::unique_ptr<const Embedding> embedding_;
  std::vector<Block> blocks_;
  OutputHead head_;
  bool tied_;
};

}  // namespace trine::inline TRINE_ABI
