// SPDX-License-Identifier: Apache-2.0
// A mixture of experts: router, routed experts, their attention to each other, shared experts.
// Shazeer et al. 2017, arXiv:1701.06538; shared experts: Dai et al., "DeepSeekMoE", 2024, arXiv:2401.06066.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include <trine/attention/expert_axis.hpp>
#include <trine/experts/expert_bank.hpp>
#include <trine/experts/feed_forward.hpp>
#include <trine/experts/shared_experts.hpp>

namespace trine::inline TRINE_ABI {

///   y = sum_i g_i Y_i  +  expert_attention(Y, g)  +  shared_experts(x),      Y_i = expert_i(x) for the chosen i with
///   weights g_i
class MoeLayer : public FeedForward {
 public:
  /// Throws InputError unless there is a router for as many experts as there are.
  MoeLayer(std::size_t layer, std::unique_ptr<const Router> router, ExpertBank experts,
           std::optional<ExpertAttention> expert_attention, std::optional<SharedExperts> shared_experts)
      : layer_(layer),
        router_(std::move(router)),
        experts_(std::move(experts)),
        expert_attention_(std::move(expert_attention)),
        shared_experts_(std::move(shared_experts)) {
    if (router_ == nullptr)
      throw InputError("router of layer " + std::to_string(layer_) + ": expected one, found none", {.field = "router"});
    if (router_->num_experts() != experts_.size()) {
      throw InputError("router of layer " + std::to_string(layer_) + ": expected one for " +
                           std::to_string(experts_.size()) + " experts, found one for " +
                           std::to_string(router_->num_experts()),
                       {.field = "router"});
    }
  }

  void forward(const FeedForwardContext& context, View<const float, 2> x, View<float, 2> y) const override {
    const auto& [execution, workspace, rows, plan, observer] = context;
    const Workspace::Scope scope(workspace);
    RouterInput input = rows;
    input.hidden = x;
    plan.keep_scores = observer != nullptr && observer->wants_scores();
    plan.start(router_->num_experts());
    router_->route(execution, workspace, input, plan);
    if (plan.tokens != x.extent(0)) {
      throw InputError("router of layer " + std::to_string(layer_) + ": expected a choice for " +
                           std::to_string(x.extent(0)) + " tokens, found " + std::to_string(plan.tokens),
                       {.field = "router"});
    }
    if (plan.experts != experts_.size() || plan.token_begin.size() != plan.tokens + 1 ||
        plan.weight.size() != plan.expert.size() || plan.token_begin.back() != plan.assignments())
      throw InputError(
          "router of layer " + std::to_string(layer_) + ": expected a plan of add and end_token calls only",
          {.field = "router"});
    if (observer != nullptr) observer->on_routing({layer_, input, plan});
    plan.group();

    const std::span<float> weight = workspace.take<float>(plan.assignments());
    for (std::size_t a = 0; a < plan.assignments(); ++a) weight[plan.slot[a]] = plan.weight[a];
    if (expert_attention_) return forward_with_attention(execution, workspace, plan, weight, x, y);
    std::ranges::fill(y.span(), 0.0F);
    const std::span<GatedRows> parts = experts_.rows_of(workspace, plan, weight, shared_experts_ ? 1 : 0);
    if (shared_experts_) parts.back() = shared_rows(execution, workspace, x, plan.assignments());
    GatedExecutor(execution, workspace, x, parts).add(y);
  }

  [[nodiscard]] std::size_t parameters() const override {
    return always_active() + experts_.size() * experts_.parameters_per_expert();
  }
  [[nodiscard]] std::size_t active_parameters() const override {
    return always_active() +
           std::min(router_->max_experts_per_token(), experts_.size()) * experts_.parameters_per_expert();
  }
  [[nodiscard]] std::size_t num_experts() const override { return experts_.size(); }

 private:
  [[nodiscard]] std::size_t always_active() const {
    return router_->parameters() + (expert_attention_ ? expert_attention_->parameters() : 0) +
           (shared_experts_ ? shared_experts_->parameters() : 0);
  }

  [[nodiscard]] GatedRows shared_rows(const Execution& execution, Workspace& workspace, View<const float, 2> x,
                                      std::size_t first_slot) const {
    const std::span<const float> weight = shared_experts_->weights(execution, workspace, x);
    return {&shared_experts_->mlp(), first_slot, x.extent(0), nullptr, weight.empty() ? nullptr : weight.data()};
  }

  // Experts attend to each other's outputs, so these must all be there first.
  void forward_with_attention(const Execution& execution, Workspace& workspace, const RoutingPlan& plan,
                              std::span<const float> weight, View<const float, 2> x, View<float, 2> y) const {
    const View<float, 2> outputs = workspace.take_matrix<float>(plan.assignments(), x.extent(1));
    GatedExecutor(execution, workspace, x, experts_.rows_of(workspace, plan, {}, 0)).write(outputs);
    mix(execution, plan, weight, outputs, y);
    add_expert_attention(execution, workspace, plan, outputs, y);
    if (!shared_experts_) return;
    const GatedRows shared = shared_rows(execution, workspace, x, 0);
    GatedExecutor(execution, workspace, x, {&shared, 1}).add(y);
  }

  // y_t = sum_i g_i Y_i, experts ascending: the order of GatedExecutor, so that attention that adds nothing changes
  // nothing.
  static void mix(const Execution& execution, const RoutingPlan& plan, std::span<const float> weight,
                  View<const float, 2> outputs, View<float, 2> y) {
    std::ranges::fill(y.span(), 0.0F);
    for (std::size_t slot = 0; slot < plan.assignments(); ++slot)
      kernels::weighted_sum(execution.isa, weight.subspan(slot, 1), outputs.row(slot).data(), 0,
                            y.row(plan.slot_token[slot]));
  }

  void add_expert_attention(const Execution& execution, Workspace& workspace, const RoutingPlan& plan,
                            View<const float, 2> outputs, View<float, 2> y) const {
    const View<float, 2> by_token = workspace.take_matrix<float>(plan.assignments(), y.extent(1));
    for (std::size_t a = 0; a < plan.assignments(); ++a)
      std::ranges::copy(outputs.row(plan.slot[a]), by_token.row(a).begin());
    const View<float, 2> update = workspace.take_matrix<float>(y.extent(0), y.extent(1));
    expert_attention_->forward(execution, workspace, by_token, plan.token_begin, plan.weight, update);
    kernels::add_to(execution.isa, update.span(), y.span());
  }

  std::size_t layer_;
  std::unique_ptr<const Router> router_;
  ExpertBank experts_;
  std::optional<ExpertAttention> expert_attention_;
  std::optional<SharedExperts> shared_experts_;
};

}  // namespace trine::inline TRINE_ABI
