// SPDX-License-Identifier: Apache-2.0
// From the "router" object of a config.json to routers. A registry is a value: a user copies ours and adds kinds of
// their own.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <trine/core/nearest_name.hpp>
#include <trine/json/object_reader.hpp>
#include <trine/routing/attention_router.hpp>
#include <trine/routing/hash_router.hpp>
#include <trine/routing/linear_router.hpp>
#include <trine/routing/rule_router.hpp>

namespace trine::inline TRINE_ABI {

/// What a router's options are checked against.
struct RouterShape {
  std::size_t hidden_size = 0;
  std::size_t num_experts = 0;
  std::size_t num_features = 0;  // 0 for token models
};

/// Makes the router of one layer; its weights lie below the scope, "layers.{i}.moe.router".
using RouterRecipe = std::function<std::unique_ptr<Router>(const WeightScope& scope, std::size_t layer)>;
/// Reads the options (all but "kind") and checks them, before any tensor is touched. Throws ConfigError.
using RouterParser = std::function<RouterRecipe(ObjectReader& options, const RouterShape& shape)>;

/// Reads "choice": {"kind": "top_k", "k": 2} or {"kind": "top_p", "p": 0.6, "max_k": 4}.
[[nodiscard]] inline ExpertChoice parse_expert_choice(ObjectReader& options, std::size_t most) {
  ObjectReader choice = options.object("choice");
  ExpertChoice result;
  if (choice.choice<bool>("kind", {{"top_k", true}, {"top_p", false}})) {
    result.k = choice.integer("k", 1, most);
  } else {
    result.threshold = static_cast<float>(choice.number("p", 0.0, 1.0));
    result.k = choice.integer("max_k", 1, most);
  }
  choice.finish();
  return result;
}

[[nodiscard]] inline MixingRule parse_mixing_rule(ObjectReader& options) {
  MixingRule result;
  result.normalize = options.boolean_or("normalize", true);
  result.routed_scale = static_cast<float>(options.number_or("routed_scale", 0.0, 1e6, 1.0));
  return result;
}

/// Reads "features", "rules" and "otherwise"; see routing/rule.hpp. Throws ConfigError.
[[nodiscard]] inline RuleSet parse_rules(ObjectReader& options, const RouterShape& shape) {
  RuleSet result;
  if (shape.num_features == 0) {
    if (options.has("features"))
      options.fail("features", "expected none, token models have the features token_id and position");
    result.features = {"token_id", "position"};
  } else {
    const Json& names = options.at("features");
    if (!names.is_array() || names.size() != shape.num_features)
      options.fail("features", "a list of " + std::to_string(shape.num_features) + " names", names);
    for (const Json& name : names) {
      if (!name.is_string()) options.fail("features", "names", name);
      result.features.push_back(name.get<std::string>());
    }
  }
  const Json& rules = options.at("rules");
  if (!rules.is_array()) options.fail("rules", "a list of rules", rules);
  for (std::size_t i = 0; i < rules.size(); ++i) {
    ObjectReader rule = options.element("rules", i);
    Predicate when = parse_predicate(rule.object("when"), result.features);
    result.rules.push_back({std::move(when), rule.integer("expert", 0, shape.num_experts - 1)});
    rule.finish();
  }
  result.otherwise = options.integer("otherwise", 0, shape.num_experts - 1);
  return result;
}

class RouterRegistry {
 public:
  /// Knows the built-in kinds.
  RouterRegistry() {
    add("attention", [](ObjectReader& options, const RouterShape& shape) -> RouterRecipe {
      const std::size_t key_dim = options.integer("key_dim", 1, 65536);
      const auto score =
          options.choice<RouterScore>("score", {{"sigmoid", RouterScore::sigmoid}, {"softmax", RouterScore::softmax}});
      const ExpertChoice choice = parse_expert_choice(options, shape.num_experts);
      const MixingRule mixing = parse_mixing_rule(options);
      return [=](const WeightScope& scope, std::size_t) {
        return std::make_unique<AttentionRouter>(scope, shape.hidden_size, shape.num_experts, key_dim, score, choice,
                                                 mixing);
      };
    });
    add("softmax_top_k", [](ObjectReader& options, const RouterShape& shape) {
      return linear(options, shape, RouterScore::softmax, std::nullopt);
    });
    add("softmax_group_limited", [](ObjectReader& options, const RouterShape& shape) {
      return linear(options, shape, RouterScore::softmax, parse_groups(options, shape, 1));
    });
    add("sigmoid_group_limited", [](ObjectReader& options, const RouterShape& shape) {
      return linear(options, shape, RouterScore::sigmoid, parse_groups(options, shape, 2));
    });
    add("switch", [](ObjectReader&, const RouterShape& shape) -> RouterRecipe {
      return [=](const WeightScope& scope, std::size_t) {
        return std::make_unique<LinearRouter>(scope, shape.hidden_size, shape.num_experts, RouterScore::softmax,
                                              ExpertChoice{.k = 1, .threshold = std::nullopt},
                                              MixingRule{.normalize = false, .routed_scale = 1.0F}, std::nullopt,
                                              LinearRouter::Bias::none);
      };
    });
    add("hash", [](ObjectReader& options, const RouterShape& shape) -> RouterRecipe {
      if (shape.num_features != 0) options.fail("kind", "hash routing needs token input, found features");
      const std::size_t k = options.integer_or("k", 1, shape.num_experts, 1);
      const std::uint64_t seed = options.integer_or("seed", 0, std::numeric_limits<std::uint64_t>::max(), 0);
      return [=](const WeightScope&, std::size_t layer) {
        return std::make_unique<HashRouter>(shape.num_experts, k, seed, layer);
      };
    });
    add("rules", [](ObjectReader& options, const RouterShape& shape) -> RouterRecipe {
      auto rules = std::make_shared<const RuleSet>(parse_rules(options, shape));
      return [rules = std::move(rules), shape](const WeightScope&, std::size_t) {
        return std::make_unique<RuleRouter>(shape.num_experts, rules);
      };
    });
  }

