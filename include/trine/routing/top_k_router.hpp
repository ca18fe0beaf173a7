// SPDX-License-Identifier: Apache-2.0
// The common part of learned routers: affinities of each token to each expert, a bias that affects only the choice,
// top-k or top-p selection, and weights from the unbiased affinities.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <utility>

#include <trine/core/tensor.hpp>
#include <trine/platform/parallel_rows.hpp>
#include <trine/routing/gating.hpp>
#include <trine/routing/router.hpp>
#include <trine/weights/weight_scope.hpp>

namespace trine::inline TRINE_ABI {

/// How the logits of a token become affinities.
enum class RouterScore : std::uint8_t {
  sigmoid,  ///< 1 / (1 + e^-a), each expert by itself
  softmax,  ///< e^a / sum e^a over all experts
  logit,    ///< a, as it is
};

/// How many experts a token uses.
struct TopKOptions {
  std::size_t k = 2;               ///< exactly k; or at most k if a threshold is set
  std::optional<float> threshold;  ///< top-p: until the chosen share of all affinities reaches it
};

/// How the affinities of the chosen experts become gate weights.
struct CombineWeights {
  bool normalize = true;      ///< divide by the sum over the chosen
  float routed_scale = 1.0F;  ///< then multiply
  float least_sum = 0.0F;     ///< a smaller sum counts as this one
  bool softmax = false;       ///< first of all: affinities are logits; take their softmax over the chosen experts
  bool sigmoid = false;       ///< the same with the sigmoid of each
  float epsilon = 0.0F;       ///< added to the sum of `normalize`
  /// In place of softmax and sigmoid: the weights of SparseMixer with this tolerance (routing::sparse_mixer).
  std::optional<float> sparse_mixer = std::nullopt;
};

/// Restricts the choice to the best groups of experts (arXiv:2405.04434).
struct GroupLimit {
  std::size_t n_group = 1;     ///< number of groups of consecutive experts, of equal size
  std::size_t topk_group = 1;  ///< number of groups that are eligible
  std::size_t best_of = 1;     ///< a group's score: the sum of this many of its best members
};

/// What some routers have besides a map.
struct RouterExtras {
  RouterExtras() = default;
  /// A balance bias, or nothing.
  RouterExtras(std::optional<Tensor<float, 1>> bias) : balance_bias(std::move(bias)) {}  // NOLINT: most have only that
  /// A balance bias.
  RouterExtras(Tensor<float, 1> bias) : balance_bias(std::move(bias)) {}  // NOLINT

  std::optional<Tensor<float, 1>> balance_bias;  ///< [experts] affects only the choice
  std::optional<Tensor<float, 1>> expert_scale;  ///< [experts] of the weights, last of all
  std::optional<float> logit_softcap;            ///< logits a become c tanh(a / c)
};

/// The base of the learned routers. For one token with affinities p [experts], bias b (zero when absent) and scale s
/// (one when absent):
///   r        = p + b, groups limited
///   chosen   = best k of r, or until top-p is reached
///   weight_e = p_e [/ sum of the chosen] * routed_scale * s_e
class TopKRouter : public Router {
 public:
  [[nodiscard]] std::size_t num_experts() const override { return experts_; }
  [[nodiscard]] std::size_t max_experts_per_token() const override { return choice_.k; }

  void route(const ForwardContext& context, const RouterInput& input, RoutingPlan& plan) const override {
    Workspace& workspace = context.workspace;
    const Workspace::Scope scope(workspace);
    const std::size_t tokens = input.hidden.extent(0);
    const View<float, 2> affinity = workspace.take_matrix<float>(tokens, experts_);
    logits(context.with_f32_activations(), input.hidden, affinity);
    const View<std::uint32_t, 2> chosen = workspace.take_matrix<std::uint32_t>(tokens, choice_.k);
    const View<float, 2> weight = workspace.take_matrix<float>(tokens, choice_.k);
    const std::span<std::size_t> count = workspace.take<std::size_t>(tokens);
    const std::span<Scratch> scratch = workspace.take<Scratch>(std::min(context.execution.num_workers(), tokens));
    for (Scratch& one : scratch)
      one = {workspace.take<float>(experts_), workspace.take<float>(experts_), workspace.take<std::uint32_t>(experts_)};
    parallel_rows(context.execution, tokens, kScorePasses * experts_, [&](std::size_t t, std::size_t worker) {
      to_affinities(affinity.row(t));
      count[t] = choose(affinity.row(t), input.allowed, scratch[worker], chosen.row(t), weight.row(t));
    });
    if (plan.keep_scores) plan.scores.insert(plan.scores.end(), affinity.span().begin(), affinity.span().end());
    for (std::size_t t = 0; t < tokens; ++t) {
      for (std::size_t i = 0; i < count[t]; ++i) plan.add(chosen(t, i), weight(t, i));
      plan.end_token();
    }
  }

