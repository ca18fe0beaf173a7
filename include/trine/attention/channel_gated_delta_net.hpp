// SPDX-License-Identifier: Apache-2.0
// Kimi Delta Attention: the gated delta rule of gated_delta_net.hpp with a decay for each channel of a key.
// Kimi Team, "Kimi Linear: An Expressive, Efficient Attention Architecture", 2025, arXiv:2510.26692.
// Reference: transformers, models/kimi_linear.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <new>
#include <span>
#include <string>
#include <vector>

#include <trine/attention/attention.hpp>
#include <trine/attention/head_convolution.hpp>
#include <trine/cache/recurrent_state_layout.hpp>
#include <trine/kernels/gemm.hpp>
#include <trine/kernels/online_softmax.hpp>
#include <trine/kernels/vector_math.hpp>
#include <trine/nn/linear.hpp>
#include <trine/nn/rms_norm.hpp>
#include <trine/platform/parallel_rows.hpp>

namespace trine::inline TRINE_ABI {

/// Extents of a layer.
struct ChannelGatedDeltaShape {
  std::size_t hidden = 0;      ///< width of a row
  std::size_t heads = 0;       ///< of queries, keys and values
  std::size_t head_dim = 0;    ///< width of each, and of the inner row of both low-rank gates
  std::size_t taps = 4;        ///< width of the convolution
  float norm_epsilon = 1e-5F;  ///< of the norm before the output

  /// Width of the queries of all heads.
  [[nodiscard]] constexpr std::size_t width() const noexcept { return heads * head_dim; }
};

/// For a row x_n, q, k and v are silu(causal convolution of x W_q, x W_k, x W_v), q and k of length 1, q divided by
/// sqrt(head_dim). For each head, with the state S [head_dim, head_dim], zero before the first row:
///   a_n = exp(-exp(A) softplus(x_n F_a F_b + dt))     decay of each channel of a key
///   b_n = sigmoid(x_n W_b)                            how much is corrected
///   u_n = b_n (v_n - (diag(a_n) S_(n-1))^T k_n)       what the state gets wrong
///   S_n = diag(a_n) S_(n-1) + k_n u_n^T
///   z_n = RMSNorm(S_n^T q_n) * gain * sigmoid(x_n G_a G_b)               y_n = [z_n of all heads] W_o
/// Computed in chunks that begin at multiples of RecurrentStateLayout::kChunk. With S at the beginning of the chunk,
/// and vectors d_nj = a_(j+1) * ... * a_n, d_n = d_nj of the row before the chunk:
///   u_n = b_n (v_n - S^T (d_n * k_n) - sum_(j<n) (k_n . (d_nj * k_j)) u_j)           j in the chunk
///   S_n^T q_n = S^T (d_n * q_n) + sum_(j<=n) (q_n . (d_nj * k_j)) u_j
/// The products d_nj are built up from j = n downwards and never divided, so that no decay is too strong for them. As
/// for GatedDeltaNet, the bits of a row depend neither on how the sequence is cut into passes nor on other sequences.
/// State and sums in f32 whatever the type of the cache.
class ChannelGatedDeltaNet : public Attention {
 public:
  /// Reads "q_proj.weight", "k_proj.weight", "v_proj.weight" [width, hidden], their filters "q_conv1d.weight" and so on
  /// [width, 1, taps], or all in "conv1d.weight" [3 width, 1, taps]; "b_proj.weight" [heads, hidden]; "f_a_proj.weight"
  /// [head_dim, hidden], "f_b_proj.weight" [width, head_dim], "dt_bias" [width] and "A_log" [1, 1, heads, 1], the four
  /// also below "forget_gate"; "g_a_proj.weight", "g_b_proj.weight" as those of f; "o_norm.weight" [head_dim] and
  /// "o_proj.weight" [hidden, width]. Throws WeightError.
  ChannelGatedDeltaNet(const WeightScope& scope, const ChannelGatedDeltaShape& shape)
      : shape_(shape),
        q_(scope / "q_proj", shape.hidden, shape.width()),
        k_(scope / "k_proj", shape.hidden, shape.width()),
        v_(scope / "v_proj", shape.hidden, shape.width()),
        b_(scope.as(TensorRole::router) / "b_proj", shape.hidden, shape.heads),
        f_a_(forget(scope) / "f_a_proj", shape.hidden, shape.head_dim),
        f_b_(forget(scope) / "f_b_proj", shape.head_dim, shape.width()),
        g_a_(scope / "g_a_proj", shape.hidden, shape.head_dim),
        g_b_(scope / "g_b_proj", shape.head_dim, shape.width()),
        out_(scope / "o_proj", shape.width(), shape.hidden),
        convolution_(3 * shape.width(), shape.taps),
        rate_(forget(scope).read_vector<4>("A_log", {1, 1, shape.heads, 1})),
        time_bias_(forget(scope).read_f32("dt_bias", shape.width())),
        norm_(scope / "o_norm", shape.head_dim, shape.norm_epsilon),
        layout_((shape.taps - 1) * convolution_.channels() + shape.width() * shape.head_dim,
                kChunk * (convolution_.channels() + 3 * shape.width())) {
    if (scope.contains("conv1d.weight")) {
      convolution_.read(scope, "conv1d.weight", 0, 3 * shape.width());
    } else {
      for (std::size_t part = 0; part < 3; ++part)
        convolution_.read(scope, std::string(1, "qkv"[part]) + "_conv1d.weight", part * shape.width(), shape.width());
    }
    for (float& a : rate_.view().span()) a = std::exp(a);
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
    std::size_t total = convolution_.parameters() + rate_.size() + time_bias_.size() + norm_.parameters();
    for (const Linear* map : {&q_, &k_, &v_, &b_, &f_a_, &f_b_, &g_a_, &g_b_, &out_}) total += map->parameters();
    return total;
  }

