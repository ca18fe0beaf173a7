// SPDX-License-Identifier: Apache-2.0
// The definitions of routing/routing_record.hpp.
#pragma once

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <span>

#include <trine/core/abi.hpp>
#include <trine/routing/routing_record.hpp>

namespace trine::inline TRINE_ABI {

TRINE_DECL void RoutingRecord::put(std::size_t layer, std::size_t position, std::span<const std::uint32_t> experts,
                                   std::span<const float> weights) {
  const std::lock_guard lock(mutex_);
  decisions_[{layer, position}] = {{experts.begin(), experts.end()}, {weights.begin(), weights.end()}};
}

TRINE_DECL RoutingRecord::Decision RoutingRecord::get(std::size_t layer, std::size_t position) const {
  const std::lock_guard lock(mutex_);
  const auto found = decisions_.find({layer, position});
  return found == decisions_.end() ? Decision{} : found->second;
}

TRINE_DECL std::size_t RoutingRecord::size() const {
  const std::lock_guard lock(mutex_);
  return decisions_.size();
}

}  // namespace trine::inline TRINE_ABI
