// SPDX-License-Identifier: Apache-2.0
// From the "router" object of a config.json to routers. A registry is a value: users copy the default and add their own
// kinds.
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
#include <trine/routing/router.hpp>
#include <trine/routing/router_options.hpp>
#include <trine/weights/weight_scope.hpp>

namespace trine::inline TRINE_ABI {

/// Builds the router of one layer; its weights are below the scope, "layers.{i}.moe.router".
using RouterBuilder = std::function<std::unique_ptr<Router>(const WeightScope& scope, std::size_t layer)>;
/// Reads the options (all but "kind") and checks them, before any tensor is read. Throws ConfigError.
using RouterParser = std::function<RouterBuilder(ObjectReader& options, const RouterShape& shape)>;

/// Parsers by "kind". A value: changing a copy changes nothing else.
class RouterRegistry {
 public:
  /// Contains the built-in kinds.
  RouterRegistry();

  /// Adds a kind; a later one of the same name replaces an earlier one.
  void add(std::string kind, RouterParser parser) { parsers_[std::move(kind)] = std::move(parser); }

  /// Reads a whole "router" object. Throws ConfigError.
  [[nodiscard]] RouterBuilder parse(ObjectReader options, const RouterShape& shape) const {
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
    RouterBuilder builder = found->second(options, shape);
    options.reject_unknown_keys();
    return builder;
  }

 private:
  std::map<std::string, RouterParser, std::less<>> parsers_;
};

}  // namespace trine::inline TRINE_ABI

#if TRINE_HEADER_ONLY
#include <trine/routing/router_registry.inl>
#endif
