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
#include <trine/attention/output_gate.hpp>
#include <trine/kernels/online_softmax.hpp>
#include <trine/nn/linear.hpp>
#include <trine/nn/query_temperature.hpp>
#include <trine/nn/rms_norm.hpp>
#include <trine/nn/rotary.hpp>
#include <trine/platform/parallel_rows.hpp>

namespace trine::inline TRINE_ABI {

/// The names of what some checkpoints call otherwise.
struct GroupedQueryNames {
  std::string_view output = "o_proj";      ///< the projection of the output
  std::string_view query_norm = "q_norm";  ///< the norm of queries
  std::string_view key_norm = "k_norm";    ///< the norm of keys
  std::string_view fused = {};            ///< q_proj, k_proj and v_proj in one tensor, rows in this order; empty: apart
  std::string_view module = "self_attn";  ///< of the layer in its block: for builders
};

/// Options of published models, applied in this order: bias, norm, clip, rotation, temperature.
struct GroupedQueryOptions {
  /// How queries and keys are normalised.
  enum class Norm : std::uint8_t {
    none,                    ///< no normalisation
    per_head,                ///< RMSNorm over head_dim, one gain for all heads, before rotation
    whole_vector,            ///< RMSNorm over all heads together, before rotation
    after_rotation,          ///< RMSNorm over head_dim, without gain, after rotation
    per_head_after_rotation  ///< RMSNorm over head_dim, one gain for all heads, after rotation
  };
  Linear::Bias qkv_bias = Linear::Bias::no;             ///< of q_proj, k_proj and v_proj
  Linear::Bias o_bias = Linear::Bias::no;               ///< of o_proj
  Norm qk_norm = Norm::none;                            ///< of queries and of keys
  bool v_norm = false;                                  ///< RMSNorm of each head's value, without gain
  float norm_epsilon = 1e-6F;                           ///< of qk_norm and v_norm
  RmsNorm::Stored norm_stored = RmsNorm::Stored::gain;  ///< of qk_norm
  bool k_eq_v = false;                                  ///< values are the keys before their norm: there is no v_proj
  std::optional<float> scale = std::nullopt;            ///< of a score q . k; nullopt: head_dim^-1/2
  std::optional<QueryTemperature> temperature = std::nullopt;   ///< of scores, by position
  std::optional<std::size_t> v_head_dim = std::nullopt;         ///< width of a value; nullopt: head_dim
  float v_scale = 1.0F;                                         ///< of values
  std::optional<OutputGateOptions> output_gate = std::nullopt;  ///< of z
  std::optional<float> clip_qkv = std::nullopt;                 ///< clamps q, k and v to [-clip, clip]
  bool sinks = false;                     ///< a learned logit per head takes part in the softmax and is dropped
  std::string_view sinks_name = "sinks";  ///< of their tensor
  bool permuted_rows = false;             ///< of q_proj and k_proj, by a conversion to interleaved pairs
  GroupedQueryNames names = {};           ///< of tensors
};

/// q, k, v = x W_q, x W_k, x W_v, head group after head group; q and k rotated by the pattern's
/// position if there is a rotation. For query n and a head, over the keys m that are visible in the pattern of its
/// group:
///   z = sum_m softmax_m(scale q_n . k_m) v_m                       y = [z of all heads] W_o
/// z is multiplied by an output gate if there is one.
/// With a sink s of the head, softmax_m runs over all m and s (Xiao et al. 2023, arXiv:2309.17453).
/// Softmax in f32, in blocks that end at multiples of kKeyBlock. The keys of a query are visited in
/// ascending position, so its bits depend neither on the batch nor on the number of threads.
class GroupedQueryAttention : public Attention {
 public:
  /// Reads "q_proj.weight" [heads * head_dim, hidden], "k_proj.weight", "v_proj.weight" [kv_heads * head_dim, hidden]
  /// and "o_proj.weight" [hidden, heads * head_dim], the last two with heads of v_head_dim; if `options` require them,
  /// also their biases, "{q,k}_norm.weight" [head_dim] or [heads * head_dim], the sinks [heads] and an output gate,
  /// whose rows may be in q_proj. Throws WeightError.
  GroupedQueryAttention(const WeightScope& scope, std::size_t hidden, std::size_t head_dim,
                        std::vector<HeadGroup> head_groups, std::shared_ptr<const Rotary> rotary,
                        const GroupedQueryOptions& options = {})
      : head_dim_(head_dim),
        value_dim_(options.v_head_dim.value_or(head_dim)),
        head_groups_(std::move(head_groups)),
        q_(projection(scope, "q_proj", hidden, 0,
                      count_heads(&HeadGroup::num_heads) * head_dim * (in_q_proj(options) ? 2 : 1), options,
                      options.permuted_rows)),
        k_(projection(scope, "k_proj", hidden, q_.out(), count_heads(&HeadGroup::num_kv_heads) * head_dim, options,
                      options.permuted_rows)),
        o_(scope / options.names.output, count_heads(&HeadGroup::num_heads) * value_dim_, hidden, options.o_bias),
        rotates_first_(options.qk_norm == GroupedQueryOptions::Norm::per_head_after_rotation),
        gated_rows_(in_q_proj(options)),
        scale_(options.scale.value_or(1.0F / std::sqrt(static_cast<float>(head_dim)))),
        v_scale_(options.v_scale),
        clip_qkv_(options.clip_qkv),
        temperature_(options.temperature),
        rotary_(std::move(rotary)) {
    using Norm = GroupedQueryOptions::Norm;
    const std::size_t heads = count_heads(&HeadGroup::num_heads);
    const std::size_t kv_heads = count_heads(&HeadGroup::num_kv_heads);
    if (!options.k_eq_v)
      v_.emplace(projection(scope, "v_proj", hidden, q_.out() + k_.out(), kv_heads * value_dim_, options));
    if (options.v_norm) v_norm_.emplace(RmsNorm::without_gain(value_dim_, options.norm_epsilon));
    if (options.output_gate && !in_q_proj(options))
      gate_.emplace(scope, hidden, heads, value_dim_, *options.output_gate);
    if (options.qk_norm == Norm::after_rotation) {
      rotated_norm_.emplace(RmsNorm::without_gain(head_dim, options.norm_epsilon));
    } else if (options.qk_norm != Norm::none) {
      const bool whole = options.qk_norm == Norm::whole_vector;
      q_norm_.emplace(scope / options.names.query_norm, whole ? heads * head_dim : head_dim, options.norm_epsilon,
                      options.norm_stored);
      k_norm_.emplace(scope / options.names.key_norm, whole ? k_.out() : head_dim, options.norm_epsilon,
                      options.norm_stored);
    }
    if (options.sinks) sinks_ = scope.read_f32(options.sinks_name, heads);
  }

