// SPDX-License-Identifier: Apache-2.0
// A mixture of experts: router, routed experts, expert attention, shared experts.
// Shazeer et al. 2017, arXiv:1701.06538; shared experts: Dai et al., "DeepSeekMoE", 2024, arXiv:2401.06066.
#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include <trine/experts/expert_attention.hpp>
#include <trine/experts/expert_executor.hpp>
#include <trine/experts/feed_forward.hpp>
#include <trine/experts/shared_experts.hpp>
#include <trine/nn/rms_norm.hpp>
#include <trine/platform/parallel_rows.hpp>
#include <trine/routing/routing_observer.hpp>

namespace trine::inline TRINE_ABI {

///   y = sum_i g_i Y_i  +  expert_attention(Y, g)  +  shared_experts(x),      Y_i = expert_i(x) for the chosen i with
///   weights g_i. With an expert_norm, experts read expert_norm(x), and only the router reads x.
class MoeLayer : public FeedForward {
 public:
  /// experts: not null. Throws InputError unless the router has the same number of experts.
  MoeLayer(std::size_t layer, std::unique_ptr<const Router> router, std::unique_ptr<const ExpertExecutor> experts,
           std::optional<ExpertAttention> expert_attention, std::optional<SharedExperts> shared_experts,
           std::optional<RmsNorm> expert_norm = std::nullopt)
      : layer_(layer),
        router_(std::move(router)),
        experts_(std::move(experts)),
        expert_attention_(std::move(expert_attention)),
        shared_experts_(std::move(shared_experts)),
        expert_norm_(std::move(expert_norm)) {
    if (router_ == nullptr) throw InputError(router_name() + ": expected one, found none", {.field = "router"});
    require_fitting(*router_);
  }

  void forward(const ForwardContext& context, View<const float, 2> x, View<float, 2> y) const override {
    RoutingPlan& plan = *context.plan;
    route(context, x, plan);
    plan.sort_by_expert();
    if (!expert_norm_) return forward_experts(context, plan, x, y);
    const Workspace::Scope scope(context.workspace);
    const View<float, 2> normed = context.workspace.take_matrix<float>(x.extent(0), x.extent(1));
    expert_norm_->forward(context, x, normed);
    forward_experts(context, plan, normed, y);
  }

  [[nodiscard]] std::size_t parameters() const override {
    return always_active() + experts_->size() * experts_->parameters_per_expert();
  }
  [[nodiscard]] std::size_t active_parameters() const override {
    return always_active() +
           std::min(router_->max_experts_per_token(), experts_->size()) * experts_->parameters_per_expert();
  }
  [[nodiscard]] std::size_t num_experts() const override { return experts_->size(); }
  [[nodiscard]] const Router* router() const override { return router_.get(); }
  void require_fitting(const Router& router) const override {
    if (router.num_experts() == experts_->size()) return;
    throw InputError(router_name() + ": expected one for " + std::to_string(experts_->size()) +
                         " experts, found one for " + std::to_string(router.num_experts()),
                     {.field = "router"});
  }

 private:
  [[nodiscard]] std::size_t always_active() const {
    return router_->parameters() + (expert_attention_ ? expert_attention_->parameters() : 0) +
           (shared_experts_ ? shared_experts_->parameters() : 0) + (expert_norm_ ? expert_norm_->parameters() : 0);
  }

  [[nodiscard]] std::string router_name() const { return "router of layer " + std::to_string(layer_); }

  // All rows at once, except those of sequences with their own router.
  void route(const ForwardContext& context, View<const float, 2> x, RoutingPlan& plan) const {
    const std::span<const SequenceSlice> sequences = context.batch.sequences;
    plan.keep_scores = std::ranges::any_of(
        sequences, [](const SequenceSlice& s) { return s.observer != nullptr && s.observer->wants_scores(); });
    plan.start(experts_->size());
    const auto own_router = [&](const SequenceSlice& s) {
      return s.routers.empty() ? nullptr : s.routers[context.layer];
    };
    if (std::ranges::none_of(sequences, own_router)) {
      route_rows(context, *router_, x, 0, x.extent(0), plan);
    } else {
      for (const SequenceSlice& s : sequences) {
        const Router* own = own_router(s);
        const AdapterRows rows{0, s.rows, s.adapters};
        route_rows(context.with_adapters({&rows, s.adapters.empty() ? 0U : 1U}), own == nullptr ? *router_ : *own, x,
                   s.first_row, s.rows, plan);
      }
    }
    for (const SequenceSlice& s : sequences) {
      if (s.observer == nullptr) continue;
      const RouterInput input = RouterInput::of(context.batch, x, s.first_row, s.rows);
      if (s.rows == plan.tokens) {
        s.observer->on_routing({layer_, input, plan, s.sequence});
      } else {
        s.observer->on_routing({layer_, input, plan.tokens_of(s.first_row, s.rows), s.sequence});
      }
    }
  }

