// SPDX-License-Identifier: Apache-2.0
// Multi-head latent attention: keys and values of all heads are linear maps of one small vector a token, which alone is
// remembered. DeepSeek-AI, "DeepSeek-V2", 2024, arXiv:2405.04434, section 2.1. docs/design/latent-attention.md compares
// the two forms.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include <trine/attention/attention.hpp>
#include <trine/attention/chunking.hpp>
#include <trine/attention/streamed_attention.hpp>
#include <trine/cache/latent_rows.hpp>
#include <trine/kernels/cache_rows.hpp>
#include <trine/kernels/matmul.hpp>
#include <trine/kernels/transpose.hpp>
#include <trine/nn/linear.hpp>
#include <trine/nn/rms_norm.hpp>
#include <trine/nn/rotary.hpp>
#include <trine/quant/panel_copy.hpp>

namespace trine::inline TRINE_ABI {

struct LatentAttentionOptions {
  std::size_t hidden_size = 0;
  std::size_t num_heads = 0;
  std::optional<std::size_t> q_lora_rank = std::nullopt;  // without: queries straight from x
  std::size_t kv_lora_rank = 0;                           // C, width of the latent
  std::size_t qk_nope_head_dim = 0;                       // N, part of a query or key without position
  std::size_t qk_rope_head_dim = 0;                       // R, part that is rotated
  std::size_t v_head_dim = 0;                             // D
  float softmax_scale = 0.0F;   // of the whole score: (N + R)^-0.5 times latent_softmax_correction
  bool attention_bias = false;  // of q_a_proj, kv_a_proj_with_mqa and o_proj
  float norm_epsilon = 1e-6F;   // of both latent norms; rms_norm_eps does not change it in transformers
  std::optional<Chunking> chunking = std::nullopt;
};

/// The form that takes fewer multiply-adds for `rows` rows of one sequence, the last of which sees `keys` positions,
/// rows <= keys; absorbed for a single row wherever it is. docs/design/latent-attention.md compares it with the clock.
[[nodiscard]] inline LatentAttentionForm cheaper_form(const LatentAttentionOptions& options, std::size_t rows,
                                                      std::size_t keys) noexcept {
  const auto cost = [](std::size_t count, std::size_t width) {
    return static_cast<double>(count) * static_cast<double>(width);
  };
  const std::size_t made = options.kv_lora_rank * (options.qk_nope_head_dim + options.v_head_dim);
  const std::size_t pairs = rows * keys - rows * (rows - 1) / 2;
  const double naive =
      cost(keys, made) + cost(pairs, options.qk_nope_head_dim + options.qk_rope_head_dim + options.v_head_dim);
  const double absorbed = cost(rows, made) + cost(pairs, 2 * options.kv_lora_rank + options.qk_rope_head_dim);
  return rows == 1 || absorbed <= naive ? LatentAttentionForm::absorbed : LatentAttentionForm::naive;
}

/// For a token x, position n, and head h:
///   q_h = [q_n | q_r]: N + R rows of q_b_proj RMSNorm(q_a_proj x), or of q_proj x              q_r rotated by n
///   [l | r] = kv_a_proj_with_mqa x;   c = RMSNorm(l), k = r rotated by n                       remembered: [c | k]
///   score_h(m) = softmax_scale * (q_n . U_h c_m + q_r . k_m)
///   z_h = sum_m softmax_m(score_h(m)) V_h c_m,  m <= n                                         y = [z of all heads]
///   W_o
/// with U_h [N, C] and V_h [D, C] the rows of kv_b_proj for head h. The absorbed form moves U_h and V_h out of the sum:
///   score_h(m) = softmax_scale * ((U_h^T q_n) . c_m + q_r . k_m)        z_h = V_h sum_m softmax_m(score_h(m)) c_m
/// Softmax in f32, in pieces that end at multiples of kKeyPiece, keys ascending: the bits of a row depend
/// on the form and what it sees, not on the batch or on threads.
class LatentAttention : public Attention {
 public:
  /// Reads "q_proj" [heads * (N + R), hidden], or "q_a_proj" [q_lora_rank, hidden], "q_a_layernorm" and "q_b_proj"
  /// [heads * (N + R), q_lora_rank]; "kv_a_proj_with_mqa" [C + R, hidden], "kv_a_layernorm", "kv_b_proj" [heads * (N +
  /// D), C] and "o_proj" [hidden, heads * D]. `rotary` turns heads of R. Throws WeightError.
  LatentAttention(const WeightScope& scope, const LatentAttentionOptions& options, std::shared_ptr<const Rotary> rotary)
      : options_(options),
        width_(options.kv_lora_rank + options.qk_rope_head_dim),
        head_dim_(options.qk_nope_head_dim + options.qk_rope_head_dim),
        q_(scope / (options.q_lora_rank ? "q_b_proj" : "q_proj"), options.q_lora_rank.value_or(options.hidden_size),
           options.num_heads * head_dim_),
        kv_a_(scope / "kv_a_proj_with_mqa", options.hidden_size, width_, bias()),
        kv_norm_(scope / "kv_a_layernorm", options.kv_lora_rank, options.norm_epsilon),
        kv_b_((scope / "kv_b_proj").unpacked("read by head and transposed"), options.kv_lora_rank,
              options.num_heads * (options.qk_nope_head_dim + options.v_head_dim)),
        o_(scope / "o_proj", options.num_heads * options.v_head_dim, options.hidden_size, bias()),
        rotary_(std::move(rotary)) {
    if (!options.q_lora_rank) return;
    q_a_.emplace(scope / "q_a_proj", options.hidden_size, *options.q_lora_rank, bias());
    q_norm_.emplace(scope / "q_a_layernorm", *options.q_lora_rank, options.norm_epsilon);
  }

