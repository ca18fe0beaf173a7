// SPDX-License-Identifier: Apache-2.0
// Multi-head latent attention: keys and values of all heads are linear maps of one small vector per token, the only one
// that is cached. DeepSeek-AI, "DeepSeek-V2", 2024, arXiv:2405.04434, section 2.1. docs/design/latent-attention.md
// compares the two forms. With an indexer, rows attend to selected positions only.
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
#include <trine/attention/attention_block.hpp>
#include <trine/attention/chunking.hpp>
#include <trine/attention/latent_rows.hpp>
#include <trine/attention/latent_up_projection.hpp>
#include <trine/attention/lightning_indexer.hpp>
#include <trine/cache/latent_cache_layout.hpp>
#include <trine/kernels/online_softmax.hpp>
#include <trine/kernels/transpose.hpp>
#include <trine/nn/linear.hpp>
#include <trine/nn/query_temperature.hpp>
#include <trine/nn/rms_norm.hpp>
#include <trine/nn/rotary.hpp>

namespace trine::inline TRINE_ABI {

/// Options, named as in config.json and in the equations below.
struct MlaOptions {
  std::size_t hidden_size = 0;                            ///< width of x
  std::size_t num_heads = 0;                              ///< query heads; the same number of key heads
  std::optional<std::size_t> q_lora_rank = std::nullopt;  ///< nullopt: queries are computed directly from x
  std::size_t kv_lora_rank = 0;                           ///< C, width of the latent
  std::size_t qk_nope_head_dim = 0;                       ///< N, part of a query or key without position
  std::size_t qk_rope_head_dim = 0;                       ///< R, part that is rotated
  std::size_t v_head_dim = 0;                             ///< D
  float softmax_scale = 0.0F;   ///< of the whole score: (N + R)^-0.5 times latent_softmax_correction
  bool attention_bias = false;  ///< of q_a_proj, kv_a_proj_with_mqa and o_proj
  float norm_epsilon = 1e-6F;   ///< of both latent norms; rms_norm_eps does not change it in transformers
  std::optional<Chunking> chunking = std::nullopt;             ///< nullopt: full attention
  std::optional<QueryTemperature> temperature = std::nullopt;  ///< of scores, by position
  std::size_t index_topk = 0;  ///< positions that a row attends to, if more are visible; 0: all
};

/// Returns the form that takes fewer multiply-adds for `rows` rows of one sequence, the last of which sees `keys`
/// positions, rows <= keys; always absorbed for a single row. docs/design/latent-attention.md compares it with measured
/// times.
[[nodiscard]] inline MlaForm cheaper_form(const MlaOptions& options, std::size_t rows, std::size_t keys) noexcept {
  const auto cost = [](std::size_t count, std::size_t width) {
    return static_cast<double>(count) * static_cast<double>(width);
  };
  const std::size_t made = options.kv_lora_rank * (options.qk_nope_head_dim + options.v_head_dim);
  const std::size_t pairs = rows * keys - rows * (rows - 1) / 2;
  const double naive =
      cost(keys, made) + cost(pairs, options.qk_nope_head_dim + options.qk_rope_head_dim + options.v_head_dim);
  const double absorbed = cost(rows, made) + cost(pairs, 2 * options.kv_lora_rank + options.qk_rope_head_dim);
  return rows == 1 || absorbed <= naive ? MlaForm::absorbed : MlaForm::naive;
}

/// For a token x, position n, and head h:
///   q_h = [q_n | q_r]: N + R rows of q_b_proj RMSNorm(q_a_proj x), or of q_proj x              q_r rotated by n
///   [l | r] = kv_a_proj_with_mqa x;   c = RMSNorm(l), k = r rotated by n                       cached: [c | k]
///   score_h(m) = softmax_scale * (q_n . U_h c_m + q_r . k_m)                   times the temperature of n, if any
///   z_h = sum_m softmax_m(score_h(m)) V_h c_m,  m <= n                                     y = [z of all heads] W_o
/// with U_h [N, C] and V_h [D, C] the rows of kv_b_proj for head h. The absorbed form moves U_h and V_h out of the sum:
///   score_h(m) = softmax_scale * ((U_h^T q_n) . c_m + q_r . k_m)        z_h = V_h sum_m softmax_m(score_h(m)) c_m
/// Softmax in f32, in blocks that end at multiples of kKeyBlock, keys ascending: the bits of a row depend on the form
/// and the visible keys, not on the batch or on the number of threads.
///
/// With index_topk, m runs over the positions in ForwardContext::selected where more are visible: the layer's own
/// indexer selects them, or that of an earlier layer. Such rows are always computed in the absorbed form, for which
/// rows of the cache are gathered once for many heads.
class MultiHeadLatentAttention : public Attention {
 public:
  /// Reads "q_proj" [heads * (N + R), hidden], or "q_a_proj" [q_lora_rank, hidden], "q_a_layernorm" and "q_b_proj"
  /// [heads * (N + R), q_lora_rank]; "kv_a_proj_with_mqa" [C + R, hidden], "kv_a_layernorm", "o_proj" [hidden, heads *
  /// D] and what LatentUpProjection reads. `rotary` rotates heads of R. An indexer needs q_lora_rank and the same
  /// index_topk. Throws WeightError.
  MultiHeadLatentAttention(const WeightScope& scope, const MlaOptions& options, std::shared_ptr<const Rotary> rotary,
                           std::optional<LightningIndexer> indexer = std::nullopt)
      : options_(options),
        width_(options.kv_lora_rank + options.qk_rope_head_dim),
        head_dim_(options.qk_nope_head_dim + options.qk_rope_head_dim),
        q_(scope / (options.q_lora_rank ? "q_b_proj" : "q_proj"), options.q_lora_rank.value_or(options.hidden_size),
           options.num_heads * head_dim_),
        kv_a_(scope / "kv_a_proj_with_mqa", options.hidden_size, width_, bias()),
        kv_norm_(scope / "kv_a_layernorm", options.kv_lora_rank, options.norm_epsilon),
        kv_b_(scope, {options.num_heads, options.qk_nope_head_dim, options.v_head_dim, options.kv_lora_rank}),
        o_(scope / "o_proj", options.num_heads * options.v_head_dim, options.hidden_size, bias()),
        rotary_(std::move(rotary)),
        indexer_(std::move(indexer)) {
    if (!options.q_lora_rank) return;
    q_a_.emplace(scope / "q_a_proj", options.hidden_size, *options.q_lora_rank, bias());
    q_norm_.emplace(scope / "q_a_layernorm", *options.q_lora_rank, options.norm_epsilon);
  }

