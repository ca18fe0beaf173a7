// SPDX-License-Identifier: Apache-2.0
// Recorded routing decisions of one sequence, for replay.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <span>
#include <utility>
#include <vector>

#include <trine/core/abi.hpp>

namespace trine::inline TRINE_ABI {

/// Experts and weights by (layer, position). Thread-safe; a later decision for the same layer and position replaces the
/// earlier one.
class RoutingRecord {
 public:
  /// The decision for one token in one layer.
  struct Decision {
    std::vector<std::uint32_t> experts;  ///< best first
    std::vector<float> weights;          ///< of `experts`, in their order
  };

  /// Stores a decision.
  void put(std::size_t layer, std::size_t position, std::span<const std::uint32_t> experts,
           std::span<const float> weights);

  /// The decision, or one without experts if none is recorded.
  [[nodiscard]] Decision get(std::size_t layer, std::size_t position) const;

  /// Number of stored decisions.
  [[nodiscard]] std::size_t size() const;

 private:
  mutable std::mutex mutex_;
  std::map<std::pair<std::size_t, std::size_t>, Decision> decisions_;
};

}  // namespace trine::inline TRINE_ABI

#if TRINE_HEADER_ONLY
#include <trine/routing/routing_record.inl>
#endif