  void forward(const ForwardContext& context, View<const float, 2> x, View<float, 2> y) const override {
    Workspace& workspace = context.workspace;
    const Workspace::Scope scope(workspace);
    const Inputs inputs = project_inputs(context, x);
    const std::span<const SequenceSlice> sequences = context.batch.sequences;
    const std::span<Pass> passes = workspace.take<Pass>(sequences.size());
    for (std::size_t s = 0; s < sequences.size(); ++s)
      ::new (&passes[s]) Pass{sequences[s], {context.state_of(sequences[s]), sequences[s].position, sequences[s].rows}};

    const std::size_t heads = shape_.heads;
    const std::size_t rows = x.extent(0) / sequences.size();  // of a sequence, about
    const View<float, 2> before =
        workspace.take_matrix<float>(context.execution.num_workers(), (shape_.taps - 1) * shape_.head_dim);
    constexpr std::size_t kCost = 16;  // of a channel of a row, in elements that are read or written
    parallel_rows(context.execution, sequences.size() * 3 * heads, kCost * rows * shape_.head_dim,
                  [&](std::size_t task, std::size_t worker) {
                    const Pass& pass = passes[task / (3 * heads)];
                    const std::size_t part = task % (3 * heads) / heads;
                    convolve(context.execution.isa, inputs, pass, part, task % heads, before.row(worker).data());
                  });
    const std::size_t work = x.extent(0) * heads * 3 * shape_.head_dim * shape_.head_dim;
    const std::size_t threads = work < kernels::kTaskWork ? 1 : context.execution.num_workers();
    const std::span<Scratch> scratch = workspace.take<Scratch>(threads);
    for (Scratch& one : scratch) one = make_scratch(workspace);
    parallel_for(context.execution, threads, sequences.size() * heads, [&](std::size_t task, std::size_t worker) {
      update(context.execution.isa, inputs, passes[task / heads], task % heads, scratch[worker]);
    });
    for (const Pass& pass : passes) pass.pages.finish();
    out_.forward(context, inputs.gate, y);
  }

 private:
  static constexpr std::size_t kChunk = RecurrentStateLayout::kChunk;
  static constexpr float kTiny = 1e-30F;  // a smaller decay is 0: denormal numbers would cost a hundred times as much

  // What a row needs: [rows, width] each but for b, [rows, heads].
  struct Inputs {
    std::array<View<float, 2>, 3> qkv;  // overwritten by their convolutions
    View<float, 2> b;
    View<float, 2> forget;
    View<float, 2> gate;  // overwritten by z_n
  };

  // The rows of one sequence, and where its state is written.
  struct Pass {
    const SequenceSlice& slice;
    RecurrentStateLayout::Writer pages;
  };

  // Memory of one thread, for up to kChunk rows.
  struct Scratch {
    View<float, 2> rows;       // [2 chunk, head_dim] d_n k_n, then d_n q_n
    View<float, 2> on_keys;    // [chunk, chunk] k_n . (d_nj k_j)
    View<float, 2> on_values;  // [chunk, chunk] q_n . (d_nj k_j)
    View<float, 2> on_state;   // [2 chunk, head_dim] products of `rows` with the state
    View<float, 2> turned;     // [head_dim, chunk] decayed keys
    std::span<float> decay;    // [head_dim] d_nj
    std::span<float> weight;   // [chunk]
    std::span<float> output;   // [head_dim]
  };

  // The rows of a chunk for one head, those before the pass among them: [kChunk, head_dim] each.
  struct ChunkRows {
    float* key;
    float* u;
    float* decay;  // a_n
  };

