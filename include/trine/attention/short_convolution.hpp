// SPDX-License-Identifier: Apache-2.0
// A gated short convolution over positions, in the place of attention. Liquid AI, "LFM2", 2025, arXiv:2511.23404; as in
// transformers, models/lfm2_moe.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <new>
#include <optional>
#include <span>
#include <vector>

#include <trine/attention/attention.hpp>
#include <trine/attention/convolution_window.hpp>
#include <trine/kernels/vector_math.hpp>
#include <trine/nn/linear.hpp>
#include <trine/platform/parallel_rows.hpp>

namespace trine::inline TRINE_ABI {

/// B, C, x' = x W_in;   y_n = (C_n * sum_t filter_t * (B x')_(n + t - taps + 1)) W_out, channel by channel. The
/// products B x' of the last positions are all that it keeps of a sequence, in f32 whatever the type of the cache. Rows
/// of a pass do not influence each other but by these, so bits do not depend on how a sequence is cut into passes.
class ShortConvolution : public Attention {
 public:
  /// Reads "conv.weight" [hidden, 1, taps], "in_proj.weight" [3 hidden, hidden], "out_proj.weight" [hidden, hidden]
  /// and, if requested, their biases. Throws WeightError.
  ShortConvolution(const WeightScope& scope, std::size_t hidden, std::size_t taps, Linear::Bias bias)
      : in_(scope / "in_proj", hidden, 3 * hidden, bias),
        out_(scope / "out_proj", hidden, hidden, bias),
        filters_({taps, hidden}),
        layout_((taps - 1) * hidden, RecurrentStateLayout::kChunk * hidden) {
    const Tensor<float, 3> stored = (scope / "conv").read_filters("weight", hidden, taps);
    for (std::size_t c = 0; c < hidden; ++c)
      for (std::size_t t = 0; t < taps; ++t) filters_.view().row(t)[c] = stored.data()[c * taps + t];
    if (bias == Linear::Bias::yes) bias_ = (scope / "conv").read_f32("bias", hidden);
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
    return in_.parameters() + out_.parameters() + filters_.size() + (bias_ ? bias_->size() : 0);
  }

  void forward(const ForwardContext& context, View<const float, 2> x, View<float, 2> y) const override {
    Workspace& workspace = context.workspace;
    const Workspace::Scope scope(workspace);
    const std::size_t hidden = out_.in();
    const View<float, 2> gates = workspace.take_matrix<float>(x.extent(0), in_.out());  // B, C and x' of a row
    const View<float, 2> z = workspace.take_matrix<float>(x.extent(0), hidden);
    in_.forward(context, x, gates);
    const std::span<const SequenceSlice> sequences = context.batch.sequences;
    const std::span<Pass> passes = workspace.take<Pass>(sequences.size());
    for (std::size_t s = 0; s < sequences.size(); ++s)
      ::new (&passes[s]) Pass{sequences[s], {context.state_of(sequences[s]), sequences[s].position, sequences[s].rows}};
    const std::size_t slices = (hidden + kSlice - 1) / kSlice;
    const View<float, 2> before =
        workspace.take_matrix<float>(context.execution.num_workers(), filters_.shape()[0] * kSlice);
    constexpr std::size_t kCost = 8;  // of a channel of a row, in elements that are read or written
    parallel_rows(context.execution, sequences.size() * slices, kCost * x.extent(0) / sequences.size() * kSlice,
                  [&](std::size_t task, std::size_t worker) {
                    convolve(context.execution.isa, gates, passes[task / slices], task % slices * kSlice, z,
                             before.row(worker).data());
                  });
    for (const Pass& pass : passes) pass.pages.finish();
    out_.forward(context, z, y);
  }

  static constexpr std::size_t kMaxTaps = 16;  ///< of the convolution

 private:
  static constexpr std::size_t kSlice = 256;  // channels of a task

  // The rows of one sequence, and where its state is written.
  struct Pass {
    const SequenceSlice& slice;
    RecurrentStateLayout::Writer pages;
  };

  // Channels from `channel` on.
  void convolve(Isa isa, View<float, 2> gates, const Pass& pass, std::size_t channel, View<float, 2> z,
                float* before) const {
    const std::size_t hidden = out_.in();
    const std::size_t width = std::min(kSlice, hidden - channel);
    const std::size_t first = pass.slice.first_row;
    const std::size_t taps = filters_.shape()[0];
    for (std::size_t r = first; r < first + pass.slice.rows; ++r)
      kernels::multiply_inplace(isa, gates.row(r).subspan(2 * hidden + channel, width),
                                gates.row(r).subspan(channel, width));
    const ConvolutionWindow window(pass.pages, pass.slice.position, pass.slice.rows, hidden, taps - 1,
                                   {gates.row(first).data() + channel, gates.extent(1), channel, width}, before);
    window.keep();
    std::array<const float*, kMaxTaps> rows{};
    for (std::size_t r = 0; r < pass.slice.rows; ++r) {
      for (std::size_t t = 0; t < taps; ++t) rows[t] = window[r + t];
      kernels::convolve_gate_row(
          isa, rows.data(), taps, filters_.data() + channel, hidden, bias_ ? bias_->data() + channel : nullptr,
          gates.row(first + r).data() + hidden + channel, z.row(first + r).subspan(channel, width));
    }
  }

  Linear in_;
  Linear out_;
  Tensor<float, 2> filters_;              // [taps, hidden]
  std::optional<Tensor<float, 1>> bias_;  // [hidden]
  RecurrentStateLayout layout_;
};

}  // namespace trine::inline TRINE_ABI