  [[nodiscard]] LayerState make_cache(KvCacheDtype type = KvCacheDtype::f32) const override {
    LayerState state{type, {PageTable(LatentCacheLayout{width_, type}.page_bytes())}};
    if (indexer_) state.tables.emplace_back(indexer_->cache_layout(type).page_bytes());
    return state;
  }

  [[nodiscard]] std::vector<std::size_t> cache_pages(std::size_t tokens) const override {
    return std::vector<std::size_t>(indexer_ ? 2 : 1, LatentCacheLayout::pages(tokens));
  }

  [[nodiscard]] std::size_t rewind_position(const LayerState&, std::size_t, std::size_t to) const override {
    return to;
  }
  void truncate(LayerState& state, std::size_t to) const override {
    for (PageTable& table : state.tables) table.truncate(LatentCacheLayout::pages(to));
  }

  [[nodiscard]] std::size_t selected_positions() const noexcept override { return options_.index_topk; }

  [[nodiscard]] std::size_t parameters() const override {
    return (q_a_ ? q_a_->parameters() + q_norm_->parameters() : 0) + q_.parameters() + kv_a_.parameters() +
           kv_norm_.parameters() + kv_b_.parameters() + o_.parameters() + (indexer_ ? indexer_->parameters() : 0);
  }

  void forward(const ForwardContext& context, View<const float, 2> x, View<float, 2> y) const override {
    Workspace& workspace = context.workspace;
    const Workspace::Scope scope(workspace);
    const std::size_t rows = x.extent(0);
    const View<float, 2> q = workspace.take_matrix<float>(rows, q_.out());
    const View<float, 2> latent = workspace.take_matrix<float>(rows, width_);
    const View<float, 2> z = workspace.take_matrix<float>(rows, o_.in());
    project_latent(context, x, q, latent);
    rotate_and_store(context, q, latent);
    attend(context, q, z);
    o_.forward(context, z, y);
  }