  // Small, and an error in a decay grows with every row.
  [[nodiscard]] static WeightScope forget(const WeightScope& scope) {
    const bool nested = scope.contains("forget_gate.dt_bias");
    return (nested ? scope / "forget_gate" : scope).as(TensorRole::router);
  }

  // A border holds the rows before it for the convolution, then S of each head. A chunk holds its rows for the
  // convolution, then for each head its keys, its u, and its decays.
  [[nodiscard]] std::size_t state_at(std::size_t head) const noexcept {
    return (shape_.taps - 1) * convolution_.channels() + head * shape_.head_dim * shape_.head_dim;
  }
  [[nodiscard]] ChunkRows rows_at(float* chunk, std::size_t head) const noexcept {
    const std::size_t one = kChunk * shape_.head_dim;
    float* const first = chunk + kChunk * convolution_.channels() + 3 * head * one;
    return {first, first + one, first + 2 * one};
  }

  [[nodiscard]] Inputs project_inputs(const ForwardContext& context, View<const float, 2> x) const {
    Workspace& workspace = context.workspace;
    const std::size_t rows = x.extent(0);
    const std::size_t width = shape_.width();
    Inputs inputs;
    for (View<float, 2>& one : inputs.qkv) one = workspace.take_matrix<float>(rows, width);
    inputs.b = workspace.take_matrix<float>(rows, shape_.heads);
    inputs.forget = workspace.take_matrix<float>(rows, width);
    inputs.gate = workspace.take_matrix<float>(rows, width);
    const View<float, 2> f = workspace.take_matrix<float>(rows, shape_.head_dim);
    const View<float, 2> g = workspace.take_matrix<float>(rows, shape_.head_dim);
    const auto& [q, k, v] = inputs.qkv;
    project(context, x, {{q_, q}, {k_, k}, {v_, v}, {b_, inputs.b}});
    project(context, x, {{f_a_, f}, {g_a_, g}});
    f_b_.forward(context, f, inputs.forget);
    g_b_.forward(context, g, inputs.gate);
    return inputs;
  }

  // part: 0 for q, 1 for k, 2 for v   before: memory for [taps - 1, head_dim]
  void convolve(Isa isa, const Inputs& inputs, const Pass& pass, std::size_t part, std::size_t head,
                float* before) const {
    const View<float, 2>& rows = inputs.qkv[part];
    const std::size_t column = head * shape_.head_dim;
    const float scale = part == 0 ? 1.0F / std::sqrt(static_cast<float>(shape_.head_dim)) : 1.0F;
    convolution_.apply(isa, pass.pages, pass.slice,
                       {rows.row(pass.slice.first_row).data() + column, rows.extent(1), part * shape_.width() + column,
                        shape_.head_dim},
                       part < 2 ? &scale : nullptr, before);
  }

  [[nodiscard]] Scratch make_scratch(Workspace& workspace) const {
    const std::size_t dim = shape_.head_dim;
    return {workspace.take_matrix<float>(2 * kChunk, dim),
            workspace.take_matrix<float>(kChunk, kChunk),
            workspace.take_matrix<float>(kChunk, kChunk),
            workspace.take_matrix<float>(2 * kChunk, dim),
            workspace.take_matrix<float>(dim, kChunk),
            workspace.take<float>(dim),
            workspace.take<float>(kChunk),
            workspace.take<float>(dim)};
  }

