// SPDX-License-Identifier: Apache-2.0
// Attention along the expert axis: the outputs of the experts that one token chose look at each other.
#pragma once

#include <cmath>
#include <cstddef>
#include <span>

#include <trine/core/workspace.hpp>
#include <trine/kernels/gemm.hpp>
#include <trine/kernels/vector_math.hpp>
#include <trine/nn/linear.hpp>
#include <trine/nn/rms_norm.hpp>

namespace trine::inline TRINE_ABI {

/// For a token with expert outputs Y [chosen, hidden] and weights g:
///   U = RMSNorm(Y)     Z = MultiHead(U W_q, U W_k, U W_v) over the chosen experts     y += (sum_i g_i Z_i) W_o
/// heads * head_dim is a low rank. No positions: the result does not depend on the order of the experts, but for
/// rounding.
class ExpertAttention {
 public:
  /// Reads "norm.weight" [hidden], "{q,k,v}_proj.weight" [heads * head_dim, hidden], "o_proj.weight" [hidden, heads *
  /// head_dim].
  ExpertAttention(const WeightScope& scope, std::size_t hidden, std::size_t heads, std::size_t head_dim, float epsilon)
      : heads_(heads),
        head_dim_(head_dim),
        norm_(scope / "norm", hidden, epsilon),
        q_(scope / "q_proj", hidden, heads * head_dim),
        k_(scope / "k_proj", hidden, heads * head_dim),
        v_(scope / "v_proj", hidden, heads * head_dim),
        o_(scope / "o_proj", heads * head_dim, hidden) {}

  [[nodiscard]] std::size_t parameters() const noexcept {
    return norm_.parameters() + q_.parameters() + k_.parameters() + v_.parameters() + o_.parameters();
  }

  /// outputs: [assignments, hidden] of all tokens one after the other, overwritten; token t has rows [token_begin[t],
  /// token_begin[t+1]) with weights `weight` [assignments]. update: [tokens, hidden], is written.
  void forward(const Execution& execution, Workspace& workspace, View<float, 2> outputs,
               std::span<const std::uint32_t> token_begin, std::span<const float> weight, View<float, 2> update) const {
    const Workspace::Scope scope(workspace);
    const std::size_t assignments = outputs.extent(0);
    const std::size_t rank = heads_ * head_dim_;
    const View<float, 2> q = workspace.take_matrix<float>(assignments, rank);
    const View<float, 2> k = workspace.take_matrix<float>(assignments, rank);
    const View<float, 2> v = workspace.take_matrix<float>(assignments, rank);
    const View<float, 2> mixed = workspace.take_matrix<float>(update.extent(0), rank);
    norm_.forward(execution, outputs, outputs);
    const kernels::ActivationRows rows =
        kernels::prepare(execution, workspace, outputs, {&q_.weight(), &k_.weight(), &v_.weight()});
    q_.forward(execution, rows, q);
    k_.forward(execution, rows, k);
    v_.forward(execution, rows, v);

    std::size_t most = 0;
    for (std::size_t t = 0; t + 1 < token_begin.size(); ++t)
      most = std::max<std::size_t>(most, token_begin[t + 1] - token_begin[t]);
    const std::span<float> scores = workspace.take<float>(most);
    const float scale = 1.0F / std::sqrt(static_cast<float>(head_dim_));
    for (std::size_t t = 0; t < update.extent(0); ++t) {
      std::ranges::fill(mixed.row(t), 0.0F);
      const std::size_t begin = token_begin[t];
      const std::size_t chosen = token_begin[t + 1] - begin;
      for (std::size_t h = 0; h < heads_; ++h) {
        const std::size_t column = h * head_dim_;
        for (std::size_t i = 0; i < chosen; ++i) {  // mixed += g_i Z_i = sum_j (g_i p_ij) v_j
          const std::span<float> p = scores.first(chosen);
          kernels::gemm(execution.isa, q.row(begin + i).data() + column, rank, 1, k.row(begin).data() + column, rank,
                        chosen, head_dim_, p.data(), chosen);
          kernels::softmax_row(execution.isa, p, scale);
          for (float& share : p) share *= weight[begin + i];
          kernels::weighted_sum(execution.isa, p, v.row(begin).data() + column, rank,
                                mixed.row(t).subspan(column, head_dim_));
        }
      }
    }
    o_.forward(execution, workspace, mixed, update);
  }

 private:
  std::size_t heads_;
  std::size_t head_dim_;
  RmsNorm norm_;
  Linear q_;
  Linear k_;
  Linear v_;
  Linear o_;
};

}  // namespace trine::inline TRINE_ABI