 private:
  [[nodiscard]] Linear::Bias bias() const noexcept {
    return options_.attention_bias ? Linear::Bias::yes : Linear::Bias::no;
  }
  // First row of U_h [N, C] in kv_b_proj; V_h [D, C] follows.
  [[nodiscard]] std::size_t key_row(std::size_t head) const noexcept {
    return head * (options_.qk_nope_head_dim + options_.v_head_dim);
  }

  void project_latent(const ForwardContext& context, View<const float, 2> x, View<float, 2> q,
                      View<float, 2> latent) const {
    if (!q_a_) return project(context, x, {{kv_a_, latent}, {q_, q}});
    const Workspace::Scope scope(context.workspace);
    const View<float, 2> low = context.workspace.take_matrix<float>(x.extent(0), q_a_->out());
    project(context, x, {{kv_a_, latent}, {*q_a_, low}});
    q_norm_->forward(context, low, low);
    q_.forward(context, low, q);
    if (indexer_) indexer_->forward(context, x, low, options_.chunking);
  }

  void rotate_and_store(const ForwardContext& context, View<float, 2> q, View<float, 2> latent) const {
    for (const SequenceSlice& sequence : context.batch.sequences) {  // pages are allocated in this thread
      const std::size_t end = sequence.position + sequence.rows;
      for (std::size_t n = sequence.position; n < end; n = (n / kBlock + 1) * kBlock)
        static_cast<void>(context.state_of(sequence).tables[0].write(n / kBlock));
    }
    parallel_rows(context.execution, q.extent(0), q.extent(1) + width_, [&](std::size_t r) {
      const auto after = std::ranges::upper_bound(context.batch.sequences, r, {}, &SequenceSlice::first_row);
      LayerState& state = context.state_of(*(after - 1));
      const std::size_t position = context.batch.positions[r];
      const std::span<float> row = latent.row(r);  // the norm covers the latent alone
      kv_norm_.row(context.execution.isa, row.first(options_.kv_lora_rank), row.first(options_.kv_lora_rank));
      rotary_->rotate(position, row.subspan(options_.kv_lora_rank));
      store_latent({width_, state.type}, state.tables[0], position, row);
      rotary_->rotate(position, q.row(r).subspan(options_.qk_nope_head_dim), head_dim_);
      if (options_.temperature)
        kernels::multiply(context.execution.isa, q.row(r), options_.temperature->factor(position));
    });
  }

  // Rows of one sequence that attend in the same form to the keys from `begin` on, or to those selected for each. A
  // task of the naive form is a head; one of the absorbed form is a few rows and heads, which share each page of the
  // cache while it is in the CPU's cache. Rows with a selection share only weights, so their tasks have more heads.
  struct Part {
    LatentRows cache;
    std::size_t first_row;
    std::size_t rows;
    std::size_t position;
    std::size_t begin;
    MlaForm form;
    SequenceUpdates updates;          // of kv_b_proj
    View<std::uint32_t, 2> selected;  // [rows, index_topk]; null: all visible keys
    std::size_t task_rows;
    std::size_t task_heads = 1;
    std::size_t head_tasks = 0;
    std::size_t end_task = 0;  // end of the tasks of this part

    [[nodiscard]] std::size_t end() const noexcept { return position + rows; }
    [[nodiscard]] bool selects() const noexcept { return selected.data() != nullptr; }
    [[nodiscard]] std::size_t row_tasks() const noexcept { return (rows + task_rows - 1) / task_rows; }
  };

  // The largest needs of all parts.
  struct Cut {
    std::size_t num_threads = 1;
    std::size_t naive_rows = 0;
    std::size_t absorbed_rows = 0;  // of queries: rows times heads
    bool copies_keys = false;       // to scratch memory
    std::size_t rank = 0;           // of adapters
  };

