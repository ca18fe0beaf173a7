// SPDX-License-Identifier: Apache-2.0
// Gated DeltaNet: linear attention with a state that forgets and corrects, of constant size for any context.
// Yang, Kautz & Hatamizadeh, "Gated Delta Networks: Improving Mamba2 with Delta Rule", 2024, arXiv:2412.06464; in
// chunks: Yang et al., "Parallelizing Linear Transformers with the Delta Rule over Sequence Length", 2024,
// arXiv:2406.06484. As in Qwen3-Next: transformers, models/qwen3_next.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include <trine/attention/attention.hpp>
#include <trine/attention/convolution_window.hpp>
#include <trine/cache/recurrent_state_layout.hpp>
#include <trine/kernels/gemm.hpp>
#include <trine/kernels/online_softmax.hpp>
#include <trine/nn/linear.hpp>
#include <trine/nn/rms_norm.hpp>
#include <trine/platform/parallel_rows.hpp>

namespace trine::inline TRINE_ABI {

/// Extents of a layer, and how a checkpoint stores it.
struct GatedDeltaShape {
  /// Which key head a value head h shares.
  enum class ValueHeads : std::uint8_t {
    grouped,  ///< h / (value_heads / key_heads)
    tiled,    ///< h % key_heads: files that conversion has reordered so. Adapters do not fit
  };
  std::size_t hidden = 0;                  ///< width of a row
  std::size_t key_heads = 0;               ///< heads of queries and of keys
  std::size_t value_heads = 0;             ///< a multiple of key_heads
  std::size_t key_dim = 0;                 ///< width of a query and a key
  std::size_t value_dim = 0;               ///< width of a value
  std::size_t taps = 4;                    ///< width of the convolution
  float norm_epsilon = 1e-6F;              ///< of the norm before the output
  ValueHeads order = ValueHeads::grouped;  ///< of the checkpoint

  /// Channels of the convolution: queries, keys and values of all heads.
  [[nodiscard]] constexpr std::size_t channels() const noexcept {
    return 2 * key_heads * key_dim + value_heads * value_dim;
  }
};

/// For a row x_n, c_n = silu(causal convolution of x W_qkv): q, k and v of all heads, q and k of length 1, q divided by
/// sqrt(key_dim). For each value head, with the state S [key_dim, value_dim], zero before the first row:
///   a_n = exp(A softplus(x_n W_a + dt))         decay, A < 0
///   b_n = sigmoid(x_n W_b)                      how much is corrected
///   u_n = b_n (v_n - a_n S_(n-1)^T k_n)         what the state gets wrong
///   S_n = a_n S_(n-1) + k_n u_n^T
///   z_n = RMSNorm(S_n^T q_n) * gain * silu(x_n W_z)             y_n = [z_n of all heads] W_o
/// Computed in chunks that begin at multiples of RecurrentStateLayout::kChunk. With S at the beginning of the chunk,
/// and d_nj = a_(j+1) ... a_n, d_n = d_nj of the row before the chunk:
///   u_n = b_n (v_n - d_n S^T k_n - sum_(j<n) d_nj (k_n . k_j) u_j)           j in the chunk
///   S_n^T q_n = d_n S^T q_n + sum_(j<=n) d_nj (q_n . k_j) u_j
/// A row depends on S and the rows before it in its chunk, whether they came in this pass or before: its bits depend
/// neither on how the sequence is cut into passes nor on other sequences. A single row reads S once; S is written once
/// per chunk. State and sums in f32 whatever the type of the cache.
class GatedDeltaNet : public Attention {
 public:
  /// Reads "conv1d.weight" [channels, 1, taps], "A_log" [value_heads] with A = -exp(A_log), or "A", "dt_bias"
  /// [value_heads], "norm.weight" [value_dim], "out_proj.weight" [hidden, value_heads * value_dim], and the projections
  /// of the input in one of two layouts each:
  ///   "in_proj_qkv.weight", q of all heads, then k and v, and "in_proj_z.weight" [value_heads * value_dim, hidden]; or
  ///   "in_proj_qkvz.weight", for each key head its q, k, and v and z of its value heads;
  ///   "in_proj_b.weight", "in_proj_a.weight" [value_heads, hidden]; or
  ///   "in_proj_ba.weight", for each key head b and a of its value heads. Throws WeightError.
  GatedDeltaNet(const WeightScope& scope, const GatedDeltaShape& shape)
      : shape_(shape),
        is_fused_(scope.contains("in_proj_qkvz.weight")),
        has_fused_gates_(scope.contains("in_proj_ba.weight")),
        qkv_((scope / (is_fused_ ? "in_proj_qkvz" : "in_proj_qkv")).reordered(value_order(2 * keys(), shape.value_dim)),
             shape.hidden, shape.channels() + (is_fused_ ? values() : 0)),
        b_(gates(scope) / (has_fused_gates_ ? "in_proj_ba" : "in_proj_b"), shape.hidden,
           shape.value_heads * (has_fused_gates_ ? 2 : 1)),
        out_((scope / "out_proj").reordered(nullptr, value_order(0, shape.value_dim)), values(), shape.hidden),
        filters_({shape.taps, shape.channels()}),
        decay_(scope.contains("A") ? scope.read_f32("A", shape.value_heads)
                                   : scope.read_f32("A_log", shape.value_heads)),
        time_bias_(scope.read_f32("dt_bias", shape.value_heads)),
        norm_(scope / "norm", shape.value_dim, shape.norm_epsilon),
        layout_((shape.taps - 1) * shape.channels() + shape.value_heads * shape.key_dim * shape.value_dim,
                RecurrentStateLayout::kChunk *
                    (shape.channels() + shape.value_heads * (shape.key_dim + shape.value_dim + 1))) {
    if (shape.order == GatedDeltaShape::ValueHeads::tiled && (is_fused_ || has_fused_gates_))
      scope.fail(is_fused_ ? "in_proj_qkvz.weight" : "in_proj_ba.weight",
                 "expected tiled value heads in tensors apart");
    if (!is_fused_)
      z_.emplace((scope / "in_proj_z").reordered(value_order(0, shape.value_dim)), shape.hidden, values());
    if (!has_fused_gates_) a_.emplace(gates(scope) / "in_proj_a", shape.hidden, shape.value_heads);
    const Tensor<float, 3> stored = scope.read_filters("conv1d.weight", shape.channels(), shape.taps);
    for (std::size_t c = 0; c < shape.channels(); ++c)
      for (std::size_t t = 0; t < shape.taps; ++t) filters_.view().row(t)[c] = stored.data()[c * shape.taps + t];
    if (!scope.contains("A"))
      for (float& a : decay_.view().span()) a = -std::exp(a);
  }