  void route_rows(const ForwardContext& context, const Router& router, View<const float, 2> x, std::size_t first,
                  std::size_t count, RoutingPlan& plan) const {
    router.route(context, RouterInput::of(context.batch, x, first, count), plan);
    if (plan.tokens != first + count) {
      throw InputError(router_name() + ": expected a choice for " + std::to_string(count) + " tokens, found " +
                           std::to_string(plan.tokens - std::min(first, plan.tokens)),
                       {.field = "router"});
    }
    if (plan.experts != experts_->size() || plan.token_begin.size() != plan.tokens + 1 ||
        plan.weight.size() != plan.expert.size() || plan.token_begin.back() != plan.assignments())
      throw InputError(router_name() + ": expected a plan of add and end_token calls only", {.field = "router"});
  }

  void forward_experts(const ForwardContext& context, const RoutingPlan& plan, View<const float, 2> x,
                       View<float, 2> y) const {
    const SharedExperts* shared = shared_experts_ ? &*shared_experts_ : nullptr;
    if (expert_attention_) return forward_with_attention(context, plan, shared, x, y);
    experts_->forward(context, plan, shared, x, y);
  }

  // Experts attend to each other's outputs, so all of these are computed first.
  void forward_with_attention(const ForwardContext& context, const RoutingPlan& plan, const SharedExperts* shared,
                              View<const float, 2> x, View<float, 2> y) const {
    const Workspace::Scope scope(context.workspace);
    const View<float, 2> outputs = context.workspace.take_matrix<float>(plan.assignments(), x.extent(1));
    experts_->forward_slots(context, plan, x, outputs);
    mix(context.execution, plan, outputs, y);
    add_expert_attention(context, plan, outputs, y);
    if (shared == nullptr) return;
    const std::span<const float> weight = shared->weights(context, x);
    const MlpRows rows{&shared->mlp(), 0, x.extent(0), nullptr, weight.empty() ? nullptr : weight.data()};
    GroupedMlp(context, x, {&rows, 1}).add(y);
  }

  // y_t = sum_i g_i Y_i, experts ascending: the order of ExpertExecutor, so that expert attention with an update of
  // zero does not change the bits.
  static void mix(const ExecutionContext& execution, const RoutingPlan& plan, View<const float, 2> outputs,
                  View<float, 2> y) {
    constexpr std::size_t kColumns = 64;
    const std::size_t hidden = y.extent(1);
    const std::size_t blocks = (hidden + kColumns - 1) / kColumns;
    parallel_rows(execution, blocks, plan.assignments() * kColumns, [&](std::size_t block) {
      const std::size_t first = block * kColumns;
      const std::size_t count = std::min(kColumns, hidden - first);
      for (std::size_t t = 0; t < y.extent(0); ++t) std::ranges::fill(y.row(t).subspan(first, count), 0.0F);
      for (std::size_t slot = 0; slot < plan.assignments(); ++slot)
        kernels::weighted_sum(execution.isa, {&plan.slot_weight[slot], 1}, outputs.row(slot).data() + first, 0,
                              y.row(plan.slot_token[slot]).subspan(first, count));
    });
  }

  void add_expert_attention(const ForwardContext& context, const RoutingPlan& plan, View<const float, 2> outputs,
                            View<float, 2> y) const {
    const ExecutionContext& execution = context.execution;
    const View<float, 2> by_token = context.workspace.take_matrix<float>(plan.assignments(), y.extent(1));
    parallel_rows(execution, plan.assignments(), y.extent(1),
                  [&](std::size_t a) { std::ranges::copy(outputs.row(plan.slot[a]), by_token.row(a).begin()); });
    const View<float, 2> update = context.workspace.take_matrix<float>(y.extent(0), y.extent(1));
    expert_attention_->forward(context, by_token, plan.token_begin, plan.weight, update);
    parallel_rows(execution, y.extent(0), y.extent(1),
                  [&](std::size_t t) { kernels::add_inplace(execution.isa, update.row(t), y.row(t)); });
  }

  std::size_t layer_;
  std::unique_ptr<const Router> router_;
  std::unique_ptr<const ExpertExecutor> experts_;
  std::optional<ExpertAttention> expert_attention_;
  std::optional<SharedExperts> shared_experts_;
  std::optional<RmsNorm> expert_norm_;
};

}  // namespace trine::inline TRINE_ABI
