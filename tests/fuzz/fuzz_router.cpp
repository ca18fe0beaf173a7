// SPDX-License-Identifier: Apache-2.0
// Any "router" object: options of every kind and the rules, which recurse.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include <trine/json/object_reader.hpp>
#include <trine/json/parse.hpp>
#include <trine/routing/router_options.hpp>
#include <trine/routing/router_registry.hpp>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  for (const std::size_t num_features : {std::size_t{0}, std::size_t{5}}) {
    try {
      const trine::Json document = trine::parse_json(text, "config.json");
      const trine::RouterShape shape{8, 12, num_features};
      static_cast<void>(trine::RouterRegistry().parse(trine::ObjectReader(document, "config.json"), shape));
      trine::ObjectReader options(document, "config.json");
      static_cast<void>(options.string("kind"));
      const trine::RuleSet rules = trine::parse_rules(options, shape);
      static_cast<void>(rules.to_sql());
      static_cast<void>(rules.expert_for(std::vector<double>(rules.features.size(), 0.5)));
    } catch (const trine::Error&) {
    }
  }
  return 0;
}
