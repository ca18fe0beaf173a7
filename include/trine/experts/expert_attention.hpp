// SPDX-License-Identifier: Apache-2.0
// Expert attention: the outputs of the chosen experts of one token attend to each other.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>

#include <trine/kernels/gemm.hpp>
#include <trine/kernels/vector_math.hpp>
#include <trine/nn/linear.hpp>
#include <trine/nn/rms_norm.hpp>
#include <trine/platform/parallel_rows.hpp>

namespace trine::inline TRINE_ABI {

/// For a token with expert outputs Y [chosen, hidden] and weights g:
///   U = RMSNorm(Y)     Z = MultiHead(U W_q, U W_k, U W_v) over the chosen experts     y += (sum_i g_i Z_i) W_o
/// heads * head_dim is a low rank. There are no positions: apart from rounding, the result does not depend on the order
/// of the experts.
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

  /// Number of weights.
  [[nodiscard]] std::size_t parameters() const noexcept {
    return norm_.parameters() + q_.parameters() + k_.parameters() + v_.parameters() + o_.parameters();
  }

  /// outputs: [assignments, hidden] of all tokens, in order, overwritten; token t has rows [token_begin[t],
  /// token_begin[t+1]) with weights `weight` [assignments]. update: [tokens, hidden], output.
  void forward(const ForwardContext& context, View<float, 2> outputs, std::span<const std::uint32_t> token_begin,
               std::span<const float> weight, View<float, 2> update) const {
    Workspace& workspace = context.workspace;
    const Workspace::Scope scope(workspace);
    const std::size_t assignments = outputs.extent(0);
    const std::size_t tokens = update.extent(0);
    const std::size_t rank = heads_ * head_dim_;
    const View<float, 2> q = workspace.take_matrix<float>(assignments, rank);
    const View<float, 2> k = workspace.take_matrix<float>(assignments, rank);
    const View<float, 2> v = workspace.take_matrix<float>(assignments, rank);
    const View<float, 2> mixed = workspace.take_matrix<float>(tokens, rank);
    norm_.forward(context, outputs, outputs);
    project(context.with_adapters(adapters_of_outputs(context, token_begin)), outputs, {{q_, q}, {k_, k}, {v_, v}});

    std::size_t most = 0;
    for (std::size_t t = 0; t < tokens; ++t) most = std::max<std::size_t>(most, token_begin[t + 1] - token_begin[t]);
    const View<float, 2> scores = workspace.take_matrix<float>(context.execution.num_workers(), most);
    parallel_rows(context.execution, tokens, 4 * most * rank, [&](std::size_t t, std::size_t worker) {
      const std::size_t begin = token_begin[t];
      const std::size_t chosen = token_begin[t + 1] - begin;
      attend(context.execution.isa, q, k, v, begin, weight.subspan(begin, chosen), scores.row(worker).first(chosen),
             mixed.row(t));
    });
    o_.forward(context, mixed, update);
  }

 private:
  // Which outputs belong to tokens with adapters.
  [[nodiscard]] static std::span<const AdapterRows> adapters_of_outputs(const ForwardContext& context,
                                                                        std::span<const std::uint32_t> token_begin) {
    const std::span<AdapterRows> rows = context.workspace.take<AdapterRows>(context.adapters.size());
    std::ranges::transform(context.adapters, rows.begin(), [&](const AdapterRows& tokens) -> AdapterRows {
      const std::size_t first = token_begin[tokens.first];
      return {first, token_begin[tokens.first + tokens.count] - first, tokens.adapters};
    });
    return rows;
  }

  // One token, whose experts have the rows from `begin` on: mixed = sum_i g_i Z_i = sum_ij (g_i p_ij) v_j.
  void attend(Isa isa, View<const float, 2> q, View<const float, 2> k, View<const float, 2> v, std::size_t begin,
              std::span<const float> weight, std::span<float> p, std::span<float> mixed) const {
    const std::size_t rank = heads_ * head_dim_;
    const float scale = 1.0F / std::sqrt(static_cast<float>(head_dim_));
    std::ranges::fill(mixed, 0.0F);
    for (std::size_t column = 0; column < rank; column += head_dim_) {
      for (std::size_t i = 0; i < weight.size(); ++i) {
        kernels::gemm(isa, q.row(begin + i).data() + column, rank, 1, k.row(begin).data() + column, rank, p.size(),
                      head_dim_, p.data(), p.size());
        kernels::softmax_row(isa, p, scale);
        for (float& share : p) share *= weight[i];
        kernels::weighted_sum(isa, p, v.row(begin).data() + column, rank, mixed.subspan(column, head_dim_));
      }
    }
  }

  std::size_t heads_;
  std::size_t head_dim_;
  RmsNorm norm_;
  Linear q_;
  Linear k_;
  Linear v_;
  Linear o_;
};

}  // namespace trine::inline TRINE_ABI
