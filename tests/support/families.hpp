// SPDX-License-Identifier: Apache-2.0
// What tests need to know about published families, by "model_type" or by the names of their goldens, which begin so.
#pragma once

#include <algorithm>
#include <array>
#include <string_view>

namespace trine::test {

[[nodiscard]] inline bool has_latent_attention(std::string_view name) {
  constexpr auto kFamilies = std::to_array<std::string_view>(
      {"deepseek", "glm4_moe_lite", "glm_moe_dsa", "kimi_k2", "kimi_linear", "mistral4"});
  if (name == "mistral3") return true;  // around mistral4; mistral3_mistral is not
  return std::ranges::any_of(kFamilies, [&](std::string_view family) { return name.starts_with(family); });
}

}  // namespace trine::test