  [[nodiscard]] AttentionCache make_cache(CacheType type = CacheType::f32) const override {
    return {type, {CachePages(LatentShape{width_, type}.page_bytes())}};
  }

  [[nodiscard]] std::vector<std::size_t> cache_pages(std::size_t tokens) const override {
    return {LatentShape::pages(tokens)};
  }

  [[nodiscard]] bool truncate(AttentionCache& cache, std::size_t, std::size_t to) const override {
    cache.tables[0].truncate(LatentShape::pages(to));
    return true;
  }

  [[nodiscard]] std::size_t parameters() const override {
    return (q_a_ ? q_a_->parameters() + q_norm_->parameters() : 0) + q_.parameters() + kv_a_.parameters() +
           kv_norm_.parameters() + kv_b_.parameters() + o_.parameters();
  }

  void forward(const Execution& execution, Workspace& workspace, View<const float, 2> x,
               std::span<const SequenceRows> sequences, View<float, 2> y) const override {
    const Workspace::Scope scope(workspace);
    const std::size_t rows = x.extent(0);
    const View<float, 2> q = workspace.take_matrix<float>(rows, q_.out());
    const View<float, 2> latent = workspace.take_matrix<float>(rows, width_);
    const View<float, 2> z = workspace.take_matrix<float>(rows, o_.in());
    project(execution, workspace, x, q, latent);
    for (const SequenceRows& sequence : sequences) {
      const Tokens cache{{width_, sequence.cache->type}, sequence.cache->tables[0]};
      for (std::size_t r = 0; r < sequence.rows; ++r) {
        const std::span<float> row = latent.row(sequence.first_row + r);
        norm_and_rotate(execution, row, sequence.position + r);
        store_latent(cache.shape, sequence.cache->tables[0], sequence.position + r, row);
      }
      rotate_queries(execution, sequence, q);
      for (SequenceRows part = sequence; part.position < sequence.position + sequence.rows;) {
        const std::size_t left = sequence.position + sequence.rows - part.position;
        part.rows = options_.chunking ? std::min(left, options_.chunking->left(part.position)) : left;
        const std::size_t first = options_.chunking ? options_.chunking->first(part.position) : 0;
        LatentAttentionForm form = execution.latent_form;
        if (form == LatentAttentionForm::automatic)
          form = cheaper_form(options_, part.rows, part.position + part.rows - first);
        if (form == LatentAttentionForm::absorbed) {
          attend_absorbed(execution, workspace, part, first, cache, q, z);
        } else {
          attend_naive(execution, workspace, part, first, cache, q, z);
        }
        part.first_row += part.rows;
        part.position += part.rows;
      }
    }
    o_.forward(execution, workspace, z, y);
  }

 private:
  // What is remembered.
  struct Tokens {
    LatentShape shape;
    const CachePages& pages;

