// SPDX-License-Identifier: Apache-2.0
// The built-in kinds of routers: a new one is an `add` here.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <trine/core/nearest_name.hpp>
#include <trine/json/object_reader.hpp>
#include <trine/routing/attention_router.hpp>
#include <trine/routing/hash_router.hpp>
#include <trine/routing/linear_router.hpp>
#include <trine/routing/router.hpp>
#include <trine/routing/router_options.hpp>
#include <trine/routing/router_registry.hpp>
#include <trine/routing/rule_router.hpp>
#include <trine/weights/weight_scope.hpp>

namespace trine::inline TRINE_ABI {

namespace detail {

[[nodiscard]] inline GroupLimit parse_groups(ObjectReader& options, const RouterShape& shape, std::size_t best_of) {
  GroupLimit groups;
  groups.n_group = options.integer("n_group", 1, shape.num_experts);
  if (shape.num_experts % groups.n_group != 0)
    options.fail("n_group", "expected a divisor of num_experts = " + std::to_string(shape.num_experts) + ", found " +
                                std::to_string(groups.n_group));
  groups.topk_group = options.integer("topk_group", 1, groups.n_group);
  groups.best_of = best_of;
  return groups;
}

[[nodiscard]] inline RouterBuilder linear_router(ObjectReader& options, const RouterShape& shape, RouterScore score,
                                                 std::optional<GroupLimit> groups) {
  const std::size_t eligible = groups ? shape.num_experts / groups->n_group * groups->topk_group : shape.num_experts;
  const TopKOptions choice = parse_top_k_options(options, eligible);
  if (groups && choice.threshold)
    options.fail("choice", "expected top_k for a group-limited router, found top_p", ErrorKind::unsupported);
  const CombineWeights combine = parse_combine_weights(options);
  // This router is balanced by an auxiliary loss in training (arXiv:2405.04434), so it has no bias.
  const auto bias = groups && score == RouterScore::softmax ? LinearRouter::Bias::none : LinearRouter::Bias::if_present;
  return [=](const WeightScope& scope, std::size_t) {
    return std::make_unique<LinearRouter>(scope, shape.hidden_size, shape.num_experts, score, choice, combine, groups,
                                          bias);
  };
}

}  // namespace detail

TRINE_DECL RouterRegistry::RouterRegistry() {
  add("attention", [](ObjectReader& options, const RouterShape& shape) -> RouterBuilder {
    const std::size_t key_dim = options.integer("key_dim", 1, 65536);
    const auto score =
        options.choice<RouterScore>("score", {{"sigmoid", RouterScore::sigmoid}, {"softmax", RouterScore::softmax}});
    const TopKOptions choice = parse_top_k_options(options, shape.num_experts);
    const CombineWeights combine = parse_combine_weights(options);
    return [=](const WeightScope& scope, std::size_t) {
      return std::make_unique<AttentionRouter>(scope, shape.hidden_size, shape.num_experts, key_dim, score, choice,
                                               combine);
    };
  });
  add("softmax_top_k", [](ObjectReader& options, const RouterShape& shape) {
    return detail::linear_router(options, shape, RouterScore::softmax, std::nullopt);
  });
  add("softmax_group_limited", [](ObjectReader& options, const RouterShape& shape) {
    return detail::linear_router(options, shape, RouterScore::softmax, detail::parse_groups(options, shape, 1));
  });
  add("sigmoid_group_limited", [](ObjectReader& options, const RouterShape& shape) {
    return detail::linear_router(options, shape, RouterScore::sigmoid, detail::parse_groups(options, shape, 2));
  });
  add("switch", [](ObjectReader&, const RouterShape& shape) -> RouterBuilder {
    return [=](const WeightScope& scope, std::size_t) {
      return std::make_unique<LinearRouter>(scope, shape.hidden_size, shape.num_experts, RouterScore::softmax,
                                            TopKOptions{.k = 1, .threshold = std::nullopt},
                                            CombineWeights{.normalize = false, .routed_scale = 1.0F}, std::nullopt,
                                            LinearRouter::Bias::none);
    };
  });
  add("hash", [](ObjectReader& options, const RouterShape& shape) -> RouterBuilder {
    if (shape.num_features != 0)
      options.fail("kind", "hash routing needs token input, found features", ErrorKind::unsupported);
    const std::size_t k = options.integer_or("k", 1, shape.num_experts, 1);
    const std::uint64_t seed = options.integer_or("seed", 0, std::numeric_limits<std::uint64_t>::max(), 0);
    return [=](const WeightScope&, std::size_t layer) {
      return std::make_unique<HashRouter>(shape.num_experts, k, seed, layer);
    };
  });
  add("rules", [](ObjectReader& options, const RouterShape& shape) -> RouterBuilder {
    auto rules = std::make_shared<const RuleSet>(parse_rules(options, shape));
    return [rules = std::move(rules), shape](const WeightScope&, std::size_t) {
      return std::make_unique<RuleRouter>(shape.num_experts, rules);
    };
  });
}

TRINE_DECL void RouterRegistry::add(std::string kind, RouterParser parser) {
  parsers_[std::move(kind)] = std::move(parser);
}

TRINE_DECL RouterBuilder RouterRegistry::parse(ObjectReader options, const RouterShape& shape) const {
  const std::string kind = options.string("kind");
  const auto found = parsers_.find(kind);
  if (found == parsers_.end()) {
    std::vector<std::string_view> known;
    std::string all;
    for (const auto& [name, parser] : parsers_) {
      known.emplace_back(name);
      all += (all.empty() ? "" : ", ") + name;
    }
    const std::string nearest = nearest_hint(kind, known);
    const std::string hint = nearest.empty() ? "; known are " + all : nearest;
    options.fail("kind", "no router named " + in_quotes(kind) + hint, ErrorKind::unsupported);
  }
  RouterBuilder recipe = found->second(options, shape);
  options.reject_unknown_keys();
  return recipe;
}

}  // namespace trine::inline TRINE_ABI