  [[nodiscard]] LayerState make_cache(KvCacheDtype type = KvCacheDtype::f32) const override {
    return layout_.make(type);
  }
  [[nodiscard]] std::vector<std::size_t> cache_pages(std::size_t tokens) const override {
    return RecurrentStateLayout::pages(tokens);
  }
  [[nodiscard]] std::size_t rewind_position(const LayerState& state, std::size_t, std::size_t to) const override {
    return RecurrentStateLayout::rewind_position(state, to);
  }
  void truncate(LayerState& state, std::size_t to) const override { RecurrentStateLayout::truncate(state, to); }

  [[nodiscard]] std::size_t parameters() const override {
    return qkv_.parameters() + (z_ ? z_->parameters() : 0) + b_.parameters() + (a_ ? a_->parameters() : 0) +
           out_.parameters() + filters_.size() + decay_.size() + time_bias_.size() + norm_.parameters();
  }

  void forward(const ForwardContext& context, View<const float, 2> x, View<float, 2> y) const override {
    Workspace& workspace = context.workspace;
    const Workspace::Scope scope(workspace);
    const Inputs inputs = project_inputs(context, x);
    const std::span<const SequenceSlice> sequences = context.batch.sequences;
    const std::span<Pass> passes = workspace.take<Pass>(sequences.size());
    for (std::size_t s = 0; s < sequences.size(); ++s)
      ::new (&passes[s]) Pass{sequences[s], {context.state_of(sequences[s]), sequences[s].position, sequences[s].rows}};

    const std::size_t slices = 2 * shape_.key_heads + shape_.value_heads;
    const std::size_t width = std::max(shape_.key_dim, shape_.value_dim);
    const std::size_t rows = x.extent(0) / sequences.size();  // of a sequence, about
    const View<float, 2> before =
        workspace.take_matrix<float>(context.execution.num_workers(), (shape_.taps - 1) * width);
    constexpr std::size_t kCost = 16;  // of a channel of a row, in elements that are read or written
    parallel_rows(context.execution, sequences.size() * slices, kCost * rows * width,
                  [&](std::size_t task, std::size_t worker) {
                    convolve(context.execution.isa, inputs, passes[task / slices], slice(task % slices),
                             before.row(worker).data());
                  });
    const std::size_t heads = shape_.value_heads;
    const std::size_t work = x.extent(0) * heads * 3 * shape_.key_dim * shape_.value_dim;
    const std::size_t threads = work < kernels::kTaskWork ? 1 : context.execution.num_workers();
    const std::span<Scratch> scratch = workspace.take<Scratch>(threads);
    for (Scratch& one : scratch) one = make_scratch(workspace);
    parallel_for(context.execution, threads, sequences.size() * heads, [&](std::size_t task, std::size_t worker) {
      update(context.execution.isa, inputs, passes[task / heads], task % heads, scratch[worker]);
    });
    for (const Pass& pass : passes) pass.pages.finish();
    out_.forward(context, inputs.output, y);
  }