    // Numbers of scratch that `page` wants.
    [[nodiscard]] std::size_t scratch() const noexcept {
      return shape.type == CacheType::f32 ? 0 : kBlock * shape.width;
    }
    // The first `count` rows of a page as f32, [count, width].
    const float* page(Isa isa, std::size_t page, std::size_t count, std::span<float> loaded) const noexcept {
      const std::byte* stored = pages.read(page);
      if (shape.type == CacheType::f32) return reinterpret_cast<const float*>(stored);
      const float* scales = reinterpret_cast<const float*>(stored + shape.element_bytes());
      kernels::load_cache_rows(isa, {shape.type, stored, shape.width, scales, shape.groups()}, count, shape.width,
                               loaded.data(), shape.width);
      return loaded.data();
    }
  };

  [[nodiscard]] Linear::Bias bias() const noexcept {
    return options_.attention_bias ? Linear::Bias::yes : Linear::Bias::no;
  }
  // U_h [N, C] above V_h [D, C]
  [[nodiscard]] WeightMatrix head_rows(std::size_t head) const noexcept {
    const std::size_t rows = options_.qk_nope_head_dim + options_.v_head_dim;
    return kv_b_.weight().row_range(head * rows, rows);
  }
  [[nodiscard]] WeightMatrix key_rows(const WeightMatrix& head) const noexcept {
    return head.row_range(0, options_.qk_nope_head_dim);
  }
  [[nodiscard]] WeightMatrix value_rows(const WeightMatrix& head) const noexcept {
    return head.row_range(options_.qk_nope_head_dim, options_.v_head_dim);
  }
  // Does the naive form copy the rows of a head to panels? They lie as both forms can read them, but tiles take bf16 in
  // panels only.
  [[nodiscard]] bool copies_heads(const Execution& execution) const noexcept {
    const WeightMatrix& w = kv_b_.weight();
    const std::size_t panel_rows = panel_copy_layout(w.rows, w.columns).row_block;
    return execution.activations == Activations::native && kernels::gains_from_panels(execution.isa, w) &&
           options_.qk_nope_head_dim % panel_rows == 0 && options_.v_head_dim % panel_rows == 0;
  }

  void project(const Execution& execution, Workspace& workspace, View<const float, 2> x, View<float, 2> q,
               View<float, 2> latent) const {
    const Workspace::Scope scope(workspace);
    const Linear& first = q_a_ ? *q_a_ : q_;
    const kernels::ActivationRows rows = kernels::prepare(execution, workspace, x, {&first.weight(), &kv_a_.weight()});
    kv_a_.forward(execution, rows, latent);
    if (!q_a_) return q_.forward(execution, rows, q);
    const View<float, 2> low = workspace.take_matrix<float>(x.extent(0), q_a_->out());
    q_a_->forward(execution, rows, low);
    q_norm_->forward(execution, low, low);
    q_.forward(execution, workspace, low, q);
  }

  void rotate_queries(const Execution& execution, const SequenceRows& sequence, View<float, 2> q) const {
    parallel_for(execution, threads_for(execution, sequence.rows * q.extent(1) * 8), sequence.rows, [&](std::size_t r) {
      rotary_->rotate(sequence.position + r, q.row(sequence.first_row + r).subspan(options_.qk_nope_head_dim),
                      head_dim_);
    });
  }

  // The norm covers the latent alone.   latent: [C + R]
  void norm_and_rotate(const Execution& execution, std::span<float> latent, std::size_t position) const {
    const View<float, 2> low(latent.data(), {1, options_.kv_lora_rank});
    kv_norm_.forward(execution, low, low);
    rotary_->rotate(position, latent.subspan(options_.kv_lora_rank));
  }

