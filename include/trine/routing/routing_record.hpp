// SPDX-License-Identifier: Apache-2.0
// Routing decisions of one sequence, kept to be replayed.
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

/// Experts and weights by (layer, position). Safe to use from several threads; a later decision for the same place
/// replaces the earlier one.
class RoutingRecord {
 public:
  /// What was decided for one token in one layer.
  struct Decision {
    std::vector<std::uint32_t> experts;  ///< best first
    std::vector<float> weights;          ///< of `experts`, in their order
  };

  /// Keeps a decision.
  void put(std::size_t layer, std::size_t position, std::span<const std::uint32_t> experts,
           std::span<const float> weights);

  /// The decision, or one without experts when there is none for that place.
  [[nodiscard]] Decision get(std::size_t layer, std::size_t position) const;

  /// Number of decisions kept.
  [[nodiscard]] std::size_t size() const;

 private:
  mutable std::mutex mutex_;
  std::map<std::pair<std::size_t, std::size_t>, Decision> decisions_;
};

}  // namespace trine::inline TRINE_ABI

#if TRINE_HEADER_ONLY
#include <trine/routing/routing_record.inl>
#endif