 protected:
  /// p = score(scale * logits)
  TopKRouter(std::size_t experts, RouterScore score, const TopKOptions& choice, const CombineWeights& combine,
             std::optional<GroupLimit> groups, RouterExtras extras, float scale = 1.0F)
      : experts_(experts),
        score_(score),
        scale_(scale),
        choice_(choice),
        combine_(combine),
        groups_(groups),
        bias_(std::move(extras.balance_bias)),
        expert_scale_(std::move(extras.expert_scale)),
        logit_softcap_(extras.logit_softcap) {}

  /// Number of values in RouterExtras. For parameters() of routers built on this one.
  [[nodiscard]] std::size_t extra_parameters() const noexcept {
    return (bias_ ? bias_->size() : 0) + (expert_scale_ ? expert_scale_->size() : 0);
  }

  /// hidden: [tokens, hidden]   logits: [tokens, experts], output
  virtual void logits(const ForwardContext& context, View<const float, 2> hidden, View<float, 2> logits) const = 0;

 private:
  static constexpr std::size_t kScorePasses = 8;  // passes over a token's affinities, the cost that decides on threads
  struct Scratch {
    std::span<float> ranking;
    std::span<float> group_score;
    std::span<std::uint32_t> order;
  };

  // Logits of one token to affinities, in place; all of them positive if the choice is top-p.
  void to_affinities(std::span<float> p) const noexcept {
    if (scale_ != 1.0F)
      for (float& a : p) a *= scale_;
    if (logit_softcap_)
      for (float& a : p) a = *logit_softcap_ * std::tanh(a / *logit_softcap_);
    switch (score_) {
      case RouterScore::sigmoid:
        return routing::sigmoid(p);
      case RouterScore::softmax:
        return routing::softmax(p);
      case RouterScore::logit:
        return;
    }
  }

  // Returns the number of experts of a token with these affinities.   chosen, weight: [k], output
  [[nodiscard]] std::size_t choose(std::span<const float> p, std::span<const std::uint8_t> allowed,
                                   const Scratch& scratch, std::span<std::uint32_t> chosen,
                                   std::span<float> weight) const {
    const std::span<float> ranking = scratch.ranking;
    for (std::size_t e = 0; e < experts_; ++e) ranking[e] = p[e] + (bias_ ? bias_->view()[e] : 0.0F);
    for (std::size_t e = 0; e < allowed.size(); ++e)
      if (allowed[e] == 0) ranking[e] = routing::kMasked;
    if (groups_) {
      routing::mask_groups(ranking, groups_->n_group, groups_->topk_group, groups_->best_of, scratch.group_score,
                           scratch.order);
    }
    routing::top_k(ranking, chosen);
    std::size_t count = chosen.size();  // masks or groups may leave fewer experts; at least one is chosen
    while (count > 1 && !routing::better(ranking[chosen[count - 1]], routing::kMasked)) --count;
    if (choice_.threshold) count = routing::top_p(p, chosen.first(count), *choice_.threshold);
    for (std::size_t i = 0; i < count; ++i) weight[i] = p[chosen[i]];
    if (combine_.sparse_mixer)
      routing::sparse_mixer(ranking, chosen.first(count), *combine_.sparse_mixer, weight.first(count));
    if (combine_.softmax) routing::softmax(weight.first(count));
    if (combine_.sigmoid) routing::sigmoid(weight.first(count));
    if (combine_.normalize) routing::normalize(weight.first(count), combine_.least_sum, combine_.epsilon);
    for (std::size_t i = 0; i < count; ++i) {
      weight[i] *= combine_.routed_scale;
      if (expert_scale_) weight[i] *= expert_scale_->view()[chosen[i]];
    }
    return count;
  }

  std::size_t experts_;
  RouterScore score_;
  float scale_;
  TopKOptions choice_;
  CombineWeights combine_;
  std::optional<GroupLimit> groups_;
  std::optional<Tensor<float, 1>> bias_;          // [experts] affects only the choice
  std::optional<Tensor<float, 1>> expert_scale_;  // [experts]
  std::optional<float> logit_softcap_;
};

}  // namespace trine::inline TRINE_ABI
