// SPDX-License-Identifier: Apache-2.0
// The built-in architectures, by "model_type". A new one is a line in all.inl.
#pragma once

#include <functional>
#include <map>
#include <string>

#include <trine/model/model_builder.hpp>

namespace trine::inline TRINE_ABI {

/// Builders by the "model_type" of a config.json.
using ArchitectureRegistry = std::map<std::string, ModelBuilder, std::less<>>;

/// All built-in architectures. A program adds its own to a copy: LoadHooks::architectures.
[[nodiscard]] TRINE_DECL ArchitectureRegistry all_architectures();

}  // namespace trine::inline TRINE_ABI

#if TRINE_HEADER_ONLY
#include <trine/model/architectures/all.inl>
#endif