  void attend(const ForwardContext& context, View<const float, 2> q, View<float, 2> z) const {
    const ExecutionContext& execution = context.execution;
    Workspace& workspace = context.workspace;
    const Workspace::Scope scope(workspace);
    const std::span<Part> parts = cut_parts(context);
    std::size_t work = 0;
    std::size_t selecting = 0;  // tasks of rows with a selection, if they have all heads
    for (const Part& part : parts) {
      const std::size_t keys = part.selects() ? options_.index_topk : part.end() - part.begin;
      work += part.form == MlaForm::naive ? keys * (kv_b_.parameters() + part.rows * q.extent(1))
                                          : part.rows * (kv_b_.parameters() + keys * options_.num_heads * width_);
      selecting += part.selects() ? part.row_tasks() : 0;
    }
    Cut cut;
    cut.num_threads =
        work < kernels::kTaskWork ? 1 : execution.num_workers();  // waking threads costs more than a small task
    std::size_t tasks = 0;
    for (Part& part : parts) {
      if (part.form == MlaForm::naive) {
        cut.naive_rows = std::max(cut.naive_rows, part.rows);
      } else {
        const std::size_t shared = part.selects() ? selecting : parts.size();
        part.task_heads = std::clamp<std::size_t>(options_.num_heads * shared / cut.num_threads, 1,
                                                  part.selects() ? kMaxSelectingHeads : kMaxHeads);
        part.task_heads = std::min(part.task_heads, options_.num_heads);
        cut.absorbed_rows = std::max(cut.absorbed_rows, part.task_heads * std::min(part.rows, part.task_rows));
      }
      part.head_tasks = (options_.num_heads + part.task_heads - 1) / part.task_heads;
      part.end_task = tasks += part.row_tasks() * part.head_tasks;
      cut.copies_keys = cut.copies_keys || part.selects() || part.cache.shape.type != KvCacheDtype::f32;
      cut.rank = std::max(cut.rank, part.updates.rank());
    }
    cut.num_threads = std::max<std::size_t>(1, std::min(cut.num_threads, tasks));
    const std::span<Scratch> scratch = workspace.take<Scratch>(cut.num_threads);
    for (Scratch& one : scratch) one = make_scratch(context, cut);
    parallel_for(execution, cut.num_threads, tasks, [&](std::size_t task, std::size_t worker) {
      std::size_t i = 0;
      while (task >= parts[i].end_task) ++i;
      const Part& part = parts[i];
      const std::size_t own = task - (i == 0 ? 0 : parts[i - 1].end_task);
      if (part.form == MlaForm::naive) {
        attend_naive(execution, part, own, scratch[worker], q, z);
      } else {
        attend_absorbed(execution, part, own % part.head_tasks * part.task_heads,
                        own / part.head_tasks * part.task_rows, scratch[worker], q, z);
      }
    });
  }

  [[nodiscard]] std::span<Part> cut_parts(const ForwardContext& context) const {
    std::size_t most = 0;
    for (const SequenceSlice& sequence : context.batch.sequences) most += options_.chunking ? sequence.rows : 1;
    const std::span<Part> parts = context.workspace.take<Part>(2 * most);
    std::size_t count = 0;
    for (const SequenceSlice& sequence : context.batch.sequences) {
      const LayerState& state = context.state_of(sequence);
      const SequenceUpdates updates = kv_b_.updates(sequence);
      for (std::size_t done = 0; done < sequence.rows;) {
        const std::size_t position = sequence.position + done;
        const std::size_t begin = options_.chunking ? options_.chunking->first(position) : 0;
        std::size_t rows = sequence.rows - done;
        if (options_.chunking) rows = std::min(rows, options_.chunking->left(position));
        const std::size_t first_selecting = begin + options_.index_topk;  // sees one position more than that
        const bool selects = options_.index_topk != 0 && position >= first_selecting;
        if (options_.index_topk != 0 && !selects) rows = std::min(rows, first_selecting - position);
        MlaForm form = selects ? MlaForm::absorbed : context.execution.mla_form;
        if (form == MlaForm::automatic) form = cheaper_form(options_, rows, position + rows - begin);
        parts[count++] = {{{width_, state.type}, &state.tables[0]},
                          sequence.first_row + done,
                          rows,
                          position,
                          begin,
                          form,
                          updates,
                          selects ? context.selected.slice(sequence.first_row + done, rows) : View<std::uint32_t, 2>(),
                          selects                     ? kMaxSelectingRows
                          : form == MlaForm::absorbed ? kMaxRows
                                                      : rows};
        done += rows;
      }
    }
    return parts.first(count);
  }

