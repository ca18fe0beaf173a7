// SPDX-License-Identifier: Apache-2.0
// The dynamic router of the native architecture: attention between a token and the keys of the experts.
// Balancing without an auxiliary loss: DeepSeek-AI, "DeepSeek-V3 Technical Report", 2024, arXiv:2412.19437.
#pragma once

#include <cmath>
#include <cstdint>

#include <trine/nn/linear.hpp>
#include <trine/routing/top_k_router.hpp>

namespace trine::inline TRINE_ABI {

/// Affinities by scaled dot products of a query with the keys of the experts:
///   a_e = (W_q x) . key_e / sqrt(key_dim)      p = sigmoid(a) or softmax(a)
class AttentionRouter : public TopKRouter {
 public:
  /// Reads "query.weight" [key_dim, hidden], "keys" [experts, key_dim] and, if present, "balance_bias" [experts].
  AttentionRouter(const WeightScope& scope, std::size_t hidden, std::size_t experts, std::size_t key_dim,
                  RouterScore score, const TopKOptions& choice, const CombineWeights& combine)
      : TopKRouter(experts, score, choice, combine, std::nullopt, scope.read_f32_if_present("balance_bias", experts),
                   1.0F / std::sqrt(static_cast<float>(key_dim))),
        query_(scope / "query", hidden, key_dim),
        keys_(scope.matrix("keys", experts, key_dim)) {}

  [[nodiscard]] std::size_t parameters() const override {
    return query_.parameters() + keys_.parameters() + extra_parameters();
  }

 protected:
  void logits(const ForwardContext& context, View<const float, 2> x, View<float, 2> logits) const override {
    const Workspace::Scope scope(context.workspace);
    const View<float, 2> q = context.workspace.take_matrix<float>(x.extent(0), query_.out());
    query_.forward(context, x, q);
    keys_.forward(context, q, logits);
  }

 private:
  Linear query_;  // [key_dim, hidden]
  Linear keys_;   // [experts, key_dim]
};

}  // namespace trine::inline TRINE_ABI
