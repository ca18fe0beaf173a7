// SPDX-License-Identifier: Apache-2.0
// From hidden rows to outputs: the final norm, a mean over the sites of a frame if outputs belong to frames, and a
// linear map.
#pragma once

#include <cmath>
#include <cstddef>
#include <optional>
#include <span>
#include <utility>

#include <trine/core/workspace.hpp>
#include <trine/nn/linear.hpp>
#include <trine/nn/rms_norm.hpp>
#include <trine/platform/parallel_rows.hpp>

namespace trine::inline TRINE_ABI {

/// What becomes of logits z at the end: scale z, then softcap tanh(z / softcap), which stays within [-softcap, softcap]
/// (Gemma Team 2024, arXiv:2408.00118).
struct LogitOptions {
  float scale = 1.0F;                           ///< no unit
  std::optional<float> softcap = std::nullopt;  ///< positive
};

/// out[f] = W mean_s(RMSNorm(h[f * pool + s])) + b. Language models have pool = 1: one row of logits per token.
class OutputHead {
 public:
  /// pool: rows that share an output, the sites of a frame; 1 for logits
  OutputHead(RmsNorm norm, Linear linear, std::size_t pool, const LogitOptions& logits = {})
      : norm_(std::move(norm)), linear_(std::move(linear)), pool_(pool), logits_(logits) {}

  /// Rows that share an output.
  [[nodiscard]] std::size_t pool() const noexcept { return pool_; }
  /// Width of an output: the vocabulary, classes, or values.
  [[nodiscard]] std::size_t num_outputs() const noexcept { return linear_.out(); }
  /// Number of gains in the final norm.
  [[nodiscard]] std::size_t norm_parameters() const noexcept { return norm_.parameters(); }
  /// W and b, [num_outputs, hidden].
  [[nodiscard]] const Linear& linear() const noexcept { return linear_; }

  /// h: [rows, hidden], whole frames if pool > 1   out: [rows / pool, num_outputs]
  void forward(const ForwardContext& context, View<const float, 2> h, View<float, 2> out) const {
    const Workspace::Scope scope(context.workspace);
    const View<float, 2> normed = context.workspace.take_matrix<float>(h.extent(0), h.extent(1));
    norm_.forward(context, h, normed);
    if (pool_ > 1) {
      for (std::size_t f = 0; f < out.extent(0); ++f) {
        const std::span<float> mean = normed.row(f);  // row f * pool >= f, so nothing unread is overwritten
        for (std::size_t i = 0; i < mean.size(); ++i) {
          float sum = 0.0F;
          for (std::size_t s = 0; s < pool_; ++s) sum += normed(f * pool_ + s, i);
          mean[i] = sum / static_cast<float>(pool_);
        }
      }
    }
    linear_.forward(context, normed.slice(0, out.extent(0)), out);
    finish(context.execution, out.span());
  }

 private:
  void finish(const ExecutionContext& execution, std::span<float> logits) const {
    if (logits_.scale == 1.0F && !logits_.softcap) return;
    constexpr std::size_t kTanhCost = 8;  // as passes over a value
    parallel_rows(execution, logits.size(), kTanhCost, [&](std::size_t i) {
      logits[i] *= logits_.scale;
      if (logits_.softcap) logits[i] = *logits_.softcap * std::tanh(logits[i] / *logits_.softcap);
    });
  }

  RmsNorm norm_;
  Linear linear_;
  std::size_t pool_;
  LogitOptions logits_;
};

}  // namespace trine::inline TRINE_ABI
