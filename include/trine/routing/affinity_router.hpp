// SPDX-License-Identifier: Apache-2.0
// What the learned routers share: affinities of each token to each expert, a bias that steers the choice only, a choice
// of top-k or top-p, and weights from the unbiased affinities.
#pragma once

#include <algorithm>
#include <cstddef>
#include <optional>
#include <span>
#include <utility>

#include <trine/core/tensor.hpp>
#include <trine/routing/router.hpp>
#include <trine/routing/steps.hpp>
#include <trine/weights/weight_scope.hpp>

namespace trine::inline TRINE_ABI {

/// How many experts a token gets.
struct ExpertChoice {
  std::size_t k = 2;               // exactly k; or at most k where a threshold is set
  std::optional<float> threshold;  // top-p: until the chosen share of all affinities reaches it
};

/// How the affinities of the chosen become mixing weights.
struct MixingRule {
  bool normalize = true;      // divide by the sum over the chosen
  float routed_scale = 1.0F;  // then multiply
  bool softmax = false;       // before all this: affinities are logits, take their softmax over the chosen
};

/// Groups of experts of which only the best may be chosen from (arXiv:2405.04434).
struct GroupLimit {
  std::size_t n_group = 1;
  std::size_t topk_group = 1;
  std::size_t best_of = 1;  // a group's score: the sum of this many of its best members
};

/// For one token with affinities p [experts] and bias b (zero when absent):
///   r = p + b, groups limited;  chosen = best k of r, or until top-p is reached;  weight_e = p_e [/ sum of the chosen]
///   * routed_scale
class AffinityRouter : public Router {
 public:
  [[nodiscard]] std::size_t num_experts() const override { return experts_; }
  [[nodiscard]] std::size_t max_experts_per_token() const override { return choice_.k; }

  void route(const Execution& execution, Workspace& workspace, const RouterInput& input,
             RoutingPlan& plan) const override {
    const Workspace::Scope scope(workspace);
    const std::size_t tokens = input.hidden.extent(0);
    const View<float, 2> affinity = workspace.take_matrix<float>(tokens, experts_);
    affinities(execution, workspace, input.hidden, affinity);
    if (plan.keep_scores) plan.scores.assign(affinity.span().begin(), affinity.span().end());

    const std::span<float> ranking = workspace.take<float>(experts_);
    const std::span<float> group_score = workspace.take<float>(experts_);
    const std::span<std::uint32_t> order = workspace.take<std::uint32_t>(experts_);
    const std::span<std::uint32_t> chosen = workspace.take<std::uint32_t>(choice_.k);
    const std::span<float> weight = workspace.take<float>(choice_.k);
    for (std::size_t t = 0; t < tokens; ++t) {
      const std::span<const float> p = affinity.row(t);
      for (std::size_t e = 0; e < experts_; ++e) ranking[e] = p[e] + (bias_ ? bias_->view()[e] : 0.0F);
      for (std::size_t e = 0; e < input.allowed.size(); ++e)
        if (input.allowed[e] == 0) ranking[e] = routing::kNever;
      if (groups_)
        routing::keep_best_groups(ranking, groups_->n_group, groups_->topk_group, groups_->best_of, group_score, order);
      routing::top_k(ranking, chosen);
      std::size_t count = chosen.size();  // a mask or groups may leave fewer experts; one is taken whatever they are
      while (count > 1 && !routing::better(ranking[chosen[count - 1]], routing::kNever)) --count;
      if (choice_.threshold) count = routing::top_p(p, chosen.first(count), *choice_.threshold);
      for (std::size_t i = 0; i < count; ++i) weight[i] = p[chosen[i]];
      if (mixing_.softmax) routing::softmax(weight.first(count));
      if (mixing_.normalize) routing::normalize(weight.first(count));
      for (std::size_t i = 0; i < count; ++i) plan.add(chosen[i], weight[i] * mixing_.routed_scale);
      plan.end_token();
    }
  }

 protected:
  AffinityRouter(std::size_t experts, const ExpertChoice& choice, const MixingRule& mixing,
                 std::optional<GroupLimit> groups, std::optional<Tensor<float, 1>> bias)
      : experts_(experts), choice_(choice), mixing_(mixing), groups_(groups), bias_(std::move(bias)) {}

  [[nodiscard]] std::size_t bias_parameters() const noexcept { return bias_ ? bias_->size() : 0; }

  /// p[t, e]; all of them positive for a choice by top-p.   hidden: [tokens, hidden]   p: [tokens, experts]
  virtual void affinities(const Execution& execution, Workspace& workspace, View<const float, 2> hidden,
                          View<float, 2> p) const = 0;

 private:
  std::size_t experts_;
  ExpertChoice choice_;
  MixingRule mixing_;
  std::optional<GroupLimit> groups_;
  std::optional<Tensor<float, 1>> bias_;  // [experts] steers the choice only
};

}  // namespace trine::inline TRINE_ABI