  // The rows of one head, chunk after chunk.
  void update(Isa isa, const Inputs& inputs, const Pass& pass, std::size_t head, const Scratch& scratch) const {
    for (std::size_t row = 0; row < pass.slice.rows;) {
      const std::size_t position = pass.slice.position + row;
      const std::size_t chunk = position / kChunk;
      const std::size_t from = position % kChunk;
      const std::size_t to = std::min(kChunk, from + pass.slice.rows - row);
      const ChunkRows rows = rows_at(pass.pages.chunk(chunk), head);
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
            std::copy_n(next, shape_.head_dim * shape_.head_dim, at);
          }
        });
      }
      row += to - from;
    }
  }

  // Rows [from, to) of a chunk, of which `first` is the first in the batch.   state: [head_dim, head_dim] or null
  void update_chunk(Isa isa, const Inputs& inputs, std::size_t first, std::size_t head, const ChunkRows& rows,
                    std::size_t from, std::size_t to, const float* state, const Scratch& scratch) const {
    const std::size_t count = to - from;
    const std::size_t dim = shape_.head_dim;
    const auto part_of = [&](const View<float, 2>& all, std::size_t i) {
      return all.row(first + i).subspan(head * dim, dim);
    };
    for (std::size_t i = 0; i < count; ++i) {
      const std::size_t n = from + i;
      const std::span<const float> q = part_of(inputs.qkv[0], i);
      const std::span<const float> k = part_of(inputs.qkv[1], i);
      std::ranges::copy(k, rows.key + n * dim);
      decays(head, part_of(inputs.forget, i), rows.decay + n * dim);
      kernels::decayed_dots(isa, k, q, rows.key, rows.decay, n + 1, scratch.on_keys.row(i).data(),
                            scratch.on_values.row(i).data(), scratch.decay);
      for (const std::size_t row : {i, count + i}) {
        std::ranges::copy(row == i ? k : q, scratch.rows.row(row).begin());
        kernels::multiply_inplace(isa, scratch.decay, scratch.rows.row(row));
      }
    }
    const kernels::RowsOf<float> kq{scratch.rows.data(), dim};
    if (state != nullptr)
      kernels::gemm_columns(isa, kq, 2 * count, state, dim, dim, dim, false, scratch.on_state.data(), dim);

    for (std::size_t i = 0; i < count; ++i) {
      const std::size_t n = from + i;
      const float correction = 1.0F / (1.0F + std::exp(-inputs.b.row(first + i)[head]));
      const std::span<float> u(rows.u + n * dim, dim);
      std::ranges::copy(part_of(inputs.qkv[2], i), u.begin());
      kernels::multiply(isa, u, correction);
      if (state != nullptr) add_scaled(isa, -correction, scratch.on_state.row(i), u);
      for (std::size_t j = 0; j < n; ++j) scratch.weight[j] = -correction * scratch.on_keys.row(i)[j];
      kernels::weighted_sum(isa, scratch.weight.first(n), rows.u, dim, u);

      const std::span<float> o = scratch.output;
      std::ranges::fill(o, 0.0F);
      if (state != nullptr) add_scaled(isa, 1.0F, scratch.on_state.row(count + i), o);
      kernels::weighted_sum(isa, scratch.on_values.row(i).first(n + 1), rows.u, dim, o);
      norm_.row(isa, o, o);
      const std::span<float> gate = part_of(inputs.gate, i);
      kernels::sigmoid_multiply(isa, gate, o);
      std::ranges::copy(o, gate.begin());
    }
  }

  // The state after a full chunk:  next = diag(d) S + sum_j (d_j * k_j) u_j^T, with d_j = a_(j+1) * ... of the last row
  void end_chunk(Isa isa, const ChunkRows& rows, const float* state, float* next, const Scratch& scratch) const {
    const std::size_t dim = shape_.head_dim;
    const std::span<float> decay = scratch.decay;
    std::ranges::fill(decay, 1.0F);
    for (std::size_t j = kChunk; j-- > 0;) {
      for (std::size_t i = 0; i < dim; ++i) {
        scratch.turned.row(i)[j] = decay[i] * rows.key[j * dim + i];
        decay[i] *= rows.decay[j * dim + i];
        if (decay[i] < kTiny) decay[i] = 0.0F;
      }
    }
    if (state != nullptr) {
      std::copy_n(state, dim * dim, next);
      for (std::size_t i = 0; i < dim; ++i) kernels::multiply(isa, {next + i * dim, dim}, decay[i]);
    }
    kernels::gemm_columns(isa, kernels::RowsOf<float>{scratch.turned.data(), kChunk}, dim, rows.u, dim, dim, kChunk,
                          state != nullptr, next, dim);
  }

  // a_n of a row for one head.   x: [head_dim] of its forget gate
  void decays(std::size_t head, std::span<const float> x, float* decay) const noexcept {
    const float* const dt = time_bias_.data() + head * shape_.head_dim;
    for (std::size_t i = 0; i < x.size(); ++i) {
      const float step = x[i] + dt[i];
      const float softplus = step > 20.0F ? step : std::log1p(std::exp(step));
      decay[i] = std::exp(-rate_.data()[head] * softplus);
      if (decay[i] < kTiny) decay[i] = 0.0F;
    }
  }

  // y += factor x
  static void add_scaled(Isa isa, float factor, std::span<const float> x, std::span<float> y) noexcept {
    kernels::weighted_sum(isa, {&factor, 1}, x.data(), x.size(), y);
  }

  ChannelGatedDeltaShape shape_;
  Linear q_;
  Linear k_;
  Linear v_;
  Linear b_;
  Linear f_a_;
  Linear f_b_;
  Linear g_a_;
  Linear g_b_;
  Linear out_;
  HeadConvolution convolution_;  // of q, k and v, one after the other
  Tensor<float, 1> rate_;        // [heads] exp(A)
  Tensor<float, 1> time_bias_;   // [width] dt
  RmsNorm norm_;
  RecurrentStateLayout layout_;
};

}  // namespace trine::inline TRINE_ABI
