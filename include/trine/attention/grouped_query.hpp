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
#include <utility>
#include <vector>

#include <trine/attention/attention.hpp>
#include <trine/attention/attention_axis.hpp>
#include <trine/kernels/gemm.hpp>
#include <trine/kernels/vector_math.hpp>
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
/// Softmax in f32. The keys of a query are visited in ascending position, so its bits depend neither on the batch nor
/// on threads.
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

  [[nodiscard]] std::unique_ptr<AttentionCache> make_cache() const override {
    auto cache = std::make_unique<Cache>();
    for (const AxisHeads& heads : axes_) cache->axes.push_back(heads.axis->make_pages(heads.num_kv_heads * head_dim_));
    return cache;
  }

  [[nodiscard]] std::size_t cache_bytes(std::size_t tokens) const override {
    std::size_t total = 0;
    for (const AxisHeads& heads : axes_) {
      const KeyValuePages pages = heads.axis->make_pages(heads.num_kv_heads * head_dim_);
      total += heads.axis->pages(tokens) * KeyValuePages::page_bytes(pages.page_rows(), pages.width());
    }
    return total;
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
        attend(execution, workspace, axes_[a], static_cast<Cache&>(*sequence.cache).axes[a], sequence, head, kv_head, q,
               k, v, z);
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

  struct Cache : AttentionCache {
    std::vector<KeyValuePages> axes;
    [[nodiscard]] std::size_t bytes() const override {
      std::size_t total = 0;
      for (const KeyValuePages& pages : axes) total += pages.bytes();
      return total;
    }
  };

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

  // The heads of one axis, from `head` and `kv_head` on, for the rows of one sequence.
  void attend(const Execution& execution, Workspace& workspace, const AxisHeads& heads, KeyValuePages& pages,
              const SequenceRows& sequence, std::size_t head, std::size_t kv_head, View<const float, 2> q,
              View<const float, 2> k, View<const float, 2> v, View<float, 2> z) const {
    const Workspace::Scope scope(workspace);
    const std::size_t group = heads.num_heads / heads.num_kv_heads;
    const std::size_t most_keys = heads.axis->most_keys(sequence.position + sequence.rows);
    const std::size_t team = std::max<std::size_t>(1, std::min(execution.threads, most_threads()));
    const View<float, 2> scores = workspace.take_matrix<float>(sequence.rows > 1 ? team : 1, group * (most_keys + 1));
    std::vector<std::vector<KeyRun>> runs(scores.extent(0));
    const float scale = 1.0F / std::sqrt(static_cast<float>(head_dim_));

    for (std::size_t done = 0; done < sequence.rows;) {
      const std::size_t count = heads.axis->pass(sequence.position + done, sequence.rows - done);
      for (std::size_t r = done; r < done + count; ++r) {
        heads.axis->remember(pages, sequence.position + r, k.row(sequence.first_row + r).data() + kv_head * head_dim_,
                             v.row(sequence.first_row + r).data() + kv_head * head_dim_);
      }
      // A task is one row: its keys are found once and serve all heads.
      const std::size_t threads = count * most_keys * heads.num_heads < kWorthThreads ? 1 : runs.size();
      parallel_for(threads, count, [&](std::size_t task, std::size_t worker) {
        const std::size_t row = sequence.first_row + done + task;
        std::vector<KeyRun>& my_runs = runs[worker];
        my_runs.clear();
        heads.axis->keys(pages, sequence.position + done + task, k.row(row).data() + kv_head * head_dim_,
                         v.row(row).data() + kv_head * head_dim_, my_runs);
        for (std::size_t j = 0; j < heads.num_kv_heads; ++j) {
          const std::size_t first = (head + j * group) * head_dim_;
          attend_group(execution.isa, q.row(row).data() + first, head + j * group, group, my_runs, j * head_dim_,
                       pages.width(), scale, scores.row(worker).data(), z.row(row).data() + first);
        }
      });
      done += count;
    }
  }

  // The `group` query heads from `head` on that share one key/value head, which starts at `offset` in every key row. A
  // head's scores have one place more, for its sink.
  void attend_group(Isa isa, const float* q, std::size_t head, std::size_t group, const std::vector<KeyRun>& runs,
                    std::size_t offset, std::size_t width, float scale, float* scores, float* z) const {
    std::size_t total = 0;
    for (const KeyRun& run : runs) total += run.count;
    std::size_t first = 0;
    for (const KeyRun& run : runs) {
      kernels::gemm(isa, q, head_dim_, group, run.key + offset, width, run.count, head_dim_, scores + first, total + 1);
      first += run.count;
    }
    for (std::size_t g = 0; g < group; ++g) {
      const std::span<float> weight(scores + g * (total + 1), total + 1);
      if (sinks_) weight[total] = sinks_->view()[head + g] / scale;  // the sink itself is not scaled
      kernels::softmax_row(isa, weight.first(sinks_ ? total + 1 : total), scale);
    }
    std::fill_n(z, group * head_dim_, 0.0F);
    first = 0;
    for (const KeyRun& run : runs) {
      kernels::add_gemm_columns(isa, {scores + first, total + 1}, group, run.value + offset, width, head_dim_,
                                run.count, z, head_dim_);
      first += run.count;
    }
  }

  static constexpr std::size_t kWorthThreads = 4096;  // query-key pairs from which threads pay

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