 private:
  static constexpr std::size_t kChunk = RecurrentStateLayout::kChunk;

  // What a row needs, each in the layout of its projection. q, k and v are overwritten by their convolutions.
  struct Inputs {
    View<float, 2> qkv;
    View<float, 2> z;
    View<float, 2> b;
    View<float, 2> a;
    View<float, 2> output;  // [rows, value_heads * value_dim] z_n; is `z` unless that lies elsewhere
  };

  // The rows of one sequence, and where its state is written.
  struct Pass {
    const SequenceSlice& slice;
    RecurrentStateLayout::Writer pages;
  };

  // Channels that one task convolves: q, k or v of a head.
  struct Slice {
    enum class Kind : std::uint8_t { query, key, value };
    Kind kind;
    std::size_t width;
    std::size_t column;   // in Inputs::qkv
    std::size_t channel;  // of the convolution, and of the rows that are kept
  };

  // Memory of one thread, for up to kChunk rows.
  struct Scratch {
    View<float, 2> rows;      // [2 chunk, key_dim] k, then q
    View<float, 2> on_keys;   // [2 chunk, chunk] their products with keys
    View<float, 2> on_state;  // [2 chunk, value_dim] and with the state
    View<float, 2> turned;    // [key_dim, chunk] decayed keys
    std::span<float> decay;   // [chunk + 1] d_nj of a row, d_n at the end
    std::span<float> weight;  // [chunk]
    std::span<float> output;  // [value_dim]
  };

  [[nodiscard]] std::size_t values() const noexcept { return shape_.value_heads * shape_.value_dim; }
  [[nodiscard]] std::size_t keys() const noexcept { return shape_.key_heads * shape_.key_dim; }
  [[nodiscard]] std::size_t group() const noexcept { return shape_.value_heads / shape_.key_heads; }
  [[nodiscard]] std::size_t key_head(std::size_t head) const noexcept {
    return shape_.order == GatedDeltaShape::ValueHeads::tiled ? head % shape_.key_heads : head / group();
  }

  // Rows of all value heads, `width` each, behind `before` others; the checkpoint has them grouped by key heads.
  [[nodiscard]] IndexOrder value_order(std::size_t before, std::size_t width) const {
    if (shape_.order != GatedDeltaShape::ValueHeads::tiled || group() == 1) return nullptr;
    std::vector<std::uint32_t> order(before + shape_.value_heads * width);
    for (std::size_t i = 0; i < order.size(); ++i) {
      const std::size_t head = (std::max(i, before) - before) / width;
      const std::size_t grouped = head % shape_.key_heads * group() + head / shape_.key_heads;
      order[i] = static_cast<std::uint32_t>(i < before ? i : i + (grouped - head) * width);
    }
    return std::make_shared<const std::vector<std::uint32_t>>(std::move(order));
  }
  // Small, and an error in a decay grows with every row.
  [[nodiscard]] WeightScope gates(const WeightScope& scope) const {
    return scope.as(TensorRole::router).reordered(value_order(0, 1));
  }

