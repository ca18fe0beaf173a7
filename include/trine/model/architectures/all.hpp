// SPDX-License-Identifier: Apache-2.0
// The architectures that trine knows, by "model_type". A new one is a line here.
#pragma once

#include <functional>
#include <map>
#include <string>

#include <trine/model/architectures/trine.hpp>

namespace trine::inline TRINE_ABI {

using ArchitectureRegistry = std::map<std::string, Architecture, std::less<>>;

[[nodiscard]] inline ArchitectureRegistry all_architectures() {
  return {
      {"trine", build_trine},
  };
}

}  // namespace trine::inline TRINE_ABI
