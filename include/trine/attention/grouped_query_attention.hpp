// SPDX-License-Identifier: Apache-2.0
// Grouped-query attention; several groups of heads, each with its own pattern, may share the projections.
// Ainslie et al., "GQA", 2023, arXiv:2305.13245; Vaswani et al., "Attention Is All You Need", 2017, arXiv:1706.03762.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include <trine/attention/attention.hpp>
#include <trine/attention/flash_attention.hpp>
#include <trine/nn/linear.hpp>
#include <trine/nn/rms_norm.hpp>
#include <trine/nn/rotary.hpp>
#include <trine/platform/parallel_rows.hpp>

namespace trine::inline TRINE_ABI {

/// The names of what some checkpoints call otherwise.
struct GroupedQueryNames {
  std::string_view output = "o_proj";
  std::string_view query_norm = "q_norm";
  std::string_view key_norm = "k_norm";
};

/// Options of published models, applied in this order: bias, norm, clip, rotation.
struct GroupedQueryOptions {
  /// How queries and keys are normalised before rotation.
  enum class Norm : std::uint8_t {
    none,         ///< no normalisation
    per_head,     ///< RMSNorm over head_dim, one gain for all heads
    whole_vector  ///< RMSNorm over all heads together
  };
  Linear::Bias qkv_bias = Linear::Bias::no;             ///< of q_proj, k_proj and v_proj
  Linear::Bias o_bias = Linear::Bias::no;               ///< of o_proj
  Norm qk_norm = Norm::none;                            ///< of queries and of keys
  float norm_epsilon = 1e-6F;                           ///< of qk_norm
  RmsNorm::Stored norm_stored = RmsNorm::Stored::gain;  ///< of qk_norm
  std::optional<float> clip_qkv = std::nullopt;         ///< clamps q, k and v to [-clip, clip]
  bool sinks = false;  ///< a learned logit per head takes part in the softmax and is dropped
  bool output_gate =
      false;  ///< rows of q_proj for a head are followed by those of its gate: z is multiplied by sigmoid
  bool permuted_rows = false;    ///< of q_proj and k_proj, by a conversion to interleaved pairs: adapters do not fit
  GroupedQueryNames names = {};  ///< of tensors
};

/// q, k, v = x W_q, x W_k, x W_v, head group after head group; q and k rotated by the pattern's
/// position. For query n and a head, over the keys m that are visible in the pattern of its group:
///   z = sum_m softmax_m(q_n . k_m / sqrt(head_dim)) v_m            y = [z of all heads] W_o
/// With an output gate, the second half of x W_q of a head: z *= sigmoid(gate).
/// With a sink s of the head, softmax_m runs over all m and s (Xiao et al. 2023, arXiv:2309.17453).
/// Softmax in f32, in blocks that end at multiples of kKeyBlock. The keys of a query are visited in
/// ascending position, so its bits depend neither on the batch nor on the number of threads.
class GroupedQueryAttention : public Attention {
 public:
  /// Reads "q_proj.weight" [heads * head_dim, hidden], "k_proj.weight", "v_proj.weight" [kv_heads * head_dim, hidden]
  /// and "o_proj.weight" [hidden, heads * head_dim]; if `options` require them, also their biases, "{q,k}_norm.weight"
  /// [head_dim] or [heads * head_dim], and "sinks" [heads]; q_proj has twice the rows with an output gate. Throws
  /// WeightError.
  GroupedQueryAttention(const WeightScope& scope, std::size_t hidden, std::size_t head_dim,
                        std::vector<HeadGroup> head_groups, std::shared_ptr<const Rotary> rotary,
                        const GroupedQueryOptions& options = {})
      : head_dim_(head_dim),
        head_groups_(std::move(head_groups)),
        q_(scope.permuted(options.permuted_rows) / "q_proj", hidden,
           count_heads(&HeadGroup::num_heads) * head_dim * (options.output_gate ? 2 : 1), options.qkv_bias),
        k_(scope.permuted(options.permuted_rows) / "k_proj", hidden, count_heads(&HeadGroup::num_kv_heads) * head_dim,
           options.qkv_bias),
        v_(scope / "v_proj", hidden, count_heads(&HeadGroup::num_kv_heads) * head_dim, options.qkv_bias),
        o_(scope / options.names.output, count_heads(&HeadGroup::num_heads) * head_dim, hidden, options.o_bias),
        clip_qkv_(options.clip_qkv),
        rotary_(std::move(rotary)) {
    if (options.qk_norm != GroupedQueryOptions::Norm::none) {
      const bool whole = options.qk_norm == GroupedQueryOptions::Norm::whole_vector;
      q_norm_.emplace(scope / options.names.query_norm, whole ? o_.in() : head_dim, options.norm_epsilon,
                      options.norm_stored);
      k_norm_.emplace(scope / options.names.key_norm, whole ? k_.out() : head_dim, options.norm_epsilon,
                      options.norm_stored);
    }
    if (options.sinks) sinks_ = scope.read_f32("sinks", o_.in() / head_dim);
  }