  // Columns of head `h` in the projections. Fused ones are [key_heads, what belongs to one].
  [[nodiscard]] std::size_t query_column(std::size_t h) const noexcept {
    return is_fused_ ? h * fused_width() : h * shape_.key_dim;
  }
  [[nodiscard]] std::size_t key_column(std::size_t h) const noexcept {
    return is_fused_ ? h * fused_width() + shape_.key_dim : keys() + h * shape_.key_dim;
  }
  [[nodiscard]] std::size_t value_column(std::size_t h) const noexcept {
    if (!is_fused_) return 2 * keys() + h * shape_.value_dim;
    return h / group() * fused_width() + 2 * shape_.key_dim + h % group() * shape_.value_dim;
  }
  [[nodiscard]] std::size_t z_column(std::size_t h) const noexcept {
    return is_fused_ ? value_column(h) + group() * shape_.value_dim : h * shape_.value_dim;
  }
  [[nodiscard]] std::size_t b_column(std::size_t h) const noexcept {
    return has_fused_gates_ ? h / group() * 2 * group() + h % group() : h;
  }
  [[nodiscard]] std::size_t a_column(std::size_t h) const noexcept {
    return has_fused_gates_ ? b_column(h) + group() : h;
  }
  [[nodiscard]] std::size_t fused_width() const noexcept { return 2 * (shape_.key_dim + group() * shape_.value_dim); }

  [[nodiscard]] Slice slice(std::size_t index) const noexcept {
    const std::size_t k = shape_.key_heads;
    if (index < k) return {Slice::Kind::query, shape_.key_dim, query_column(index), index * shape_.key_dim};
    if (index < 2 * k) return {Slice::Kind::key, shape_.key_dim, key_column(index - k), index * shape_.key_dim};
    const std::size_t h = index - 2 * k;
    return {Slice::Kind::value, shape_.value_dim, value_column(h), 2 * keys() + h * shape_.value_dim};
  }

  // A border holds [taps - 1, channels] rows before it, not convolved, then S of each head. A chunk holds [kChunk,
  // channels] such rows, then for each head its keys, its u, and its decays.
  [[nodiscard]] std::size_t state_at(std::size_t head) const noexcept {
    return (shape_.taps - 1) * shape_.channels() + head * shape_.key_dim * shape_.value_dim;
  }
  [[nodiscard]] std::size_t rows_at(std::size_t head) const noexcept {
    return kChunk * (shape_.channels() + head * (shape_.key_dim + shape_.value_dim + 1));
  }

  [[nodiscard]] Inputs project_inputs(const ForwardContext& context, View<const float, 2> x) const {
    Workspace& workspace = context.workspace;
    const std::size_t rows = x.extent(0);
    Inputs inputs;
    inputs.qkv = workspace.take_matrix<float>(rows, qkv_.out());
    inputs.z = z_ ? workspace.take_matrix<float>(rows, values()) : inputs.qkv;
    inputs.b = workspace.take_matrix<float>(rows, b_.out());
    inputs.a = a_ ? workspace.take_matrix<float>(rows, a_->out()) : inputs.b;
    inputs.output = z_ ? inputs.z : workspace.take_matrix<float>(rows, values());
    if (z_ && a_) {
      project(context, x, {{qkv_, inputs.qkv}, {*z_, inputs.z}, {b_, inputs.b}, {*a_, inputs.a}});
    } else if (z_) {
      project(context, x, {{qkv_, inputs.qkv}, {*z_, inputs.z}, {b_, inputs.b}});
    } else if (a_) {
      project(context, x, {{qkv_, inputs.qkv}, {b_, inputs.b}, {*a_, inputs.a}});
    } else {
      project(context, x, {{qkv_, inputs.qkv}, {b_, inputs.b}});
    }
    return inputs;
  }

  // The rows of a slice become those of its convolution, normalised if they are queries or keys; they are kept as they
  // were for the convolutions to come.   before: memory for [taps - 1, width]
  void convolve(Isa isa, const Inputs& inputs, const Pass& pass, const Slice& slice, float* before) const {
    float* const first = inputs.qkv.row(pass.slice.first_row).data() + slice.column;
    const ConvolutionWindow window(pass.pages, pass.slice.position, pass.slice.rows, shape_.channels(), shape_.taps - 1,
                                   {first, inputs.qkv.extent(1), slice.channel, slice.width}, before);
    window.keep();
    const float scale = slice.kind == Slice::Kind::query ? 1.0F / std::sqrt(static_cast<float>(shape_.key_dim)) : 1.0F;
    std::array<const float*, kMaxTaps> taps{};
    for (std::size_t row = pass.slice.rows; row-- > 0;) {  // downwards: a row needs those before it
      for (std::size_t t = 0; t < shape_.taps; ++t) taps[t] = window[row + t];
      const std::span<float> y(first + row * inputs.qkv.extent(1), slice.width);
      kernels::convolve_silu_row(isa, taps.data(), shape_.taps, filters_.data() + slice.channel, shape_.channels(), y);
      if (slice.kind != Slice::Kind::value) kernels::l2_normalize_row(isa, y, kNormEpsilon, scale);
    }
  }

