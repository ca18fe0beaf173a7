// SPDX-License-Identifier: Apache-2.0
// The short causal convolution before a delta rule: of queries, keys and values, channel by channel.
#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <string_view>

#include <trine/attention/convolution_window.hpp>
#include <trine/cache/recurrent_state_layout.hpp>
#include <trine/core/tensor.hpp>
#include <trine/kernels/vector_math.hpp>
#include <trine/nn/forward_context.hpp>
#include <trine/weights/weight_scope.hpp>

namespace trine::inline TRINE_ABI {

/// y_n = silu(sum_t w_t x_(n - taps + 1 + t)) of each channel, rows before the sequence being zero.
class HeadConvolution {
 public:
  static constexpr std::size_t kMaxTaps = 16;  ///< of a filter

  /// All filters are zero until read.
  HeadConvolution(std::size_t channels, std::size_t taps) : filters_({taps, channels}) {}

  /// Reads the filters [count, 1, taps] of channels [first, first + count). Throws WeightError.
  void read(const WeightScope& scope, std::string_view name, std::size_t first, std::size_t count) {
    const Tensor<float, 3> stored = scope.read_filters(name, count, taps());
    for (std::size_t c = 0; c < count; ++c)
      for (std::size_t t = 0; t < taps(); ++t) filters_.view().row(t)[first + c] = stored.data()[c * taps() + t];
  }

  /// Number of channels, each with a filter of its own.
  [[nodiscard]] std::size_t channels() const noexcept { return filters_.view().extent(1); }
  /// Rows that a filter spans.
  [[nodiscard]] std::size_t taps() const noexcept { return filters_.view().extent(0); }
  /// Number of weights.
  [[nodiscard]] std::size_t parameters() const noexcept { return filters_.size(); }

  /// Some channels of the rows of a pass become those of their convolution, and if there is a length, rows of it; they
  /// are kept as they were for the convolutions to come.   before: memory for [taps - 1, width]
  void apply(Isa isa, const RecurrentStateLayout::Writer& pages, const SequenceSlice& pass,
             const ConvolutionWindow::Channels& part, const float* length, float* before) const {
    const ConvolutionWindow window(pages, pass.position, pass.rows, channels(), taps() - 1, part, before);
    window.keep();
    std::array<const float*, kMaxTaps> rows{};
    for (std::size_t row = pass.rows; row-- > 0;) {  // downwards: a row needs those before it
      for (std::size_t t = 0; t < taps(); ++t) rows[t] = window[row + t];
      const std::span<float> y(part.rows + row * part.ld, part.width);
      kernels::convolve_silu_row(isa, rows.data(), taps(), filters_.data() + part.channel, channels(), y);
      if (length != nullptr) kernels::l2_normalize_row(isa, y, kNormEpsilon, *length);
    }
  }

 private:
  static constexpr float kNormEpsilon = 1e-6F;  // added to the square of the length of a row

  Tensor<float, 2> filters_;  // [taps, channels]
};

}  // namespace trine::inline TRINE_ABI