  // Scratch memory of one thread. Members of one form are empty if no part uses it.
  struct Scratch {
    std::span<float> scores;
    std::span<float> loaded;
    std::span<kernels::OnlineSoftmax> softmax;
    std::span<float> rows;      // naive: keys of a page, as rows
    std::span<float> keys;      // naive: the same, as columns
    std::span<float> values;    // naive
    std::span<std::byte> copy;  // naive: kv_b_proj of a head in panels, if that is faster
    kernels::ActivationBuffer latents;
    std::span<float> absorbed;  // absorbed: queries in latent space
    std::span<float> mixed;     // absorbed: weighted sums of latents
    std::span<float> low_rank;  // adapters
    std::span<float> query;     // absorbed, adapters: rows of one head, multiplied by gains
  };

  [[nodiscard]] Scratch make_scratch(const ForwardContext& context, const Cut& cut) const {
    Workspace& workspace = context.workspace;
    const bool naive = cut.naive_rows > 0;
    const std::size_t rank = options_.kv_lora_rank;
    const std::size_t head_rows = key_row(1);
    const bool copies = naive && copies_heads(context.execution);
    Scratch scratch{.scores = workspace.take<float>(kQueryTile * kKeyBlock),
                    .loaded = workspace.take<float>(cut.copies_keys ? kBlock * width_ : 0),
                    .softmax = workspace.take<kernels::OnlineSoftmax>(std::max(cut.naive_rows, cut.absorbed_rows)),
                    .rows = workspace.take<float>(naive ? kBlock * head_dim_ : 0),
                    .keys = workspace.take<float>(naive ? kBlock * head_dim_ : 0),
                    .values = workspace.take<float>(naive ? kBlock * options_.v_head_dim : 0),
                    .copy = workspace.take<std::byte>(copies ? kv_b_.joined()->copy_bytes(head_rows) : 0),
                    .latents = {},
                    .absorbed = workspace.take<float>(cut.absorbed_rows * width_),
                    .mixed = workspace.take<float>(cut.absorbed_rows * rank),
                    .low_rank = workspace.take<float>(cut.rank * std::max(kBlock, kMaxRows)),
                    .query = workspace.take<float>(cut.rank == 0 ? 0 : kMaxRows * options_.qk_nope_head_dim)};
    if (naive) {
      const Linear key = copies ? kv_b_.joined()->copy_without_weights(head_rows) : kv_b_.key(0);
      const Linear value = copies ? key : kv_b_.value(0);
      scratch.latents = input_buffer(context, kBlock, {&key, &value});
    }
    return scratch;
  }

  [[nodiscard]] bool copies_heads(const ExecutionContext& execution) const noexcept {
    return kv_b_.joined() != nullptr &&
           kv_b_.joined()->wants_copies(execution, {options_.qk_nope_head_dim, options_.v_head_dim});
  }

  // Keys and values of a head are computed page by page, each for all rows of the part.
  void attend_naive(const ExecutionContext& execution, const Part& part, std::size_t head, const Scratch& scratch,
                    View<const float, 2> q, View<float, 2> z) const {
    const std::size_t value_width = options_.v_head_dim;
    const AttentionInputs queries{.key_width = head_dim_,
                                  .value_width = value_width,
                                  .q = q.row(part.first_row).data() + head * head_dim_,
                                  .ldq = q.extent(1),
                                  .rows = part.rows,
                                  .heads = 1,
                                  .visible = {.first = part.begin, .last = part.position + 1, .advance = 1},
                                  .scale = options_.softmax_scale,
                                  .z = z.row(part.first_row).data() + head * value_width,
                                  .ldz = z.extent(1),
                                  .softmax = scratch.softmax.data(),
                                  .scores = scratch.scores.data()};
    const bool copies = !scratch.copy.empty();
    const Linear key_map =
        copies ? kv_b_.joined()->copy_columns(key_row(head), key_row(1), scratch.copy.data()) : kv_b_.key(head);
    const Linear value_map = copies ? key_map : kv_b_.value(head);
    const std::size_t first_value = copies ? options_.qk_nope_head_dim : 0;
    init_attention(queries, nullptr);
    for (std::size_t first = part.begin / kBlock * kBlock; first < part.end(); first += kBlock) {
      const std::size_t count = std::min(kBlock, part.end() - first);
      const float* page = part.cache.within_page(execution.isa, first, count, scratch.loaded.data());
      const kernels::ActivationRows latent = prepare_page(execution, scratch.latents, page, count);
      float* row = scratch.rows.data();
      key_map.forward_columns(execution, latent, nullptr, 0, count, 0, options_.qk_nope_head_dim, row, head_dim_);
      part.updates.add(execution.isa, page, width_, count, key_row(head), options_.qk_nope_head_dim, row, head_dim_,
                       scratch.low_rank.data());
      for (std::size_t m = 0; m < count; ++m)
        std::copy_n(page + m * width_ + options_.kv_lora_rank, options_.qk_rope_head_dim,
                    row + m * head_dim_ + options_.qk_nope_head_dim);
      float* key = scratch.keys.data();
      kernels::transpose(row, head_dim_, count, head_dim_, key, kBlock);
      float* value = scratch.values.data();
      value_map.forward_columns(execution, latent, nullptr, 0, count, first_value, value_width, value, value_width);
      part.updates.add(execution.isa, page, width_, count, key_row(head) + options_.qk_nope_head_dim, value_width,
                       value, value_width, scratch.low_rank.data());
      const KeyValues<float> keys{key, kBlock, true, value, value_width, count};
      attention_block<float>(execution.isa, queries, first, {&keys, 1});
    }
    finalize_attention(execution.isa, queries);
  }

