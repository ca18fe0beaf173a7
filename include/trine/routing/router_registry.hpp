// SPDX-License-Identifier: Apache-2.0
// From the "router" object of a config.json to routers. A registry is a value: users copy the default and add their own
// kinds.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include <trine/core/abi.hpp>

namespace trine::inline TRINE_ABI {

class ObjectReader;  // json/object_reader.hpp
class Router;        // routing/router.hpp
class WeightScope;   // weights/weight_scope.hpp
struct RouterShape;  // routing/router_options.hpp

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
  void add(std::string kind, RouterParser parser);

  /// Reads a whole "router" object. Throws ConfigError.
  [[nodiscard]] RouterBuilder parse(ObjectReader options, const RouterShape& shape) const;

 private:
  std::map<std::string, RouterParser, std::less<>> parsers_;
};

}  // namespace trine::inline TRINE_ABI

#if TRINE_HEADER_ONLY
#include <trine/routing/router_registry.inl>
#endif