  [[nodiscard]] Scratch make_scratch(Workspace& workspace) const {
    return {workspace.take_matrix<float>(2 * kChunk, shape_.key_dim),
            workspace.take_matrix<float>(2 * kChunk, kChunk),
            workspace.take_matrix<float>(2 * kChunk, shape_.value_dim),
            workspace.take_matrix<float>(shape_.key_dim, kChunk),
            workspace.take<float>(kChunk + 1),
            workspace.take<float>(kChunk),
            workspace.take<float>(shape_.value_dim)};
  }

  // The rows of one head, chunk after chunk.
  void update(Isa isa, const Inputs& inputs, const Pass& pass, std::size_t head, const Scratch& scratch) const {
    for (std::size_t row = 0; row < pass.slice.rows;) {
      const std::size_t position = pass.slice.position + row;
      const std::size_t chunk = position / kChunk;
      const std::size_t from = position % kChunk;
      const std::size_t to = std::min(kChunk, from + pass.slice.rows - row);
      float* const key = pass.pages.chunk(chunk) + rows_at(head);
      const ChunkRows rows{key, key + kChunk * shape_.key_dim, key + kChunk * (shape_.key_dim + shape_.value_dim)};
      const float* const border = pass.pages.border(chunk);
      const float* const state = border == nullptr ? nullptr : border + state_at(head);
      update_chunk(isa, inputs, pass.slice.first_row + row, head, rows, from, to, state, scratch);
      if (to == kChunk) {
        float* next = nullptr;
        pass.pages.for_each_border(chunk + 1, [&](float* values) {
          float* const at = values + state_at(head);
          if (next == nullptr) {
            next = at;
            end_chunk(isa, rows, state, next, scratch);
          } else {
            std::copy_n(next, shape_.key_dim * shape_.value_dim, at);
          }
        });
      }
      row += to - from;
    }
  }

  // The rows of a chunk for one head, those before the pass among them.
  struct ChunkRows {
    float* key;    // [kChunk, key_dim]
    float* u;      // [kChunk, value_dim]
    float* decay;  // [kChunk] a_n
  };

  // Rows [from, to) of a chunk, of which `first` is the first in the batch.   state: [key_dim, value_dim] or null
  void update_chunk(Isa isa, const Inputs& inputs, std::size_t first, std::size_t head, const ChunkRows& rows,
                    std::size_t from, std::size_t to, const float* state, const Scratch& scratch) const {
    const std::size_t count = to - from;
    const std::size_t dk = shape_.key_dim;
    const std::size_t dv = shape_.value_dim;
    for (std::size_t i = 0; i < count; ++i) {
      const std::span<float> qkv = inputs.qkv.row(first + i);
      const std::span<const float> k = qkv.subspan(key_column(key_head(head)), dk);
      std::ranges::copy(k, rows.key + (from + i) * dk);
      std::ranges::copy(k, scratch.rows.row(i).begin());
      std::ranges::copy(qkv.subspan(query_column(key_head(head)), dk), scratch.rows.row(count + i).begin());
    }
    const kernels::RowsOf<float> kq{scratch.rows.data(), dk};
    kernels::gemm(isa, kq, 2 * count, rows.key, dk, to, dk, scratch.on_keys.data(), kChunk);
    if (state != nullptr)
      kernels::gemm_columns(isa, kq, 2 * count, state, dv, dv, dk, false, scratch.on_state.data(), dv);

    for (std::size_t i = 0; i < count; ++i) {
      const std::size_t n = from + i;
      const float rate = sigmoid(inputs.b.row(first + i)[b_column(head)]);
      const float step = inputs.a.row(first + i)[a_column(head)] + time_bias_.data()[head];
      rows.decay[n] = std::exp(decay_.data()[head] * softplus(step));
      const float since_border = decays(rows.decay, n, scratch.decay);

      const std::span<const float> v = inputs.qkv.row(first + i).subspan(value_column(head), dv);
      const std::span<float> u(rows.u + n * dv, dv);
      std::ranges::copy(v, u.begin());
      kernels::multiply(isa, u, rate);
      if (state != nullptr) add_scaled(isa, -rate * since_border, scratch.on_state.row(i), u);
      for (std::size_t j = 0; j < n; ++j) scratch.weight[j] = -rate * scratch.decay[j] * scratch.on_keys.row(i)[j];
      kernels::weighted_sum(isa, scratch.weight.first(n), rows.u, dv, u);

      const std::span<float> o = scratch.output;
      std::ranges::fill(o, 0.0F);
      if (state != nullptr) add_scaled(isa, since_border, scratch.on_state.row(count + i), o);
      for (std::size_t j = 0; j <= n; ++j) scratch.weight[j] = scratch.decay[j] * scratch.on_keys.row(count + i)[j];
      kernels::weighted_sum(isa, scratch.weight.first(n + 1), rows.u, dv, o);
      norm_.row(isa, o, o);
      const std::span<float> z = inputs.z.row(first + i).subspan(z_column(head), dv);
      kernels::silu_multiply(isa, z, o);
      if (is_fused_) std::ranges::copy(z, inputs.output.row(first + i).subspan(head * dv).begin());
    }
  }