  // Keys from `begin` on. A task is a head. Its keys and values live for one page of the cache, which serves all rows.
  void attend_naive(const Execution& execution, Workspace& workspace, const SequenceRows& sequence, std::size_t begin,
                    const Tokens& cache, View<const float, 2> q, View<float, 2> z) const {
    const Workspace::Scope scope(workspace);
    const std::size_t value_width = options_.v_head_dim;
    const std::size_t end = sequence.position + sequence.rows;
    const std::size_t threads =
        threads_for(execution, (end - begin) * (kv_b_.parameters() + sequence.rows * q.extent(1)));
    const std::size_t team = team_of(threads, options_.num_heads);
    const View<float, 2> rows = workspace.take_matrix<float>(team, kBlock * head_dim_);
    const View<float, 2> keys = workspace.take_matrix<float>(team, kBlock * head_dim_);
    const View<float, 2> values = workspace.take_matrix<float>(team, kBlock * value_width);
    const View<float, 2> scores = workspace.take_matrix<float>(team, kQueryTile * kKeyPiece);
    const View<float, 2> loaded = workspace.take_matrix<float>(team, cache.scratch());
    const auto softmax = workspace.take_matrix<kernels::StreamingSoftmax>(team, sequence.rows);
    const bool copies = copies_heads(execution);
    const WeightMatrix copied = panel_copy_layout(head_rows(0).rows, options_.kv_lora_rank);
    const std::array<const WeightMatrix*, 1> weight{copies ? &copied : &kv_b_.weight()};
    const std::size_t copy_bytes = copies ? copied.rows / copied.row_block * copied.stride : 0;
    const auto copy = workspace.take_matrix<std::byte>(team, copy_bytes);
    std::vector<kernels::ActivationBuffer> latents;
    for (std::size_t worker = 0; worker < team; ++worker)
      latents.emplace_back(execution, workspace, kBlock, options_.kv_lora_rank, weight, false);
    parallel_for(execution, threads, options_.num_heads, [&](std::size_t head, std::size_t worker) {
      const StreamedRows queries{.q = q.row(sequence.first_row).data() + head * head_dim_,
                                 .ldq = q.extent(1),
                                 .rows = sequence.rows,
                                 .heads = 1,
                                 .sight = {.first = begin, .last = sequence.position + 1, .advance = 1},
                                 .scale = options_.softmax_scale,
                                 .z = z.row(sequence.first_row).data() + head * value_width,
                                 .ldz = z.extent(1),
                                 .softmax = softmax.row(worker).data(),
                                 .scores = scores.row(worker).data()};
      const WeightMatrix weights = copies ? copy_to_panels(head_rows(head), copy.row(worker).data()) : head_rows(head);
      begin_stream(queries, nullptr, value_width);
      for (std::size_t first = begin / kBlock * kBlock; first < end; first += kBlock) {
        const std::size_t count = std::min(kBlock, end - first);
        const float* page = cache.page(execution.isa, first / kBlock, count, loaded.row(worker));
        const kernels::ActivationRows latent = prepare_page(execution, latents[worker], page, count);
        float* row = rows.row(worker).data();
        kernels::gemm(execution, latent, nullptr, 0, count, key_rows(weights), row, head_dim_);
        for (std::size_t m = 0; m < count; ++m)
          std::copy_n(page + m * width_ + options_.kv_lora_rank, options_.qk_rope_head_dim,
                      row + m * head_dim_ + options_.qk_nope_head_dim);
        float* key = keys.row(worker).data();
        kernels::transpose(row, head_dim_, count, head_dim_, key, kBlock);
        float* value = values.row(worker).data();
        kernels::gemm(execution, latent, nullptr, 0, count, value_rows(weights), value, value_width);
        const KeyPart<float> part{key, kBlock, true, value, value_width, count};
        attend_block(execution.isa, queries, KeyBlock<float>{first, {&part, 1}, head_dim_, value_width});
      }
      end_stream(execution.isa, queries, value_width);
    });
  }

  // The latents of a page as the products with kv_b_proj want them.
  [[nodiscard]] kernels::ActivationRows prepare_page(const Execution& execution,
                                                     const kernels::ActivationBuffer& buffer, const float* page,
                                                     std::size_t count) const noexcept {
    if (buffer.rounds())
      for (std::size_t m = 0; m < count; ++m)
        buffer.store(execution.isa, m, 0, {page + m * width_, options_.kv_lora_rank});
    kernels::ActivationRows rows = buffer.rows();
    rows.f32 = {page, width_};
    return rows;
  }