  [[nodiscard]] LayerState make_cache(KvCacheDtype type = KvCacheDtype::f32) const override {
    LayerState state{type, {}};
    for (const HeadGroup& heads : head_groups_)
      state.tables.emplace_back(heads.page_layout({head_dim_, value_dim_}, type).page_bytes());
    for (const HeadGroup& heads : head_groups_)  // after those of all groups
      if (heads.pattern->choice()) state.tables.emplace_back(heads.bounds_layout({head_dim_, value_dim_}).page_bytes());
    return state;
  }

  [[nodiscard]] std::vector<std::size_t> cache_pages(std::size_t tokens) const override {
    std::vector<std::size_t> pages;
    for (const HeadGroup& heads : head_groups_) pages.push_back(heads.pattern->pages(tokens));
    for (const HeadGroup& heads : head_groups_)
      if (const auto choice = heads.pattern->choice())
        pages.push_back(FrameBoundsLayout::pages(tokens / choice->frame_size));
    return pages;
  }

  [[nodiscard]] std::size_t rewind_position(const LayerState&, std::size_t tokens, std::size_t to) const override {
    return std::ranges::all_of(head_groups_, [&](const auto& heads) { return heads.pattern->can_truncate(tokens, to); })
               ? to
               : 0;
  }
  void truncate(LayerState& state, std::size_t to) const override {
    const std::vector<std::size_t> pages = cache_pages(to);
    for (std::size_t i = 0; i < pages.size(); ++i) state.tables[i].truncate(pages[i]);
  }

  [[nodiscard]] std::size_t parameters() const override {
    return q_.parameters() + k_.parameters() + (v_ ? v_->parameters() : 0) + o_.parameters() +
           (q_norm_ ? q_norm_->parameters() + k_norm_->parameters() : 0) + (sinks_ ? sinks_->size() : 0) +
           (gate_ ? gate_->parameters() : 0);
  }

