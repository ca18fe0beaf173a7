// SPDX-License-Identifier: Apache-2.0
// What a template may cost: the limits that jinja/budget.hpp keeps.
#pragma once

#include <cstddef>

#include <trine/core/abi.hpp>

namespace trine::inline TRINE_ABI {

/// Far above what real templates need: the longest known one has 17 KiB, and takes a few hundred steps a message.
struct TemplateLimits {
  std::size_t source_bytes = std::size_t{1} << 20U;
  std::size_t nesting = 100;                          // of blocks and of expressions in the source
  std::size_t call_depth = 500;                       // nested evaluations, where macros that call themselves show
  std::size_t steps = 10'000'000;                     // evaluated parts, made elements, and 16 made bytes are one each
  std::size_t output_bytes = std::size_t{16} << 20U;  // of the result and of each string in between
};

}  // namespace trine::inline TRINE_ABI