  // The latents of a page in the type that the matmul with kv_b_proj takes.
  [[nodiscard]] kernels::ActivationRows prepare_page(const ExecutionContext& execution,
                                                     const kernels::ActivationBuffer& buffer, const float* page,
                                                     std::size_t count) const noexcept {
    if (buffer.rounds())
      for (std::size_t m = 0; m < count; ++m)
        buffer.store(execution.isa, m, 0, {page + m * width_, options_.kv_lora_rank});
    kernels::ActivationRows rows = buffer.rows();
    rows.f32 = {page, width_};
    return rows;
  }

  // The rows and heads of a task, from `first_row` and `first_head` on.
  void attend_absorbed(const ExecutionContext& execution, const Part& part, std::size_t first_head,
                       std::size_t first_row, const Scratch& scratch, View<const float, 2> q, View<float, 2> z) const {
    const std::size_t rank = options_.kv_lora_rank;
    const std::size_t heads = std::min(part.task_heads, options_.num_heads - first_head);
    const std::size_t rows = std::min(part.task_rows, part.rows - first_row);
    const std::size_t row = part.first_row + first_row;
    float* query = scratch.absorbed.data();  // [rows, heads, C + R]
    const AttentionInputs queries{.key_width = width_,
                                  .value_width = rank,
                                  .q = query,
                                  .ldq = width_,
                                  .rows = rows * heads,
                                  .heads = heads,
                                  .visible = {.first = part.begin, .last = part.position + first_row + 1, .advance = 1},
                                  .scale = options_.softmax_scale,
                                  .z = scratch.mixed.data(),  // [rows, heads, C]
                                  .ldz = rank,
                                  .softmax = scratch.softmax.data(),
                                  .scores = scratch.scores.data()};
    for (std::size_t h = 0; h < heads; ++h) {
      const float* head = q.row(row).data() + (first_head + h) * head_dim_;
      if (part.updates.empty()) {
        kv_b_.key(first_head + h)
            .forward_transposed(execution.isa, head, q.extent(1), rows, 0, options_.qk_nope_head_dim,
                                query + h * width_, heads * width_);
      } else {
        absorb_adapted(execution.isa, part.updates, head, q.extent(1), rows, first_head + h, scratch,
                       query + h * width_, heads * width_);
      }
      for (std::size_t r = 0; r < rows; ++r)
        std::copy_n(head + r * q.extent(1) + options_.qk_nope_head_dim, options_.qk_rope_head_dim,
                    query + (r * heads + h) * width_ + rank);
    }
    if (part.selects()) {
      for (std::size_t r = 0; r < rows; ++r)
        attend_to_selected(execution.isa, part, part.selected.row(first_row + r).first(options_.index_topk), r, queries,
                           scratch);
    } else {
      attend_to_visible(execution.isa, part, queries, scratch);
    }
    for (std::size_t h = 0; h < heads; ++h) {
      const std::size_t first = key_row(first_head + h) + options_.qk_nope_head_dim;
      float* value = z.row(row).data() + (first_head + h) * options_.v_head_dim;
      kv_b_.value(first_head + h)
          .forward_columns(execution.isa, queries.z + h * rank, heads * rank, rows, 0, options_.v_head_dim, value,
                           z.extent(1));
      part.updates.add(execution.isa, queries.z + h * rank, heads * rank, rows, first, options_.v_head_dim, value,
                       z.extent(1), scratch.low_rank.data());
    }
  }