  [[nodiscard]] LayerState make_cache(KvCacheDtype type = KvCacheDtype::f32) const override {
    LayerState state{type, {}};
    for (const HeadGroup& heads : head_groups_)
      state.tables.emplace_back(heads.page_layout(head_dim_, type).page_bytes());
    return state;
  }

  [[nodiscard]] std::vector<std::size_t> cache_pages(std::size_t tokens) const override {
    std::vector<std::size_t> pages;
    for (const HeadGroup& heads : head_groups_) pages.push_back(heads.pattern->pages(tokens));
    return pages;
  }

  [[nodiscard]] std::size_t rewind_position(const LayerState&, std::size_t tokens, std::size_t to) const override {
    return std::ranges::all_of(head_groups_, [&](const auto& heads) { return heads.pattern->can_truncate(tokens, to); })
               ? to
               : 0;
  }
  void truncate(LayerState& state, std::size_t to) const override {
    for (std::size_t a = 0; a < head_groups_.size(); ++a) state.tables[a].truncate(head_groups_[a].pattern->pages(to));
  }

  [[nodiscard]] std::size_t parameters() const override {
    return q_.parameters() + k_.parameters() + v_.parameters() + o_.parameters() +
           (q_norm_ ? q_norm_->parameters() + k_norm_->parameters() : 0) + (sinks_ ? sinks_->size() : 0);
  }

  void forward(const ForwardContext& context, View<const float, 2> x, View<float, 2> y) const override {
    Workspace& workspace = context.workspace;
    const Workspace::Scope scope(workspace);
    const std::size_t rows = x.extent(0);
    const View<float, 2> q = workspace.take_matrix<float>(rows, o_.in());
    const View<float, 2> q_and_gate = has_gate() ? workspace.take_matrix<float>(rows, q_.out()) : q;
    const View<float, 2> k = workspace.take_matrix<float>(rows, k_.out());
    const View<float, 2> v = workspace.take_matrix<float>(rows, v_.out());
    const View<float, 2> z = workspace.take_matrix<float>(rows, o_.in());
    project(context, x, {{q_, q_and_gate}, {k_, k}, {v_, v}});
    parallel_rows(context.execution, rows, q.extent(1) + k.extent(1) + v.extent(1), [&](std::size_t r) {
      if (has_gate()) {
        for (std::size_t i = 0; i < o_.in(); i += head_dim_)
          std::ranges::copy(q_and_gate.row(r).subspan(2 * i, head_dim_), q.row(r).subspan(i).begin());
      }
      if (q_norm_) {
        normalize(context.execution.isa, *q_norm_, q.row(r));
        normalize(context.execution.isa, *k_norm_, k.row(r));
      }
      if (clip_qkv_) {
        for (const std::span<float> row : {q.row(r), k.row(r), v.row(r)})
          for (float& value : row) value = std::clamp(value, -*clip_qkv_, *clip_qkv_);
      }
      rotate(context.batch.positions[r], q.row(r), k.row(r));
    });
    flash_attention(context, head_groups_, head_dim_, sinks_ ? sinks_->data() : nullptr, q, k, v, z);
    if (has_gate()) {
      parallel_rows(context.execution, rows, z.extent(1), [&](std::size_t r) {
        for (std::size_t i = 0; i < o_.in(); i += head_dim_)
          kernels::sigmoid_multiply(context.execution.isa, q_and_gate.row(r).subspan(2 * i + head_dim_, head_dim_),
                                    z.row(r).subspan(i, head_dim_));
      });
    }
    o_.forward(context, z, y);
  }

 private:
  // q_proj has the rows of an output gate, too.
  [[nodiscard]] bool has_gate() const noexcept { return q_.out() != o_.in(); }

  [[nodiscard]] std::size_t count_heads(std::size_t HeadGroup::*which) const {
    std::size_t count = 0;
    for (const HeadGroup& heads : head_groups_) count += heads.*which;
    return count;
  }

  // The norm covers as many elements as it has gains: a head, or the whole row.
  static void normalize(Isa isa, const RmsNorm& norm, std::span<float> x) noexcept {
    for (std::size_t i = 0; i < x.size(); i += norm.parameters()) {
      const std::span<float> part = x.subspan(i, norm.parameters());
      norm.row(isa, part, part);
    }
  }

  void rotate(std::size_t n, std::span<float> query, std::span<float> key) const {
    for (const HeadGroup& heads : head_groups_) {
      const std::size_t position = heads.pattern->rotary_position(n);
      rotary_->rotate(position, query.first(heads.num_heads * head_dim_));
      rotary_->rotate(position, key.first(heads.num_kv_heads * head_dim_));
      query = query.subspan(heads.num_heads * head_dim_);
      key = key.subspan(heads.num_kv_heads * head_dim_);
    }
  }

  std::size_t head_dim_;
  std::vector<HeadGroup> head_groups_;
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