  // The state after a full chunk:  next = d S + sum_j d_j k_j u_j^T, with d_j = a_(j+1) ... of the last row
  void end_chunk(Isa isa, const ChunkRows& rows, const float* state, float* next, const Scratch& scratch) const {
    const std::size_t dk = shape_.key_dim;
    const std::size_t dv = shape_.value_dim;
    const float since_border = decays(rows.decay, kChunk - 1, scratch.decay);
    for (std::size_t i = 0; i < dk; ++i)
      for (std::size_t j = 0; j < kChunk; ++j) scratch.turned.row(i)[j] = scratch.decay[j] * rows.key[j * dk + i];
    if (state != nullptr) {
      std::copy_n(state, dk * dv, next);
      kernels::multiply(isa, {next, dk * dv}, since_border);
    }
    kernels::gemm_columns(isa, kernels::RowsOf<float>{scratch.turned.data(), kChunk}, dk, rows.u, dv, dv, kChunk,
                          state != nullptr, next, dv);
  }

  // d_nj = a_(j+1) ... a_n for j <= n; returns a_0 ... a_n. What has all but decayed is 0: multiplying denormal numbers
  // would cost a hundred times as much.
  static float decays(const float* a, std::size_t n, std::span<float> decay) noexcept {
    constexpr float kTiny = 1e-30F;
    float product = 1.0F;
    for (std::size_t j = n + 1; j-- > 0;) {
      decay[j] = product;
      product *= a[j];
      if (product < kTiny) product = 0.0F;
    }
    return product;
  }

  // y += factor x
  static void add_scaled(Isa isa, float factor, std::span<const float> x, std::span<float> y) noexcept {
    kernels::weighted_sum(isa, {&factor, 1}, x.data(), x.size(), y);
  }
  [[nodiscard]] static float sigmoid(float x) noexcept { return 1.0F / (1.0F + std::exp(-x)); }
  [[nodiscard]] static float softplus(float x) noexcept { return x > 20.0F ? x : std::log1p(std::exp(x)); }

 public:
  static constexpr std::size_t kMaxTaps = 16;  ///< of the convolution

 private:
  static constexpr float kNormEpsilon = 1e-6F;  // added to the square of the length of a query and a key

  GatedDeltaShape shape_;
  bool is_fused_;         // q, k, v and z in one projection
  bool has_fused_gates_;  // b and a in one
  Linear qkv_;
  std::optional<Linear> z_;
  Linear b_;
  std::optional<Linear> a_;
  Linear out_;
  Tensor<float, 2> filters_;    // [taps, channels]
  Tensor<float, 1> decay_;      // [value_heads] A
  Tensor<float, 1> time_bias_;  // [value_heads] dt
  RmsNorm norm_;
  RecurrentStateLayout layout_;
};

}  // namespace trine::inline TRINE_ABI
