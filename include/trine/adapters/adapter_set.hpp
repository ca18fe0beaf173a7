// SPDX-License-Identifier: Apache-2.0
// The adapters of a sequence.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include <trine/adapters/adapter.hpp>

namespace trine::inline TRINE_ABI {

struct AttachedAdapter;  // nn/low_rank.hpp

/// Adapters that are applied together, in order. Their updates of a map add up; weights that an adapter brings in place
/// of a map's own (modules_to_save) must come before all updates of that map. Const, shareable between threads.
class AdapterSet {
 public:
  /// Throws InputError if an adapter is not for the model, a scale is not finite, or an adapter brings weights for a
  /// map that one before it changes.
  AdapterSet(const Model& model, std::vector<AdapterUse> uses);
  AdapterSet(const AdapterSet&) = delete;
  AdapterSet& operator=(const AdapterSet&) = delete;
  ~AdapterSet();

  /// As they were given.
  [[nodiscard]] std::span<const AdapterUse> uses() const noexcept { return uses_; }
  /// Those with another scale than 0, as layers take them.
  [[nodiscard]] std::span<const AttachedAdapter> attached() const noexcept;
  /// A hash of everything that changes results; 0 if nothing does.
  [[nodiscard]] std::uint64_t fingerprint() const noexcept { return fingerprint_; }

 private:
  std::vector<AdapterUse> uses_;
  std::vector<AttachedAdapter> attached_;
  std::uint64_t fingerprint_ = 0;
};

}  // namespace trine::inline TRINE_ABI

#if TRINE_HEADER_ONLY
#include <trine/adapters/adapter_set.inl>
#endif
