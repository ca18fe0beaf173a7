// SPDX-License-Identifier: Apache-2.0
// How the makers of a GGUF file mean it to be sampled, in the spelling of generation_config.json.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <utility>

#include <trine/json/parse.hpp>
#include <trine/weights/gguf_metadata.hpp>

namespace trine::inline TRINE_ABI {

/// "general.sampling": temp, top_k, top_p, min_p, penalty_repeat and penalty_last_n (as "repeat_last_n", which
/// transformers lacks). Throws ConfigError for an invalid value, and for XTC and Mirostat, which are not implemented.
[[nodiscard]] inline Json gguf_generation_config(const GgufMetadata& metadata) {
  const auto key_of = [](std::string_view name) { return "general.sampling." + std::string(name); };
  for (const std::string_view name : {"xtc_probability", "mirostat"})
    if (const std::string key = key_of(name); metadata.number_or(key, 0.0, 1e6, 0.0) != 0.0)
      metadata.fail(key, "0", ErrorKind::unsupported);
  Json config = Json::object();
  constexpr std::array kNumbers = std::to_array<std::pair<std::string_view, std::string_view>>(
      {{"temp", "temperature"}, {"top_p", "top_p"}, {"min_p", "min_p"}, {"penalty_repeat", "repetition_penalty"}});
  for (const auto& [gguf, name] : kNumbers)
    if (const std::string key = key_of(gguf); metadata.has(key)) config[name] = metadata.number(key, 0.0, 1e6);
  constexpr std::int64_t kMost = std::numeric_limits<std::int32_t>::max();
  if (const std::string key = key_of("top_k"); metadata.has(key))  // -1 is off, as 0
    config["top_k"] = static_cast<std::uint64_t>(std::max<std::int64_t>(0, metadata.integer(key, -1, kMost)));
  if (const std::string key = key_of("penalty_last_n"); metadata.has(key))
    if (const std::int64_t last = metadata.integer(key, -1, kMost); last >= 0)  // -1: all
      config["repeat_last_n"] = static_cast<std::uint64_t>(last);
  return config;
}

}  // namespace trine::inline TRINE_ABI