  /// A kind more; a later one of the same name replaces an earlier one.
  void add(std::string kind, RouterParser parser) { parsers_[std::move(kind)] = std::move(parser); }

  /// Reads a "router" object whole. Throws ConfigError.
  [[nodiscard]] RouterRecipe parse(ObjectReader options, const RouterShape& shape) const {
    const std::string kind = options.string("kind");
    const auto found = parsers_.find(kind);
    if (found == parsers_.end()) {
      std::vector<std::string_view> known;
      for (const auto& [name, parser] : parsers_) known.emplace_back(name);
      options.fail("kind", "no router named " + in_quotes(kind) + "; the nearest one is " +
                               in_quotes(nearest_name(kind, known)));
    }
    RouterRecipe recipe = found->second(options, shape);
    options.finish();
    return recipe;
  }

 private:
  static GroupLimit parse_groups(ObjectReader& options, const RouterShape& shape, std::size_t best_of) {
    GroupLimit groups;
    groups.n_group = options.integer("n_group", 1, shape.num_experts);
    if (shape.num_experts % groups.n_group != 0)
      options.fail("n_group", "expected a divisor of num_experts = " + std::to_string(shape.num_experts) + ", found " +
                                  std::to_string(groups.n_group));
    groups.topk_group = options.integer("topk_group", 1, groups.n_group);
    groups.best_of = best_of;
    return groups;
  }

  static RouterRecipe linear(ObjectReader& options, const RouterShape& shape, RouterScore score,
                             std::optional<GroupLimit> groups) {
    const std::size_t eligible = groups ? shape.num_experts / groups->n_group * groups->topk_group : shape.num_experts;
    const ExpertChoice choice = parse_expert_choice(options, eligible);
    if (groups && choice.threshold) options.fail("choice", "expected top_k for a group-limited router, found top_p");
    const MixingRule mixing = parse_mixing_rule(options);
    // DeepSeek-V2 balances by a loss, so its router has no bias.
    const auto bias =
        groups && score == RouterScore::softmax ? LinearRouter::Bias::none : LinearRouter::Bias::if_present;
    return [=](const WeightScope& scope, std::size_t) {
      return std::make_unique<LinearRouter>(scope, shape.hidden_size, shape.num_experts, score, choice, mixing, groups,
                                            bias);
    };
  }

  std::map<std::string, RouterParser, std::less<>> parsers_;
};

}  // namespace trine::inline TRINE_ABI