  // Keys of the absorbed form are rows of the cache, and their first C elements are the values.
  void attend_to_visible(Isa isa, const Part& part, const AttentionInputs& queries, const Scratch& scratch) const {
    init_attention(queries, nullptr);
    const std::size_t end = queries.visible.end(queries.rows / queries.heads - 1);
    for (std::size_t first = part.begin / kBlock * kBlock; first < end; first += kBlock) {
      const std::size_t count = std::min(kBlock, end - first);
      const float* page = part.cache.within_page(isa, first, count, scratch.loaded.data());
      const KeyValues<float> keys{page, width_, false, page, width_, count};
      attention_block<float>(isa, queries, first, {&keys, 1});
    }
    finalize_attention(isa, queries);
  }
  // The same for row r of the queries: a key is numbered by its place in the selection.
  void attend_to_selected(Isa isa, const Part& part, std::span<const std::uint32_t> selected, std::size_t r,
                          const AttentionInputs& queries, const Scratch& scratch) const {
    AttentionInputs own = queries;
    own.rows = queries.heads;
    own.q += r * own.rows * own.ldq;
    own.z += r * own.rows * own.ldz;
    own.visible = {.last = selected.size()};
    init_attention(own, nullptr);
    float* gathered = scratch.loaded.data();
    for (std::size_t first = 0; first < selected.size(); first += kBlock) {
      const std::size_t count = std::min(kBlock, selected.size() - first);
      part.cache.gather(isa, selected.subspan(first, count), gathered);
      const KeyValues<float> keys{gathered, width_, false, gathered, width_, count};
      attention_block<float>(isa, own, first, {&keys, 1});
    }
    finalize_attention(isa, own);
  }

  // U_h^T q with the adapters of a sequence: y = (q * gains) U_h, and what the low ranks add.
  void absorb_adapted(Isa isa, const SequenceUpdates& updates, const float* head, std::size_t ldq, std::size_t rows,
                      std::size_t h, const Scratch& scratch, float* y, std::size_t ldy) const {
    const std::size_t width = options_.qk_nope_head_dim;
    const std::size_t first = key_row(h);
    float* query = scratch.query.data();
    const auto copy_head = [&] {
      for (std::size_t r = 0; r < rows; ++r) std::copy_n(head + r * ldq, width, query + r * width);
    };
    copy_head();
    updates.apply_gain(first, width, rows, query, width);
    const Linear key = updates.weight() == nullptr ? kv_b_.key(h) : Linear(updates.weight()->row_range(first, width));
    key.forward_transposed(isa, query, width, rows, 0, width, y, ldy);
    if (updates.has_gain()) copy_head();
    updates.add_transposed(isa, query, width, rows, first, width, y, ldy, scratch.low_rank.data());
  }

  static constexpr std::size_t kBlock = LatentCacheLayout::kPageRows;  // keys per block
  static_assert(kBlock == kKeyBlock);
  static constexpr std::size_t kMaxHeads = 8;  // limits of an absorbed task
  static constexpr std::size_t kMaxRows = 16;
  static constexpr std::size_t kMaxSelectingHeads = 64;  // of rows with a selection
  static constexpr std::size_t kMaxSelectingRows = 8;

  MlaOptions options_;
  std::size_t width_;     // C + R: a row of the cache
  std::size_t head_dim_;  // N + R: a query of one head
  std::optional<Linear> q_a_;
  std::optional<RmsNorm> q_norm_;
  Linear q_;
  Linear kv_a_;
  RmsNorm kv_norm_;
  LatentUpProjection kv_b_;
  Linear o_;
  std::shared_ptr<const Rotary> rotary_;  // its tables are shared by all layers
  std::optional<LightningIndexer> indexer_;
};

}  // namespace trine::inline TRINE_ABI
