// SPDX-License-Identifier: Apache-2.0
// Static routing by a hash of the token id: a baseline for learned routers.
// Roller, Sukhbaatar, Szlam & Weston, "Hash Layers For Large Sparse Models", 2021. arXiv:2106.04426
#pragma once

#include <algorithm>
#include <cstdint>

#include <trine/core/random.hpp>
#include <trine/routing/router.hpp>

namespace trine::inline TRINE_ABI {

/// Experts by a hash of the token id. With E experts, all integers modulo 2^64:
///   h = splitmix64(splitmix64(seed + layer) + token_id)
///   k times:  the (h mod number left)-th expert not chosen yet, in ascending order;  h = splitmix64(h)
/// Each of the k experts weighs 1/k.
class HashRouter : public Router {
 public:
  /// `k` of `experts` experts for each token. The choice also depends on `layer`.
  HashRouter(std::size_t experts, std::size_t k, std::uint64_t seed, std::size_t layer)
      : experts_(experts), k_(k), layer_seed_(splitmix64(seed + layer)) {}

  [[nodiscard]] std::size_t num_experts() const override { return experts_; }
  [[nodiscard]] std::size_t max_experts_per_token() const override { return k_; }
  [[nodiscard]] bool needs_token_ids() const override { return true; }

  void route(const ForwardContext& context, const RouterInput& input, RoutingPlan& plan) const override {
    Workspace& workspace = context.workspace;
    const Workspace::Scope scope(workspace);
    const std::span<std::uint8_t> left = workspace.take<std::uint8_t>(experts_);
    for (const TokenId id : input.token_ids) {
      if (input.allowed.empty()) {
        std::ranges::fill(left, std::uint8_t{1});
      } else {
        std::ranges::copy(input.allowed, left.begin());
      }
      auto count = static_cast<std::size_t>(std::ranges::count_if(left, [](std::uint8_t l) { return l != 0; }));
      const std::size_t chosen = std::min(k_, count);
      std::uint64_t hash = splitmix64(layer_seed_ + id);
      for (std::size_t j = 0; j < chosen; ++j, --count) {
        std::size_t rank = static_cast<std::size_t>(hash % count);
        std::size_t e = 0;
        while (left[e] == 0 || rank-- != 0) ++e;
        left[e] = 0;
        plan.add(e, 1.0F / static_cast<float>(chosen));
        hash = splitmix64(hash);
      }
      plan.end_token();
    }
  }

 private:
  std::size_t experts_;
  std::size_t k_;
  std::uint64_t layer_seed_;
};

}  // namespace trine::inline TRINE_ABI