  void forward(const ForwardContext& context, View<const float, 2> x, View<float, 2> y) const override {
    Workspace& workspace = context.workspace;
    const Workspace::Scope scope(workspace);
    const std::size_t rows = x.extent(0);
    const View<float, 2> q = workspace.take_matrix<float>(rows, gated_rows_ ? q_.out() / 2 : q_.out());
    const View<float, 2> q_and_gate = gated_rows_ ? workspace.take_matrix<float>(rows, q_.out()) : q;
    const View<float, 2> k = workspace.take_matrix<float>(rows, k_.out());
    const View<float, 2> v = workspace.take_matrix<float>(rows, v_ ? v_->out() : k_.out());
    const View<float, 2> z = workspace.take_matrix<float>(rows, o_.in());
    if (v_) {
      project(context, x, {{q_, q_and_gate}, {k_, k}, {*v_, v}});
    } else {
      project(context, x, {{q_, q_and_gate}, {k_, k}});
    }
    parallel_rows(context.execution, rows, q.extent(1) + k.extent(1) + v.extent(1), [&](std::size_t r) {
      if (gated_rows_) {
        for (std::size_t i = 0; i < q.extent(1); i += head_dim_)
          std::ranges::copy(q_and_gate.row(r).subspan(2 * i, head_dim_), q.row(r).subspan(i).begin());
      }
      if (!v_) std::ranges::copy(k.row(r), v.row(r).begin());
      finish_row(context.execution.isa, context.batch.positions[r], q.row(r), k.row(r), v.row(r));
    });
    const HeadWidths widths{head_dim_, value_dim_};
    flash_attention(context, head_groups_, widths, scale_, sinks_ ? sinks_->data() : nullptr, q, k, v, z);
    if (gate_) gate_->apply(context, x, z);
    if (gated_rows_) {
      parallel_rows(context.execution, rows, z.extent(1), [&](std::size_t r) {
        for (std::size_t i = 0; i < q.extent(1); i += head_dim_)
          kernels::sigmoid_multiply(context.execution.isa, q_and_gate.row(r).subspan(2 * i + head_dim_, head_dim_),
                                    z.row(r).subspan(i, head_dim_));
      });
    }
    o_.forward(context, z, y);
  }

 private:
  // "`name`", or rows [first, first + count) of the tensor that all three share.
  [[nodiscard]] Linear projection(const WeightScope& scope, std::string_view name, std::size_t hidden,
                                  std::size_t first, std::size_t count, const GroupedQueryOptions& options,
                                  bool is_permuted = false) const {
    const WeightScope own =
        (scope / name).reordered(is_permuted ? interleaved_halves(count / head_dim_, head_dim_) : nullptr);
    if (options.names.fused.empty()) return Linear(own, hidden, count, options.qkv_bias);
    const WeightScope fused = (scope / options.names.fused).unpacked("split into queries, keys and values");
    const std::size_t rows = count_heads(&HeadGroup::num_heads) * head_dim_ +
                             count_heads(&HeadGroup::num_kv_heads) * (head_dim_ + value_dim_);
    const WeightMatrix weight = fused.matrix("weight", rows, hidden).row_range(first, count);
    if (options.qkv_bias == Linear::Bias::no) return Linear(own, weight);
    Tensor<float, 1> bias({count});
    std::ranges::copy(fused.read_f32("bias", rows).view().span().subspan(first, count), bias.data());
    return Linear(own, weight, std::move(bias));
  }
  [[nodiscard]] static bool in_q_proj(const GroupedQueryOptions& options) noexcept {
    return options.output_gate && options.output_gate->in_q_proj;
  }

  [[nodiscard]] std::size_t count_heads(std::size_t HeadGroup::*which) const {
    std::size_t count = 0;
    for (const HeadGroup& heads : head_groups_) count += heads.*which;
    return count;
  }

  // What the options ask for between the projections of position n and attention.
  void finish_row(Isa isa, std::size_t n, std::span<float> q, std::span<float> k, std::span<float> v) const {
    const auto normalize_both = [&] {
      normalize(isa, *q_norm_, q);
      normalize(isa, *k_norm_, k);
    };
    if (q_norm_ && !rotates_first_) normalize_both();
    if (v_norm_) normalize(isa, *v_norm_, v);
    if (clip_qkv_) {
      for (const std::span<float> row : {q, k, v})
        for (float& value : row) value = std::clamp(value, -*clip_qkv_, *clip_qkv_);
    }
    if (rotary_) rotate(n, q, k);
    if (q_norm_ && rotates_first_) normalize_both();
    if (rotated_norm_) {
      normalize(isa, *rotated_norm_, q);
      normalize(isa, *rotated_norm_, k);
    }
    if (temperature_) kernels::multiply(isa, q, temperature_->factor(n));
    if (v_scale_ != 1.0F) kernels::multiply(isa, v, v_scale_);
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
  std::size_t value_dim_;
  std::vector<HeadGroup> head_groups_;
  Linear q_;
  Linear k_;
  std::optional<Linear> v_;
  Linear o_;
  std::optional<RmsNorm> q_norm_;  // both or none
  std::optional<RmsNorm> k_norm_;
  bool rotates_first_;                   // before these norms
  std::optional<RmsNorm> v_norm_;        // not a parameter: its gains are 1
  std::optional<RmsNorm> rotated_norm_;  // the same
  std::optional<OutputGate> gate_;
  std::optional<Tensor<float, 1>> sinks_;  // [heads]
  bool gated_rows_;                        // q_proj has those of the gate, too: head by head, after its own
  float scale_;
  float v_scale_;
  std::optional<float> clip_qkv_;
  std::optional<QueryTemperature> temperature_;
  std::shared_ptr<const Rotary> rotary_;  // for heads of head_dim; its tables serve all layers; may be null
};

}  // namespace trine::inline TRINE_ABI