  // Keys from `begin` on. A task is a few rows and a few heads, which share each page of the cache while it is at hand.
  void attend_absorbed(const Execution& execution, Workspace& workspace, const SequenceRows& sequence,
                       std::size_t begin, const Tokens& cache, View<const float, 2> q, View<float, 2> z) const {
    const Workspace::Scope scope(workspace);
    const std::size_t rank = options_.kv_lora_rank;
    const std::size_t end = sequence.position + sequence.rows;
    const std::size_t threads =
        threads_for(execution, sequence.rows * (kv_b_.parameters() + (end - begin) * options_.num_heads * width_));
    const std::size_t heads = std::clamp<std::size_t>(options_.num_heads / threads, 1, kMostHeads);
    const std::size_t groups = (options_.num_heads + heads - 1) / heads;
    const std::size_t tiles = (sequence.rows + kMostRows - 1) / kMostRows;
    const std::size_t team = team_of(threads, groups * tiles);
    const std::size_t most = heads * std::min(kMostRows, sequence.rows);
    const View<float, 2> absorbed = workspace.take_matrix<float>(team, most * width_);
    const View<float, 2> mixed = workspace.take_matrix<float>(team, most * rank);
    const View<float, 2> scores = workspace.take_matrix<float>(team, kQueryTile * kKeyPiece);
    const View<float, 2> loaded = workspace.take_matrix<float>(team, cache.scratch());
    const auto softmax = workspace.take_matrix<kernels::StreamingSoftmax>(team, most);
    parallel_for(execution, threads, groups * tiles, [&](std::size_t task, std::size_t worker) {
      const std::size_t first_head = task % groups * heads;
      const std::size_t my_heads = std::min(heads, options_.num_heads - first_head);
      const std::size_t first_row = task / groups * kMostRows;
      const std::size_t rows = std::min(kMostRows, sequence.rows - first_row);
      const std::size_t row = sequence.first_row + first_row;
      float* query = absorbed.row(worker).data();  // [rows, my_heads, C + R]
      const StreamedRows queries{.q = query,
                                 .ldq = width_,
                                 .rows = rows * my_heads,
                                 .heads = my_heads,
                                 .sight = {.first = begin, .last = sequence.position + first_row + 1, .advance = 1},
                                 .scale = options_.softmax_scale,
                                 .z = mixed.row(worker).data(),  // [rows, my_heads, C]
                                 .ldz = rank,
                                 .softmax = softmax.row(worker).data(),
                                 .scores = scores.row(worker).data()};
      for (std::size_t h = 0; h < my_heads; ++h) {
        const float* head = q.row(row).data() + (first_head + h) * head_dim_;
        kernels::gemm(execution.isa, head, q.extent(1), rows, key_rows(head_rows(first_head + h)).transpose(),
                      query + h * width_, my_heads * width_);
        for (std::size_t r = 0; r < rows; ++r)
          std::copy_n(head + r * q.extent(1) + options_.qk_nope_head_dim, options_.qk_rope_head_dim,
                      query + (r * my_heads + h) * width_ + rank);
      }
      begin_stream(queries, nullptr, rank);
      const std::size_t my_end = queries.sight.end(rows - 1);
      for (std::size_t first = begin / kBlock * kBlock; first < my_end; first += kBlock) {
        const std::size_t count = std::min(kBlock, my_end - first);
        const float* page = cache.page(execution.isa, first / kBlock, count, loaded.row(worker));
        const KeyPart<float> part{page, width_, false, page, width_, count};  // values are the beginnings of the keys
        attend_block(execution.isa, queries, KeyBlock<float>{first, {&part, 1}, width_, rank});
      }
      end_stream(execution.isa, queries, rank);
      for (std::size_t h = 0; h < my_heads; ++h)
        kernels::gemm(execution.isa, queries.z + h * rank, my_heads * rank, rows, value_rows(head_rows(first_head + h)),
                      z.row(row).data() + (first_head + h) * options_.v_head_dim, z.extent(1));
    });
  }

  // One thread where waking others costs more than `work` multiply-adds.
  [[nodiscard]] static std::size_t threads_for(const Execution& execution, std::size_t work) noexcept {
    return work < kernels::kTaskWork ? 1 : execution.num_workers();
  }
  [[nodiscard]] static std::size_t team_of(std::size_t threads, std::size_t tasks) noexcept {
    return std::max<std::size_t>(1, std::min(threads, tasks));
  }

  static constexpr std::size_t kBlock = LatentShape::kPageRows;  // keys of a piece of softmax
  static_assert(kBlock == kKeyPiece);
  static constexpr std::size_t kMostHeads = 8;  // heads and rows of an absorbed task
  static constexpr std::size_t kMostRows = 16;

  LatentAttentionOptions options_;
  std::size_t width_;     // C + R: a row of the cache
  std::size_t head_dim_;  // N + R: a query of one head
  std::optional<Linear> q_a_;
  std::optional<RmsNorm> q_norm_;
  Linear q_;
  Linear kv_a_;
  RmsNorm kv_norm_;
  Linear kv_b_;  // only its rows are used, head by head
  Linear o_;
  std::shared_ptr<const Rotary> rotary_;  // its tables serve all layers
};

}  // namespace trine::inline TRINE_ABI
