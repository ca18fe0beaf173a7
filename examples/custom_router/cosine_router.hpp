// SPDX-License-Identifier: Apache-2.0
// A router of one's own: nothing of it is known to the library.
// Chi et al., "On the Representation Collapse of Sparse Mixture of Experts", 2022. arXiv:2204.09179, section 3.2
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include <trine/json/object_reader.hpp>
#include <trine/nn/linear.hpp>
#include <trine/routing/router.hpp>
#include <trine/routing/router_options.hpp>
#include <trine/routing/router_registry.hpp>
#include <trine/weights/weight_scope.hpp>

/// s_e = cos(W_q x, key_e) / temperature      p = softmax(s)
/// chosen = the k best p;  weight_e = p_e / sum of the chosen p
class CosineRouter : public trine::Router {
 public:
  /// Reads "query.weight" [key_dim, hidden] and "keys" [experts, key_dim] below `scope`; and, to be able to run models
  /// that were trained with the router kind "attention", "balance_bias" [experts], which is added to p for the choice.
  CosineRouter(const trine::WeightScope& scope, const trine::RouterShape& shape, std::size_t key_dim, std::size_t k,
               float temperature)
      : query_(scope / "query", shape.hidden_size, key_dim),
        keys_(scope.matrix("keys", shape.num_experts, key_dim)),
        bias_(shape.num_experts, 0.0F),
        key_norm_(shape.num_experts),
        k_(k),
        temperature_(temperature) {
    if (const auto bias = scope.read_f32_if_present("balance_bias", shape.num_experts))
      bias_.assign(bias->view().span().begin(), bias->view().span().end());
    keys_.weight().visit([&](const auto* key) {
      for (float& norm : key_norm_) {
        for (std::size_t i = 0; i < key_dim; ++i, ++key) norm += static_cast<float>(*key) * static_cast<float>(*key);
        norm = std::sqrt(norm);
      }
    });
  }

  [[nodiscard]] std::size_t num_experts() const override { return keys_.out(); }
  [[nodiscard]] std::size_t max_experts_per_token() const override { return k_; }
  [[nodiscard]] std::size_t parameters() const override { return query_.parameters() + keys_.parameters(); }

  void route(const trine::ForwardContext& context, const trine::RouterInput& input,
             trine::RoutingPlan& plan) const override {
    trine::Workspace& workspace = context.workspace;
    const trine::Workspace::Scope scope(workspace);
    const std::size_t tokens = input.hidden.extent(0);
    const auto q = workspace.take_matrix<float>(tokens, query_.out());
    const auto p = workspace.take_matrix<float>(tokens, num_experts());
    const auto ranking = workspace.take<float>(num_experts());
    const auto chosen = workspace.take<std::uint32_t>(k_);
    const auto weight = workspace.take<float>(k_);
    query_.forward(context.with_f32_activations(), input.hidden, q);
    keys_.forward(context.with_f32_activations(), q, p);
    for (std::size_t t = 0; t < tokens; ++t) {
      float q_norm = 0.0F;
      for (const float value : q.row(t)) q_norm += value * value;
      q_norm = std::sqrt(q_norm);
      for (std::size_t e = 0; e < num_experts(); ++e) p(t, e) /= std::max(q_norm * key_norm_[e], 1e-12F) * temperature_;
      trine::routing::softmax(p.row(t));
      for (std::size_t e = 0; e < num_experts(); ++e) ranking[e] = p(t, e) + bias_[e];
      for (std::size_t e = 0; e < input.allowed.size(); ++e)
        if (input.allowed[e] == 0) ranking[e] = trine::routing::kMasked;
      trine::routing::top_k(ranking, chosen);
      for (std::size_t i = 0; i < k_; ++i) weight[i] = p(t, chosen[i]);
      trine::routing::normalize(weight);
      for (std::size_t i = 0; i < k_; ++i) plan.add(chosen[i], weight[i]);
      plan.end_token();
    }
  }

  /// Reads {"kind": "cosine", "key_dim": 64, "k": 2, "temperature": 0.3}; the registry has taken "kind" already.
  static trine::RouterBuilder parse(trine::ObjectReader& options, const trine::RouterShape& shape) {
    const std::size_t key_dim = options.integer("key_dim", 1, 65536);
    const std::size_t k = options.integer("k", 1, shape.num_experts);
    const auto temperature = static_cast<float>(options.number_or("temperature", 1e-3, 1e3, 0.3));
    return [=](const trine::WeightScope& scope, std::size_t) {
      return std::make_unique<CosineRouter>(scope, shape, key_dim, k, temperature);
    };
  }

 private:
  trine::Linear query_;          // [key_dim, hidden]
  trine::Linear keys_;           // [experts, key_dim]
  std::vector<float> bias_;      // [experts]
  std::vector<float> key_norm_;  // [experts]
  std::size_t k_;
  float temperature_;
};
