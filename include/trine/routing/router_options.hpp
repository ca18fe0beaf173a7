// SPDX-License-Identifier: Apache-2.0
// Common options of routers, from the "router" object of a config.json.
#pragma once

#include <cstddef>
#include <string>
#include <utility>

#include <trine/json/object_reader.hpp>
#include <trine/routing/rule.hpp>
#include <trine/routing/rule_router.hpp>
#include <trine/routing/top_k_router.hpp>

namespace trine::inline TRINE_ABI {

/// The properties of the model against which a router's options are checked.
struct RouterShape {
  std::size_t hidden_size = 0;   ///< width of a row
  std::size_t num_experts = 0;   ///< of the layer
  std::size_t num_features = 0;  ///< 0 for token models
};

/// Reads "choice": {"kind": "top_k", "k": 2} or {"kind": "top_p", "p": 0.6, "max_k": 4}.
[[nodiscard]] inline TopKOptions parse_top_k_options(ObjectReader& options, std::size_t most) {
  ObjectReader choice = options.object("choice");
  TopKOptions result;
  if (choice.choice<bool>("kind", {{"top_k", true}, {"top_p", false}})) {
    result.k = choice.integer("k", 1, most);
  } else {
    result.threshold = static_cast<float>(choice.number("p", 0.0, 1.0));
    result.k = choice.integer("max_k", 1, most);
  }
  choice.reject_unknown_keys();
  return result;
}

/// Reads "normalize" (default true) and "routed_scale" (0 to 1e6, default 1). Throws ConfigError.
[[nodiscard]] inline CombineWeights parse_combine_weights(ObjectReader& options) {
  CombineWeights result;
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
    rule.reject_unknown_keys();
  }
  result.otherwise = options.integer("otherwise", 0, shape.num_experts - 1);
  return result;
}

}  // namespace trine::inline TRINE_ABI
